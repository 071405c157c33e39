// SPDX-License-Identifier: MIT
// Sixty thousand SBI calls with arguments from a fixed seed: extensions and functions that exist or do not,
// addresses and masks that make no sense. Left out are only the calls that would end or stop the guest, or print.

#include "guest-images/behaviour/rt/machine.hpp"
#include "guest-images/behaviour/rt/space.hpp"

#include <iterator>

using namespace uc;
using namespace uc::rt;
using sbi::Ext;

SNIPPET(do_ecall, "ecall");

namespace {

constexpr u64 kExtensions[] = {0,          1,          2,          3,          4,          5,
                               6,          7,          8,          0x10,       0x54494D45, 0x735049,
                               0x52464E43, 0x48534D,   0x53525354, 0x504D55,   0x4442434E, 0x535441,
                               0x46574654, 0x4E41434C, 0x0A000000, 0x09000000, 0x08000000, 0x0A005543};

u64 scratch;  // the only memory of ours that calls may name

u64 argument(Random& random, u64 end) {
    const u64 values[] = {0,      1,          ~0ull,      1ull << 63, 1ull << 38, 1ull << 47, 1ull << 56,
                          0x1000, 0x18000000, 0x10000000, end,        end - 8,    scratch,    scratch + 0xfff,
                          64,     0xffffffff};
    const u64 pick = random.next();
    return pick & 16 ? values[pick & 15] : random.next();
}

/// Whether the call may be made: it neither ends nor stops us, nor floods the console, nor hands our code to someone.
bool harmless(const Frame& frame) {
    const u64 fid = frame.x[a6];
    switch (static_cast<Ext>(frame.x[a7])) {
        case Ext::LegacyPutchar:
        case Ext::LegacyShutdown:
        case Ext::Susp: return false;
        case Ext::Srst: return fid != 0 || (frame.x[a0] & 0xffffffff) > 2;
        case Ext::Hsm: return fid == sbi::hsm::Status || fid > 3 || (fid == sbi::hsm::Start && frame.x[a0] > 64);
        case Ext::Dbcn: return fid != sbi::dbcn::WriteByte && (frame.x[a0] == 0 || frame.x[a1] - kRam >= kGiB);
        default: return true;
    }
}

}  // namespace

GUEST(sbi_absurd) {
    scratch = new_page();
    new_page();
    const u64 end = ram_end();
    Random random(0x5b1);
    u64 made = 0;
    u64 trapped = 0;
    u64 errors = 0;
    for (unsigned i = 0; i < 60'000; ++i) {
        Frame frame = make_frame(address(do_ecall), Priv::S);
        for (unsigned reg = 1; reg < 32; ++reg) frame.x[reg] = random.next();
        for (unsigned reg = a0; reg <= a5; ++reg) frame.x[reg] = argument(random, end);
        const u64 pick = random.next();
        frame.x[a6] = pick & 7 ? pick >> 8 & 15 : random.next();
        frame.x[a7] = pick & 0x70 ? kExtensions[(pick >> 16) % std::size(kExtensions)] : random.next();
        if (!harmless(frame)) continue;
        const Frame before = frame;
        run(frame);
        ++made;
        if (!frame.completed()) {
            // Only the legacy calls with a mask pointer may fault.
            const bool mask_call = before.x[a7] >= 4 && before.x[a7] <= 7;
            expect(mask_call && (frame.trapped(Cause::LoadPageFault) || frame.trapped(Cause::LoadAccess) ||
                                 frame.trapped(Cause::LoadMisaligned)),
                   "call ", before.x[a7], " ", before.x[a6], ": ", Ended{frame, address(do_ecall)});
            ++trapped;
            continue;
        }
        for (unsigned reg = 1; reg < 32; ++reg) {
            if (reg == a0 || reg == a1) continue;
            expect(frame.x[reg] == before.x[reg], "call ", before.x[a7], " ", before.x[a6], " changed register ", reg);
        }
        if (before.x[a7] > 15) {
            const i64 error = static_cast<i64>(frame.x[a0]);
            expect(error <= 0 && error >= -14, "call ", before.x[a7], " ", before.x[a6], " answers ", Dec{error});
            errors += error != 0;
        }
    }
    csr_write<CsrNo::sip>(0);
    set_timer(kNever);
    say("machine: made ", made, " trapped ", trapped, " errors ", errors);
    say("survived");
}
