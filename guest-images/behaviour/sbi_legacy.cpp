// SPDX-License-Identifier: MIT
// The legacy calls (SBI 2.0, chapter 5): one result register, and hart masks read through the caller's own translation.

#include "guest-images/behaviour/rt/space.hpp"

using namespace uc;
using namespace uc::rt;
using sbi::Ext;

SNIPPET(do_ecall, "ecall");

namespace {

u64 mask;

Frame legacy(Ext extension, u64 arg0 = 0, u64 arg1 = 0, u64 arg2 = 0, u64 arg3 = 0) {
    Frame frame = make_frame(address(do_ecall), Priv::S, {arg0, arg1, arg2, arg3});
    frame.x[a7] = static_cast<u64>(extension);
    frame.x[a6] = 0x6666;  // means nothing here
    frame.x[a1] = 0x1111;
    if (extension >= Ext::LegacyRemoteSfenceVma) frame.x[a1] = arg1;
    Frame before = frame;
    run(frame);
    u64 changed = 0;
    for (unsigned i = 1; i < 32; ++i) changed |= frame.x[i] != before.x[i] ? 1ull << i : 0;
    expect(!frame.completed() || (changed & ~(1ull << a0)) == 0, "registers changed: ", changed);
    return frame;
}

void show(const char* what, const Frame& frame) {
    say(what, ": ", Ended{frame, address(do_ecall)}, " a0 ",
        Dec{static_cast<i64>(frame.completed() ? frame.x[a0] : 0)});
}

}  // namespace

GUEST(sbi_legacy) {
    csr_write<CsrNo::sip>(0);
    show("set timer", legacy(Ext::LegacySetTimer, 0));
    say("STIP ", wait_pending(Irq::STI, true));
    show("set timer to never", legacy(Ext::LegacySetTimer, kNever));
    say("STIP ", csr_read<CsrNo::sip>() >> 5 & 1);
    const Frame letter = legacy(Ext::LegacyPutchar, '\n');
    show("putchar", letter);
    show("getchar without input", legacy(Ext::LegacyGetchar));

    mask = 1ull << hart_id;
    show("send ipi", legacy(Ext::LegacySendIpi, address(&mask)));
    say("SSIP ", wait_pending(Irq::SSI, true));
    legacy(Ext::LegacyClearIpi);
    say("clear ipi: SSIP ", csr_read<CsrNo::sip>() >> 1 & 1);
    show("send ipi to all", legacy(Ext::LegacySendIpi, 0));
    say("SSIP ", wait_pending(Irq::SSI, true));
    csr_write<CsrNo::sip>(0);
    show("fence.i", legacy(Ext::LegacyRemoteFenceI, address(&mask)));
    show("fence.i on all", legacy(Ext::LegacyRemoteFenceI, 0));
    show("sfence.vma", legacy(Ext::LegacyRemoteSfenceVma, address(&mask), 0, ~0ull));
    show("sfence.vma asid", legacy(Ext::LegacyRemoteSfenceVmaAsid, address(&mask), 0x1000, 0x1000, 3));

    // The mask pointer is a virtual address; where it leads nowhere, the call itself faults.
    each_mode([](SatpMode mode) {
        constexpr u64 kVa = 0x21'0000'0000;
        Space space(mode);
        space.map(kVa, align_down(address(&mask), kPageSize), kRw);
        space.enter();
        show("mask through page tables", legacy(Ext::LegacySendIpi, kVa + address(&mask) % kPageSize));
        say("SSIP ", wait_pending(Irq::SSI, true));
        csr_write<CsrNo::sip>(0);
        show("unmapped mask", legacy(Ext::LegacySendIpi, kVa + kPageSize));
        say("SSIP ", csr_read<CsrNo::sip>() >> 1 & 1);
    });
}
