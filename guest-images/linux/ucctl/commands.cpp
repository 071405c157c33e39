// SPDX-License-Identifier: MIT
#include "guest-images/linux/ucctl/commands.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>
#include <utility>
#include <vector>

namespace uc::ucctl {

namespace {

using namespace std::literals;
using namespace sbi::undercroft;
using sbi::Error;

constexpr const char* kUsage =
    "usage: ucctl list               show all guests of this machine\n"
    "       ucctl start NAME         start a guest that was created, or has ended\n"
    "       ucctl stop NAME          end a guest, whatever it is doing\n"
    "       ucctl pause NAME         let a guest's vCPUs wait\n"
    "       ucctl resume NAME        let them go on\n"
    "       ucctl reset NAME         start a guest anew\n"
    "       ucctl destroy NAME       end a guest and give its memory back\n"
    "       ucctl create NAME        make a guest that was destroyed again\n"
    "       ucctl stats [NAME]       show how often, and for what, guests trapped\n"
    "       ucctl memory             show who has what of the machine's memory\n"
    "       ucctl --help             show this\n"
    "What takes its time is waited for.\n"
    "Exit status: 0 done, 1 failed, 2 wrong usage.\n";

/// What can be done to a guest, by its number in the ABI.
struct Verb {
    std::string_view name;
    u64 action;
};
constexpr std::array kVerbs{Verb{"start", Start},   Verb{"stop", Stop},   Verb{"pause", Pause},
                            Verb{"resume", Resume}, Verb{"reset", Reset}, Verb{"destroy", Destroy},
                            Verb{"create", Create}};

std::string state_name(u32 state) {
    constexpr std::array kNames{"created"sv, "running"sv, "paused"sv,    "ended"sv,
                                "stopped"sv, "failed"sv,  "destroyed"sv, "busy"sv};
    return state < kNames.size() ? std::string(kNames[state]) : "state-" + std::to_string(state);
}

std::string mebibytes(u64 bytes) { return std::to_string(bytes >> 20) + 'M'; }

/// Lines of words in columns, each as wide as its longest; the first column is text, the others are numbers.
class Table {
  public:
    using Row = std::vector<std::string>;

    explicit Table(Row heading) : rows_{std::move(heading)} {}
    void add(Row row) { rows_.push_back(std::move(row)); }
    void print(std::FILE* out) const {
        std::vector<usize> widths(rows_[0].size());
        for (const Row& row : rows_) {
            for (usize i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
        }
        for (const Row& row : rows_) {
            std::string line;
            for (usize i = 0; i < widths.size(); ++i) {
                const std::string room(widths[i] - row[i].size(), ' ');
                line += i == 0 ? row[i] + room : "  " + room + row[i];
            }
            std::fprintf(out, "%.*s\n", static_cast<int>(line.find_last_not_of(' ') + 1), line.c_str());
        }
    }

  private:
    std::vector<Row> rows_;
};

/// One run of the tool, once its arguments are known to be good.
class Session {
  public:
    Session(Manager& manager, std::FILE* out, std::FILE* err) : manager_(manager), out_(out), err_(err) {}

    Status list();
    Status act(const Verb& verb, std::string_view name);
    Status stats(std::string_view name);
    Status memory();

  private:
    template <class... Parts>
    Status fail(const Parts&... parts) {
        std::string line = "ucctl: ";
        (line.append(parts), ...);
        std::fprintf(err_, "%s\n", line.c_str());
        return Status::Failed;
    }
    /// Why the hypervisor does not `what`, where nothing but the caller or the hypervisor's age can be wrong.
    Status refused(Error error, std::string_view what);
    /// The guest `name`, or all where that is empty; a failure has been told.
    std::expected<std::vector<GuestInfo>, Status> find(std::string_view name);
    /// Waits until the guest is not busy any more: a moment, or what clearing its memory takes. Failed if starting it
    /// failed.
    Status wait_until_done(const Verb& verb, const GuestInfo& guest);

