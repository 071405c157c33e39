// SPDX-License-Identifier: MIT
// A machine whose harts are threads, and guests that come and go on it at any moment.

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <random>
#include <thread>

#include "hv/machine.hpp"
#include "hv/machine_view.hpp"
#include "tests/emul/insn.hpp"
#include "tests/hv/register_free_platform.hpp"
#include "tests/hv/test_machine.hpp"

namespace uc {
namespace {

using test::exception;
using test::sbi_ecall;
using test::TestMachine;

constexpr u64 kHz = 10'000'000;
constexpr unsigned kHarts = 3;

u64 clock_now() {
    const auto t = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<u64>(std::chrono::duration_cast<std::chrono::nanoseconds>(t).count()) / 100;
}

/// How many harts are in each vCPU of each guest.
struct Users {
    std::array<std::array<std::atomic<int>, 2>, 3> inside{};
    std::atomic<u64> entries{0};
    std::atomic<u64> wrong{0};  ///< a vCPU ran twice at once, or without memory

    void enter(const Vcpu& vcpu) {
        entries.fetch_add(1, std::memory_order_relaxed);
        if (inside[vcpu.guest->number()][vcpu.id].fetch_add(1) != 0) ++wrong;
        if (vcpu.guest->ram().size() != TestMachine::kGuestMemory || !vcpu.guest->has_run()) ++wrong;
    }
    void leave(const Vcpu& vcpu) { inside[vcpu.guest->number()][vcpu.id].fetch_sub(1); }
};

/// Guests on it do a bit of everything, by chance, at their first instruction.
class ThreadHart final : public test::RegisterFreePlatform {
  public:
    ThreadHart(Users& users, unsigned seed) : users_(users), random_(seed) {}

    void use_translation(u64) override {}
    void run(VcpuFrame& frame) override {
        Vcpu& vcpu = Vcpu::of(frame);
        users_.enter(vcpu);
        while (handle_trap(frame, trap(frame.hart), 0, [] { return u64{0}; })) {}
        users_.leave(vcpu);
    }
    u64 exit_clock() override { return 0; }
    void park() override {}
    void put_away(VcpuFrame&) override {}
    void interrupt() override {
        const std::lock_guard guard(mutex_);
        pending_.store(true);
        wake_.notify_one();
    }
    void set_timer(u64 at) override { deadline_ = std::min(deadline_, at); }
    u64 timebase_hz() const override { return kHz; }
    u64 take_interrupts() override {
        const bool due = clock_now() >= deadline_;
        if (due) deadline_ = ~0ull;
        return (pending_.exchange(false) ? irq_bit(Irq::SSI) : 0) | (due ? irq_bit(Irq::STI) : 0);
    }
    void wait() override {
        std::unique_lock lock(mutex_);
        const u64 now = clock_now();
        const u64 left = std::min(deadline_ - std::min(deadline_, now), kHz);
        wake_.wait_for(lock, std::chrono::nanoseconds(100 * left), [this] { return pending_.load(); });
    }
    u64 time() override { return clock_now(); }
    u64 counter(CsrNo) override { return 0; }

  private:
    TrapInfo trap(GuestHart& hart) {
        if (pending_.load()) return test::interrupt(Irq::SSI);
        if (clock_now() >= deadline_) return test::interrupt(Irq::STI);
        hart.pc = TestMachine::kEntry.raw;
        hart.priv = Priv::S;
        switch (random_() % 8) {
            case 0: return set_timer(hart);
            case 1:
                if (hart.stimecmp == ~0ull) return set_timer(hart);  // without one it would sleep for ever
                hart.sie.raw = irq_bit(Irq::STI);
                return exception(Cause::IllegalInstruction, test::kWfi);
            case 2: return sbi_ecall(hart, sbi::Ext::Hsm, sbi::hsm::Start, 1, TestMachine::kEntry.raw, 0);
            case 3: return sbi_ecall(hart, sbi::Ext::LegacyPutchar, 0, '\n');
            case 4: return sbi_ecall(hart, sbi::Ext::Rfence, sbi::rfence::SfenceVma, 3, 0, 0, ~0ull);
            default: return exception(Cause::LoadPageFault, TestMachine::kEntry.raw + random_() % 256 * kPageSize);
        }
    }

    TrapInfo set_timer(GuestHart& hart) {
        return sbi_ecall(hart, sbi::Ext::Time, sbi::time::SetTimer, clock_now() + random_() % 2000);
    }

    Users& users_;
    std::mt19937 random_;
    u64 deadline_ = ~0ull;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::atomic<bool> pending_{false};
};

struct HartsTest : testing::Test {
    TestMachine host{32 * kMiB};
    Users users;
    std::array<ThreadHart, kHarts> harts{{{users, 1}, {users, 2}, {users, 3}}};
    Options options;
    Machine machine{harts[0], host.console, options, kHarts};
    std::array<Runner, kHarts> runners{
        {{machine, harts[0], 0, 0}, {machine, harts[1], 1, 1}, {machine, harts[2], 2, 2}}};
    MachineView view{machine, host.memory};
    std::vector<std::thread> threads;

