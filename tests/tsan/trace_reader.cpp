// SPDX-License-Identifier: MIT
// A hart that writes its trace without a pause, and readers that must never see two records in one.

#include <vector>

#include "hv/exit_trace.hpp"
#include "tests/tsan/stress.hpp"

namespace uc::stress {

namespace {

constexpr usize kSlots = 8;  // few, so that readers are overtaken all the time
constexpr u64 kHash = 0x9e37'79b9'7f4a'7c15;

// Every word follows from the record's number.
void write(ExitTrace& trace, u64 n) {
    ExitTrace::Slot& slot = trace.begin(n, n * kHash, ~n, n + 1);
    trace.end(slot, static_cast<ExitReason>(n % kExitReasons), (n % 1000) << 16, n + 2);
}

bool is_whole(const ExitRecord& r, u64 n) {
    return r.pc == n && r.scause == n * kHash && r.stval == ~n && r.entered == n + 1 && r.left == n + 2 &&
           r.guest == n % 1000 && r.reason == static_cast<ExitReason>(n % kExitReasons);
}

struct Readers {
    ExitTrace& trace;
    std::atomic<bool> over{false};
    std::atomic<u64> read{0}, lost{0};

    void run() {
        while (!over.load()) {
            const u64 end = trace.count();
            for (u64 n = trace.first(end); n < end; ++n) {
                const auto record = trace.read(n);
                if (!record) {
                    lost.fetch_add(1, std::memory_order_relaxed);
                    continue;
                }
                if (!is_whole(*record, n)) fail("trace: record " + std::to_string(n) + " is torn");
                read.fetch_add(1, std::memory_order_relaxed);
            }
        }
    }
};

}  // namespace

void read_trace(u64 records) {
    static ExitTrace::Slot slots[kSlots];
    ExitTrace trace;
    trace.use(slots, {});
    Readers readers{trace};
    std::atomic<u64> written{0};
    const Watchdog watchdog("trace", written);
    std::vector<std::thread> threads;
    for (int i = 0; i < 2; ++i) threads.emplace_back([&] { readers.run(); });
    // Until enough was written, and readers had their chance.
    for (u64 n = 0; n < records || readers.read.load() < records / 100; ++n) {
        write(trace, n);
        if (n % 4096 == 0) std::this_thread::yield();
        written.store(n, std::memory_order_relaxed);
    }
    readers.over.store(true);
    for (std::thread& thread : threads) thread.join();
    std::printf("trace: %llu records read, %llu overtaken\n", static_cast<unsigned long long>(readers.read.load()),
                static_cast<unsigned long long>(readers.lost.load()));
}

}  // namespace uc::stress