    Manager& manager_;
    std::FILE* out_;
    std::FILE* err_;
};

Status Session::refused(Error error, std::string_view what) {
    switch (error) {
        case Error::Denied: return fail("this guest may not look after others");
        case Error::NotSupported: return fail("this hypervisor cannot ", what);
        default: return fail("the hypervisor answers SBI error ", std::to_string(static_cast<i64>(error)));
    }
}

std::expected<std::vector<GuestInfo>, Status> Session::find(std::string_view name) {
    const auto count = manager_.count();
    if (!count) return std::unexpected(refused(count.error(), "list guests"));
    std::vector<GuestInfo> found;
    for (u64 number = 0; number < *count; ++number) {
        const auto guest = manager_.look(number);
        if (!guest) return std::unexpected(refused(guest.error(), "list guests"));
        if (name.empty() || guest->name() == name) found.push_back(*guest);
    }
    if (found.empty()) return std::unexpected(fail("there is no guest ", name));
    return found;
}

Status Session::list() {
    const auto guests = find({});
    if (!guests) return guests.error();
    Table table({"NAME", "NUMBER", "STATE", "VCPUS", "MEMORY", "EXITS", ""});
    for (const GuestInfo& guest : *guests) {
        const GuestRecord& r = guest.record;
        table.add({std::string(guest.name()), std::to_string(guest.number), state_name(r.state),
                   std::to_string(r.vcpus), mebibytes(r.memory), std::to_string(r.exits),
                   r.is_caller != 0 ? "(this guest)" : ""});
    }
    table.print(out_);
    return Status::Done;
}

Status Session::act(const Verb& verb, std::string_view name) {
    const auto guests = find(name);
    if (!guests) return guests.error();
    const GuestInfo& guest = guests->front();
    const Error error = manager_.call(GuestAct, guest.number, verb.action).error;
    if (error == Error::Success) return wait_until_done(verb, guest);
    // The guest is there, so it is the action.
    if (error == Error::InvalidParam) return fail("this hypervisor cannot ", verb.name, " guests");
    if (error != Error::Failed) return refused(error, std::string(verb.name) + " guests");
    const auto now = manager_.look(guest.number);
    return fail("cannot ", verb.name, " ", name, ": it is ", state_name((now ? *now : guest).record.state));
}

Status Session::wait_until_done(const Verb& verb, const GuestInfo& guest) {
    using namespace std::chrono_literals;
    const bool starts = verb.action == Start || verb.action == Reset;
    for (;;) {
        const auto now = manager_.look(guest.number);
        if (!now) return refused(now.error(), "list guests");
        if (now->record.state == Failed && starts) return fail(guest.name(), " has failed");
        if (now->record.state != Busy) return Status::Done;
        std::this_thread::sleep_for(1ms);
    }
}

Status Session::stats(std::string_view name) {
    const auto guests = find(name);
    if (!guests) return guests.error();
    Table table({"NAME", "EXITS", "COUNT", "MEAN-NS"});
    for (const GuestInfo& guest : *guests) {
        auto exits = manager_.exits(guest.number, 0);
        for (u64 kind = 1; exits; exits = manager_.exits(guest.number, kind++)) {
            if (exits->count == 0) continue;
            const std::string mean = exits->ns == 0 ? "-" : std::to_string(exits->ns / exits->count);
            table.add({std::string(guest.name()), exits->name.data(), std::to_string(exits->count), mean});
        }
        if (exits.error() != Error::InvalidParam) return refused(exits.error(), "tell kinds of exits");
    }
    table.print(out_);
    return Status::Done;
}

Status Session::memory() {
    const auto guests = find({});
    if (!guests) return guests.error();
    Table table({"NAME", "RAM", "REST", "TABLES", "ROOM", "COPIES", "TIMERS", "STARTS"});
    for (const GuestInfo& guest : *guests) {
        const auto m = manager_.guest_memory(guest.number);
        if (!m) return refused(m.error(), "tell who has what memory");
        table.add({std::string(guest.name()), mebibytes(m->ram), mebibytes(m->rest), std::to_string(m->frames_used),
                   std::to_string(m->frames), std::to_string(m->copies), std::to_string(m->timers),
                   std::to_string(m->starts)});
    }
    const auto machine = manager_.machine_memory();
    if (!machine) return refused(machine.error(), "tell who has what memory");
    table.print(out_);
    std::fprintf(out_, "machine: %s, %s free, %s of it in one block, %s the hypervisor's own\n",
                 mebibytes(machine->total).c_str(), mebibytes(machine->free).c_str(),
                 mebibytes(machine->largest).c_str(), mebibytes(machine->hypervisor).c_str());
    return Status::Done;
}

}  // namespace

Status run(std::span<const char* const> arguments, RegisterSource& source, std::FILE* out, std::FILE* err) {
    const std::string_view command = arguments.empty() ? "" : arguments[0];
    const std::string_view name = arguments.size() > 1 ? arguments[1] : "";
    if (command == "--help" || command == "-h" || command == "help") {
        std::fputs(kUsage, out);
        return Status::Done;
    }
    const auto* const verb = std::ranges::find(kVerbs, command, &Verb::name);
    const bool acts = verb != kVerbs.end();
    const bool named = arguments.size() == 2 && !name.empty();
    const bool good = acts ? named : (arguments.size() == 1 || (named && command == "stats"));
    if (!good || (!acts && command != "list" && command != "memory" && command != "stats")) {
        std::fputs(kUsage, err);
        return Status::Usage;
    }

    const auto registers = source.open();
    if (!registers) {
        std::fprintf(err, "ucctl: %s\n", registers.error().c_str());
        return Status::Failed;
    }
    Manager manager(**registers);
    if (!manager.is_there()) {
        std::fputs("ucctl: what the device tree calls the management device is another, or of another version\n", err);
        return Status::Failed;
    }
    Session session(manager, out, err);
    if (acts) return session.act(*verb, name);
    if (command == "list") return session.list();
    return command == "memory" ? session.memory() : session.stats(name);
}

}  // namespace uc::ucctl