    HartsTest() {
        the_log.set_sink(&host.console.log_sink());
        the_log.set_level(LogLevel::Error);
        host.environment.platform = harts.data();
        host.environment.timebase_hz = kHz;
        host.environment.keeper = &machine;
        host.environment.guests = 3;
        for (Runner& runner : runners) machine.add(runner);
        EXPECT_TRUE(machine.start_trace(host.memory, {ExitCounter::Cycle, 1'000'000'000}));
    }
    Guest& add(std::string_view name, u32 vcpus, std::optional<u64> hart = {}) {
        GuestConfig& config = host.config(name, vcpus);
        if (hart) {
            EXPECT_TRUE(config.harts.push(*hart));
        }
        Guest& guest = host.create(config, static_cast<unsigned>(machine.guests().size()));
        EXPECT_TRUE(machine.add(guest));
        return guest;
    }
    void begin() {
        EXPECT_TRUE(machine.start());
        for (Runner& runner : runners) threads.emplace_back([&runner] { runner.run(); });
    }
    void end() {
        machine.quit();
        for (std::thread& thread : threads) thread.join();
    }
    /// Waits for something; the limit is for a machine that stands still.
    template <class Holds>
    static bool comes(Holds holds) {
        for (const u64 limit = clock_now() + 60 * kHz; !holds(); std::this_thread::yield()) {
            if (clock_now() > limit) return false;
        }
        return true;
    }
    static testing::AssertionResult becomes(const Guest& guest, GuestState state) {
        if (comes([&] { return guest.state() == state; })) return testing::AssertionSuccess();
        return testing::AssertionFailure() << guest.name() << " stays " << name(guest.state());
    }
};

TEST_F(HartsTest, GuestsComeAndGoWhileOthersRun) {
    constexpr int kActs = 3000;
    Guest& floating = add("floating", 2);
    add("steady", 2);
    Guest& pinned = add("pinned", 1, 2);
    const u64 free_with_all = host.memory.available();
    begin();
    std::mt19937 random(4);
    for (int i = 0; i < kActs; ++i) {
        const usize guest = random() % 2 == 0 ? 0 : 2;
        {
            const Console::Guard guard(host.console);
            static_cast<void>(view.act(guest, static_cast<GuestAction>(random() % 7)));
            for (unsigned vcpu = 0; vcpu < view.guest(guest).vcpus; ++vcpu) {
                static_cast<void>(view.vcpu(guest, vcpu));
                static_cast<void>(view.walk(guest, vcpu, Gva{TestMachine::kEntry.raw}));
            }
            std::array<u8, 8> bytes{};
            static_cast<void>(view.read(guest, TestMachine::kEntry, bytes));
            static_cast<void>(view.account(guest));
        }
        if (random() % 4 == 0) std::this_thread::sleep_for(std::chrono::microseconds(random() % 300));
    }
    for (Guest* guest : {&floating, &pinned}) {
        static_cast<void>(machine.act(*guest, GuestAction::Destroy));
        EXPECT_TRUE(becomes(*guest, GuestState::Destroyed));
    }
    const u64 free_without = host.memory.available();
    for (Guest* guest : {&floating, &pinned}) {
        EXPECT_TRUE(machine.act(*guest, GuestAction::Create));
        EXPECT_TRUE(becomes(*guest, GuestState::Created));
    }
    EXPECT_EQ(host.memory.available(), free_with_all);
    // And they work.
    for (Guest* guest : {&floating, &pinned}) {
        EXPECT_TRUE(machine.act(*guest, GuestAction::Start));
        EXPECT_TRUE(comes([&] { return guest->vcpus()[0].stats.exits() != 0; })) << guest->name();
        EXPECT_TRUE(machine.act(*guest, GuestAction::Destroy));
        EXPECT_TRUE(becomes(*guest, GuestState::Destroyed));
    }
    EXPECT_EQ(host.memory.available(), free_without);
    EXPECT_EQ(host.memory.lost(), 0u);
    EXPECT_TRUE(comes([&] { return users.entries > 1000; })) << users.entries;
    end();
    EXPECT_EQ(users.wrong, 0u);
}

// A vCPU may be about to sleep because its guest was paused when that is resumed.
TEST_F(HartsTest, WhoIsPausedGoesOnWhenItIsResumed) {
    constexpr int kPauses = 5000;
    Guest& guest = add("guest", 2);
    begin();
    EXPECT_TRUE(becomes(guest, GuestState::Running));
    std::mt19937 random(4);
    bool goes_on = true;
    for (int i = 0; i < kPauses && goes_on; ++i) {
        EXPECT_TRUE(machine.act(guest, GuestAction::Pause));
        for (const u64 until = clock_now() + random() % 200; clock_now() < until;) {}
        EXPECT_TRUE(machine.act(guest, GuestAction::Resume));
        const u64 exits = guest.vcpus()[0].stats.exits();
        goes_on = comes([&] { return guest.vcpus()[0].stats.exits() != exits; });
        EXPECT_TRUE(goes_on) << "after pause " << i;
    }
    end();
}

}  // namespace
}  // namespace uc
