// SPDX-License-Identifier: MIT
// One Shadow under many harts. Arguments: seconds for each scenario, seed.

#include "tests/tsan/shadow_guest.hpp"

namespace uc::stress {

namespace {

constexpr u64 kRound = 30'000;  // operations
constexpr u64 kSecond = 1'000'000;

/// What happened, added up.
struct Totals {
    u64 reclaims = 0, rollovers = 0, resyncs = 0, drops = 0, copies = 0, copy_drops = 0, replacements = 0;

    void add(const ShadowStats& s) {
        reclaims += s.reclaims;
        rollovers += s.asid_rollovers;
        resyncs += s.resyncs;
        drops += s.drops;
        copies += s.copies;
        copy_drops += s.copy_drops;
        replacements += s.replacements;
    }
};

void run_hart(ShadowMachine& machine, ShadowGuest& guest, unsigned number) {
    ShadowHart hart(machine, number);
    while (!machine.over.load()) {
        GuestCpu* const cpu = machine.take_cpu();
        hart.arrive(*cpu);
        guest.run(hart);
        hart.depart();
        machine.give_cpu(cpu);
    }
}

/// Runs guest after guest: one that has lived for long has learnt which of its pages are not worth copying.
Totals run(const ShadowScenario& scenario, u64 seconds, u64 seed) {
    Totals totals;
    std::atomic<u64> operations{0};
    const Watchdog watchdog(scenario.name, operations);
    const u64 end = now() + seconds * kSecond;
    do {
        ShadowMachine machine(scenario, seed++);
        ShadowGuest guest(machine, scenario, operations);
        std::vector<std::thread> threads;
        for (unsigned h = 0; h < kShadowHarts; ++h) {
            threads.emplace_back([&machine, &guest, h] { run_hart(machine, guest, h); });
        }
        for (const u64 goal = operations.load() + kRound; operations.load() < goal;) {
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        machine.over.store(true);
        for (auto& thread : threads) thread.join();
        if (!machine.shadow().check_invariants()) fail("the shadow tables are not what they should be");
        totals.add(machine.shadow().stats());
    } while (now() < end);
    return totals;
}

void expect(const char* what, u64 n) {
    std::printf("  %s: %llu\n", what, static_cast<unsigned long long>(n));
    if (n < 10) fail(std::string("too few ") + what);
}

}  // namespace

}  // namespace uc::stress

int main(int argc, char** argv) {
    using namespace uc;
    using namespace uc::stress;
    const u64 seconds = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 6;
    const u64 seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
    // Tables and ASIDs run out all the time.
    const Totals tight = run({"tight", Shadow::min_pages(kShadowVcpus) + 8, 1, 4, 100, 40, 10}, seconds, seed);
    expect("pages reclaimed", tight.reclaims);
    expect("rollovers", tight.rollovers);
    expect("copies", tight.copies);
    // Nothing is flushed but for the sake of what changes.
    const Totals roomy = run({"roomy", 400, 3, 14, 6, 1000, 1}, seconds, seed);
    expect("resyncs", roomy.resyncs);
    expect("entries dropped", roomy.drops);
    expect("copies given up", roomy.copy_drops);
    expect("replacements", roomy.replacements);
}
