// SPDX-License-Identifier: MIT
// SBI calls with arguments that make no sense (SBI 2.0). Where the specification names one answer, it is compared; what
// firmware may choose, or OpenSBI 1.1 got wrong, is the machine's.

#include "guest-images/behaviour/rt/space.hpp"

using namespace uc;
using namespace uc::rt;
using sbi::Error;
using sbi::Ext;

SNIPPET(do_ecall, "ecall");

namespace {

void show(const char* what, sbi::Ret ret) { say(what, ": error ", Dec{static_cast<i64>(ret.error)}); }

void must(const char* what, Error want, sbi::Ret ret) {
    show(what, ret);
    expect(ret.error == want, what);
}

void registers() {
    // Only a0 and a1 change (SBI 2.0, chapter 3).
    Random random(3);
    for (u64 extension : {static_cast<u64>(Ext::Base), u64{0x12345678}}) {
        Frame frame = make_frame(address(do_ecall), Priv::S);
        for (unsigned i = 1; i < 32; ++i) frame.x[i] = random.next();
        frame.x[a6] = 0;
        frame.x[a7] = extension;
        Frame before = frame;
        run(frame);
        u64 changed = 0;
        for (unsigned i = 1; i < 32; ++i) changed |= frame.x[i] != before.x[i] ? 1ull << i : 0;
        say("extension ", extension, " changes registers ", changed & ~(3ull << a0));
        expect(frame.completed() && (changed & ~(3ull << a0)) == 0, "registers");
    }
}

void base() {
    for (Ext ext : {Ext::Base, Ext::Time, Ext::Ipi, Ext::Rfence, Ext::Hsm, Ext::Srst})
        say("probe ", static_cast<u64>(ext), ": ", sbi_has(ext));
    for (u64 ext : {0x9ull, 0xfull, 0x11ull, 0x0bull, 0x41414141ull, ~0ull, 1ull << 63, 0x1'0000'0010ull}) {
        const auto probe = sbi_call(Ext::Base, sbi::base::ProbeExtension, ext);
        say("probe ", ext, ": error ", Dec{static_cast<i64>(probe.error)}, " value ", probe.value);
        expect(probe.error == Error::Success && probe.value == 0, "absent extension");
        must("  call it", Error::NotSupported, sbi_call(ext, 0, 1, 2, 3));
    }
    const auto version = sbi_call(Ext::Base, sbi::base::SpecVersion);
    say("version: error ", Dec{static_cast<i64>(version.error)}, " bit 31 ", version.value >> 31);
    say("machine: version ", version.value, " implementation ", sbi_call(Ext::Base, sbi::base::ImplId).value);
    for (u64 fid : {7ull, 100ull, ~0ull}) must("base, no such function", Error::NotSupported, sbi_call(Ext::Base, fid));
}

void functions() {
    for (u64 fid : {1ull, 0xffffffffull, ~0ull}) {
        must("time, no such function", Error::NotSupported, sbi_call(Ext::Time, fid));
        must("ipi, no such function", Error::NotSupported, sbi_call(Ext::Ipi, fid));
        must("srst, no such function", Error::NotSupported, sbi_call(Ext::Srst, fid));
    }
    for (u64 fid : {7ull, ~0ull}) must("rfence, no such function", Error::NotSupported, sbi_call(Ext::Rfence, fid));
    for (u64 fid : {4ull, ~0ull}) must("hsm, no such function", Error::NotSupported, sbi_call(Ext::Hsm, fid));
}

void harts() {
    constexpr u64 kNoHart = 1000;
    constexpr u64 kNobody = ~u64{0};
    must("hart status", Error::Success, sbi_call(Ext::Hsm, sbi::hsm::Status, hart_id));
    say("  is ", sbi_call(Ext::Hsm, sbi::hsm::Status, hart_id).value);
    for (u64 hart : {kNoHart, u64{0xffffffff}, kNobody}) {
        must("status of no hart", Error::InvalidParam, sbi_call(Ext::Hsm, sbi::hsm::Status, hart));
        must("start of no hart", Error::InvalidParam, sbi_call(Ext::Hsm, sbi::hsm::Start, hart, kRam + 2 * kMiB, 0));
    }
    must("start of a running hart", Error::AlreadyAvailable,
         sbi_call(Ext::Hsm, sbi::hsm::Start, hart_id, kRam + 2 * kMiB, 0));
    {
        // OpenSBI 1.1 answers differently for these reserved suspend types.
        MachineLines mark;
        for (u64 type : {u64{1}, u64{0x0fffffff}, u64{0x80000001}})
            show("suspend, reserved type", sbi_call(Ext::Hsm, sbi::hsm::Suspend, type, kRam + 2 * kMiB, 0));
    }
    // Hart masks that name nobody: OpenSBI before 2.0 ignores absent harts.
    MachineLines mark;
    show("ipi to no hart", sbi_call(Ext::Ipi, sbi::ipi::SendIpi, 1, kNoHart));
    show("ipi past the end", sbi_call(Ext::Ipi, sbi::ipi::SendIpi, ~0ull, 0));
    show("fence.i on no hart", sbi_call(Ext::Rfence, sbi::rfence::FenceI, 1, kNoHart));
    csr_write<CsrNo::sip>(0);
}

void fences() {
    must("fence.i", Error::Success, sbi_call(Ext::Rfence, sbi::rfence::FenceI, 1, hart_id));
    must("fence.i everywhere", Error::Success, sbi_call(Ext::Rfence, sbi::rfence::FenceI, 0, sbi::kAllHarts));
    for (u64 start : {0ull, 0x1234ull, 1ull << 38, ~0ull}) {
        for (u64 size : {0ull, 1ull, 0x1000ull, ~0ull, 1ull << 63}) {
            const auto plain = sbi_call(Ext::Rfence, sbi::rfence::SfenceVma, 1, hart_id, start, size);
            const auto asid = sbi_call(Ext::Rfence, sbi::rfence::SfenceVmaAsid, 1, hart_id, start, size, 5);
            // A range that wraps around may be refused (SBI 2.0, 8.2); OpenSBI 1.1 takes it.
            MachineLines mark(size != ~0ull && start + size < start);
            say("sfence ", start, " size ", size, ": errors ", Dec{static_cast<i64>(plain.error)}, " ",
                Dec{static_cast<i64>(asid.error)});
        }
    }
    MachineLines mark;
    for (u64 fid = sbi::rfence::HfenceGvmaVmid; fid <= sbi::rfence::HfenceVvma; ++fid)
        show("hfence", sbi_call(Ext::Rfence, fid, 1, hart_id, 0, 0, 0));
}

void reset() {
    // Types and reasons that are reserved; a legal one would end this guest.
    for (u64 type : {3ull, 0x7fffffffull, 0xefffffffull})
        must("reset, reserved type", Error::InvalidParam, sbi_call(Ext::Srst, sbi::srst::Reset, type, 0));
    for (u64 reason : {2ull, 0xdfffffffull})
        must("reset, reserved reason", Error::InvalidParam, sbi_call(Ext::Srst, sbi::srst::Reset, 0, reason));
}

void console() {
    MachineLines mark;  // OpenSBI has DBCN from 1.3 on
    if (!sbi_has(Ext::Dbcn)) return say("no debug console");
    say("write of nothing: ",
        Dec{static_cast<i64>(sbi_call(Ext::Dbcn, sbi::dbcn::Write, 0, kRam + 2 * kMiB, 0).error)});
    for (u64 pa : {0ull, 0x18000000ull, ~0ull, 1ull << 63}) {
        const auto write = sbi_call(Ext::Dbcn, sbi::dbcn::Write, 16, pa, 0);
        const auto read = sbi_call(Ext::Dbcn, sbi::dbcn::Read, 16, pa, 0);
        say("buffer at ", pa, ": write ", Dec{static_cast<i64>(write.error)}, " read ",
            Dec{static_cast<i64>(read.error)});
        expect(write.error == Error::InvalidParam || write.error == Error::Failed, "write from nowhere");
    }
    for (u64 size : {1ull << 40, ~0ull}) {
        const auto write = sbi_call(Ext::Dbcn, sbi::dbcn::Write, size, kRam + 2 * kMiB, 0);
        say("size ", size, ": ", Dec{static_cast<i64>(write.error)});
        expect(write.error != Error::Success, "size");
    }
    show("no such function", sbi_call(Ext::Dbcn, 3));
}

}  // namespace

GUEST(sbi_errors) {
    registers();
    base();
    functions();
    harts();
    fences();
    reset();
    console();
}
