// SPDX-License-Identifier: MIT
// The tool against the device and the calls as the hypervisor has them; only the guests are made up.

#include "guest-images/linux/ucctl/commands.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

#include "emul/manager_device.hpp"
#include "tests/emul/fake_sbi_backend.hpp"

namespace uc::ucctl {
namespace {

using namespace sbi::undercroft;

/// A machine of three guests: "boss", which calls, "worker", and one whose name fills its room.
struct Machine final : test::FakeSbiBackend, Registers, RegisterSource {
    ManagerDevice device;
    std::vector<GuestRecord> guests;
    std::string obstacle;  ///< why the device cannot be opened
    u64 id = manager::kId;
    int opened = 0;
    int busy = 0;  ///< after an action, that many looks find the guest on its way

    Machine() {
        manager = true;
        guests = {record("boss", Running), record("worker", Created),
                  record("a-name-that-fills-all-its-room-", Failed)};
        guests[0].is_caller = 1;
    }
    static GuestRecord record(std::string_view name, State state) {
        GuestRecord r;
        std::copy(name.begin(), name.end(), r.name.begin());
        r.state = state;
        r.vcpus = 2;
        r.memory = 512ull << 20;
        r.exits = 12345;
        return r;
    }

    std::expected<Registers*, std::string> open() override {
        ++opened;
        if (!obstacle.empty()) return std::unexpected(obstacle);
        return this;
    }
    u64 load(u64 offset) override { return offset == manager::kIdRegister ? id : device.read(offset, 8).value(); }
    void store(u64 offset, u64 value) override {
        ASSERT_TRUE(device.write(offset, 8, value));
        if (const auto call = device.take_call())
            device.finish(call_undercroft(*this, call->function, call->arguments));
    }

    u64 guest_count() override { return guests.size(); }
    std::optional<GuestRecord> guest_record(u64 guest) override {
        if (guest >= guests.size()) return std::nullopt;
        if (guest != 1 || acts.empty() || busy == 0) return guests[guest];
        --busy;
        return record("worker", Busy);
    }
    bool is_guest_memory(Gpa offset, u64 size) override { return ManagerDevice::holds(offset.raw, size); }
    void write_guest(Gpa offset, std::span<const u8> bytes) override { device.write_data(offset.raw, bytes); }
};

struct UcctlTest : testing::Test {
    Machine machine;
    std::string out, err;

