// SPDX-License-Identifier: MIT
#include "guest-images/behaviour/rt/smp.hpp"

extern "C" const char smp_entry[];
asm(R"(
    .pushsection .text
    .globl smp_entry
    .balign 4
smp_entry:
    csrw    sscratch, zero
    lla     t0, trap_entry
    csrw    stvec, t0
    mv      sp, a1
    call    smp_main
    .popsection
)");

namespace uc::rt {

namespace {

constexpr u64 kStackSize = 16384;
alignas(16) u8 stacks[kMaxHarts][kStackSize];
void (*the_body)(u64 hart);

std::atomic<u64> arrived;
std::atomic<u64> meetings;

std::atomic<u64> failures;
const char* failed_what;
u64 failed_value;
std::atomic<u64> failure_told;

}  // namespace

u64 hart_count() {
    static u64 count;
    while (count < kMaxHarts && sbi_call(sbi::Ext::Hsm, sbi::hsm::Status, count).error == sbi::Error::Success) ++count;
    return count;
}

void send_ipi(u64 mask) {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (mask == 0) return;
    if (sbi_call(sbi::Ext::Ipi, sbi::ipi::SendIpi, mask, 0).error != sbi::Error::Success) failures.fetch_add(1);
}

bool failed() { return failures.load(std::memory_order_relaxed) != 0; }

void fail(const char* what, u64 value) {
    if (failures.fetch_add(1) != 0) return;
    failed_what = what;
    failed_value = value;
    failure_told.store(1, std::memory_order_release);
    send_ipi(all_harts());
}

void meet() {
    const u64 now = meetings.load();
    if (arrived.fetch_add(1) + 1 == hart_count()) {
        arrived = 0;
        meetings = now + 1;
        send_ipi(all_harts());
    } else if (!sleep_until([now] { return meetings.load() != now; })) {
        fail("not all harts have come to meeting ", now);
    }
}

bool together(void (*body)(u64 hart)) {
    the_body = body;
    for (u64 hart = 0; hart < hart_count(); ++hart) {
        if (hart == hart_id) continue;
        const sbi::Error error = start_hart(hart, address(smp_entry), address(stacks[hart + 1]));
        if (error != sbi::Error::Success) fail("a hart cannot be started: ", static_cast<u64>(error));
    }
    body(hart_id);
    meet();
    for (u64 hart = 0; hart < hart_count(); ++hart)
        if (hart != hart_id && !wait_state(hart, sbi::hsm::Stopped)) fail("a hart has not stopped: ", hart);
    if (failure_told.exchange(0) != 0) expect(false, failed_what, failed_value);
    return expect(!failed(), "harts failed");
}

extern "C" [[noreturn]] void smp_main(u64 hart) {
    the_body(hart);
    meet();
    sbi_call(sbi::Ext::Hsm, sbi::hsm::Stop);
    for (;;) asm volatile("wfi");
}

}  // namespace uc::rt
