// SPDX-License-Identifier: MIT
// Accessed and dirty: either the hart sets them or the access faults (Privileged 1.12, 4.3.1). Whichever it is, the
// entry afterwards must agree, and nothing else in it may change.

#include "guest-images/behaviour/rt/space.hpp"

using namespace uc;
using namespace uc::rt;

SNIPPET(do_load, "ld a1, 0(a0)");
SNIPPET(do_store, "sd a1, 0(a0)");
SNIPPET(do_amo, "amoor.d a1, x0, (a0)");
SNIPPET(do_lr, "lr.d a1, (a0)");
SNIPPET(do_jump, "jr a0");

namespace {

constexpr u64 kEbreaks = static_cast<u64>(kEbreak) << 32 | kEbreak;
u64 page;  // filled with ebreaks, by the stores too: a fetch from it "completes"

struct Way {
    const char* name;
    const char* code;
    Access access;
};
const Way kWays[] = {{"load", do_load, Access::Load},
                     {"store", do_store, Access::Store},
                     {"amo", do_amo, Access::Store},
                     {"lr", do_lr, Access::Load},
                     {"fetch", do_jump, Access::Fetch}};

void probe(volatile u64& pte, unsigned level, u64 va, u64 flags, Priv priv, const Way& way) {
    const u64 before = make_pte(align_down(page, level_size(level)), flags);
    pte = before;
    sfence();
    const u64 alias = priv == Priv::U ? kUserAlias : 0;
    const Frame frame = call(address(way.code) + alias, priv, {va, kEbreaks});
    const u64 after = pte;
    const u64 needed = kA | (way.access == Access::Store ? kD : 0);
    const bool permitted = way.access != Access::Store || (flags & kW) != 0;
    {
        // QEMU 7.2 looks an AMO's page up as a load first: it sets A before it finds that writing is not allowed, and
        // when A is clear on a machine that faults, it reports a load page fault.
        MachineLines mark(way.code == do_amo && !permitted);
        say("level ", level, priv == Priv::U ? " U " : " S ", way.name, " A ", flags >> 6 & 1, " D ", flags >> 7 & 1,
            " W ", flags >> 2 & 1, ": cause ", frame.cause, " A ", after >> 6 & 1, " D ", after >> 7 & 1);
    }
    if (frame.completed()) {
        expect(permitted && after == (before | needed), "entry ", before, " became ", after);
    } else {
        // A may be set by speculation, D may not.
        expect(frame.trapped(page_fault(way.access)) && frame.tval == va && (after & ~kA) == (before & ~kA), "cause ",
               frame.cause, " entry ", before, " became ", after);
        expect(!permitted || (flags & needed) != needed, "fault without a reason");
    }
}

}  // namespace

GUEST(ad_bits) {
    page = new_page();
    for (unsigned i = 0; i < 1024; ++i) reinterpret_cast<volatile u32*>(page)[i] = kEbreak;
    fence_i();
    each_mode([](SatpMode mode) {
        for (unsigned level = 0; level < levels(mode); ++level) {
            Space space(mode);
            space.map_snippets();
            const u64 va = (level <= 2 ? 1ull << 36 : level_size(level)) + page;
            volatile u64& pte = space.entry(va, level);
            space.enter();
            for (Priv priv : {Priv::S, Priv::U}) {
                const u64 base = kV | kR | kX | (priv == Priv::U ? kU : 0);
                for (u64 flags :
                     {base, base | kW, base | kW | kA, base | kW | kA | kD, base | kA, base | kD, base | kW | kD})
                    for (const Way& way : kWays) probe(pte, level, va, flags, priv, way);
            }
            // First a load, then a store through the same TLB entry: the store must still set D.
            pte = make_pte(align_down(page, level_size(level)), kV | kR | kW);
            sfence();
            const Frame load = call(do_load, Priv::S, {va});
            const u64 between = pte;
            const Frame store = call(do_store, Priv::S, {va, kEbreaks});
            say("level ", level, " load then store: ", load.cause, " ", between >> 6 & 3, " ", store.cause, " ",
                pte >> 6 & 3);
            // Clearing D without a fence leaves either answer; with one, the next store sets it again.
            pte = pte & ~kD;
            sfence();
            const Frame again = call(do_store, Priv::S, {va, kEbreaks});
            say("level ", level, " D cleared, store: ", again.cause, " ", pte >> 6 & 3);
            leave_space();
        }
    });
}