    Status run(std::vector<const char*> arguments) {
        char* texts[2] = {};
        usize sizes[2] = {};
        std::FILE* files[2] = {open_memstream(&texts[0], &sizes[0]), open_memstream(&texts[1], &sizes[1])};
        const Status status = ucctl::run(arguments, machine, files[0], files[1]);
        for (std::FILE* file : files) std::fclose(file);
        out.assign(texts[0], sizes[0]);
        err.assign(texts[1], sizes[1]);
        for (char* text : texts) std::free(text);
        return status;
    }
    void expect_failure(std::vector<const char*> arguments, const char* message) {
        EXPECT_EQ(run(std::move(arguments)), Status::Failed);
        EXPECT_EQ(out, "");
        EXPECT_EQ(err, std::string("ucctl: ") + message + "\n");
    }
};

TEST_F(UcctlTest, ListsAllGuests) {
    EXPECT_EQ(run({"list"}), Status::Done);
    EXPECT_EQ(err, "");
    EXPECT_EQ(out,
              "NAME                             NUMBER    STATE  VCPUS  MEMORY  EXITS\n"
              "boss                                  0  running      2    512M  12345  (this guest)\n"
              "worker                                1  created      2    512M  12345\n"
              "a-name-that-fills-all-its-room-       2   failed      2    512M  12345\n");
}

TEST_F(UcctlTest, NamesEveryState) {
    std::vector<std::string> states;
    for (u32 state = 0; state < 9; ++state) {
        machine.guests = {Machine::record("x", static_cast<State>(state))};
        EXPECT_EQ(run({"list"}), Status::Done);
        std::istringstream words(out.substr(out.find("\nx ")));
        std::string name, number, word;
        words >> name >> number >> word;
        states.push_back(word);
    }
    EXPECT_EQ(states, (std::vector<std::string>{"created", "running", "paused", "ended", "stopped", "failed",
                                                "destroyed", "busy", "state-8"}));
}

TEST_F(UcctlTest, ShowsForWhatGuestsTrapped) {
    machine.guests.resize(2);
    EXPECT_EQ(run({"stats"}), Status::Done);
    EXPECT_EQ(err, "");
    EXPECT_EQ(out,
              "NAME    EXITS  COUNT  MEAN-NS\n"
              "boss       k0   1000        5\n"
              "boss       k1   1000        5\n"
              "worker     k0   2000        2\n"
              "worker     k1   2000        2\n");
    EXPECT_EQ(run({"stats", "worker"}), Status::Done);
    EXPECT_EQ(out.find("boss"), std::string::npos);
    EXPECT_NE(out.find("worker     k1   2000        2\n"), std::string::npos);
}

TEST_F(UcctlTest, ReturnsWhenWhatItAskedForHasHappened) {
    for (const char* verb : {"start", "reset", "destroy", "create"}) {
        machine.acts.clear();
        machine.busy = 3;
        EXPECT_EQ(run({verb, "worker"}), Status::Done) << verb;
        EXPECT_EQ(machine.busy, 0) << verb;
    }
}

TEST_F(UcctlTest, TellsThatAGuestFailedToStart) {
    machine.guests[1] = Machine::record("worker", Failed);
    for (const char* verb : {"start", "reset"}) {
        machine.acts.clear();
        machine.busy = 3;
        expect_failure({verb, "worker"}, "worker has failed");
    }
}

TEST_F(UcctlTest, ActsOnTheGuestOfThatName) {
    constexpr std::pair<const char*, Action> kVerbs[] = {{"start", Start},   {"stop", Stop},   {"pause", Pause},
                                                         {"resume", Resume}, {"reset", Reset}, {"destroy", Destroy},
                                                         {"create", Create}};
    for (const auto& [verb, action] : kVerbs) {
        machine.acts.clear();
        EXPECT_EQ(run({verb, "worker"}), Status::Done) << verb;
        EXPECT_EQ(out + err, "");
        EXPECT_EQ(machine.acts, (std::vector{std::pair{u64{1}, action}}));
    }
    EXPECT_EQ(run({"stop", "a-name-that-fills-all-its-room-"}), Status::Done);
    EXPECT_EQ(machine.acts.back().first, 2u);
}

TEST_F(UcctlTest, SaysWhyNot) {
    expect_failure({"pause", "nobody"}, "there is no guest nobody");
    expect_failure({"pause", "work"}, "there is no guest work");
    expect_failure({"stats", "nobody"}, "there is no guest nobody");
    EXPECT_TRUE(machine.acts.empty());
    machine.act_works = false;
    expect_failure({"pause", "worker"}, "cannot pause worker: it is created");
}

TEST_F(UcctlTest, WithoutTheRight) {
    machine.manager = false;
    expect_failure({"list"}, "this guest may not look after others");
    expect_failure({"start", "worker"}, "this guest may not look after others");
}

TEST_F(UcctlTest, WithoutTheDevice) {
    machine.obstacle = "it is not there";
    expect_failure({"list"}, "it is not there");
    machine.obstacle = "";
    machine.id = ~0ull;
    expect_failure({"stop", "worker"},
                   "what the device tree calls the management device is another, or of another version");
    EXPECT_TRUE(machine.acts.empty());
}

TEST_F(UcctlTest, WrongUsageTouchesNothing) {
    for (const std::vector<const char*>& wrong : std::vector<std::vector<const char*>>{{},
                                                                                       {""},
                                                                                       {"lst"},
                                                                                       {"list", "boss"},
                                                                                       {"start"},
                                                                                       {"start", ""},
                                                                                       {"start", "a", "b"},
                                                                                       {"stats", "a", "b"},
                                                                                       {"stats", ""},
                                                                                       {"boss", "start"},
                                                                                       {"--help-me"}}) {
        EXPECT_EQ(run(wrong), Status::Usage);
        EXPECT_EQ(out, "");
        EXPECT_EQ(err.substr(0, 12), "usage: ucctl");
    }
    EXPECT_EQ(machine.opened, 0);
}

TEST_F(UcctlTest, HelpIsNoError) {
    for (const char* help : {"--help", "-h", "help"}) {
        EXPECT_EQ(run({help}), Status::Done);
        EXPECT_EQ(out.substr(0, 12), "usage: ucctl");
        EXPECT_EQ(err, "");
    }
    EXPECT_EQ(machine.opened, 0);
}

}  // namespace
}  // namespace uc::ucctl
