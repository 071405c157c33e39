// SPDX-License-Identifier: MIT
// Page tables in places that are no memory: tables at every level in holes, devices, beyond RAM, at the largest PPN;
// satp in modes that do not exist. The guest's own root stays good, so it can tell; satp_hole, satp_device and
// satp_empty give that up.

#include "guest-images/behaviour/rt/machine.hpp"
#include "guest-images/behaviour/rt/space.hpp"

using namespace uc;
using namespace uc::rt;

SNIPPET(do_load, "ld a1, 0(a0)");
SNIPPET(do_store, "sd a1, 0(a0)");
SNIPPET(do_jump, "jr a0");

GUEST(satp_wild) {
    const u64 end = ram_end();
    const u64 places[] = {0,          0x1000, 0x2000000,  0xc000000,  0x10000000, 0x10001000, 0x18000000,
                          0x7ffff000, end,    end + kMiB, end + kGiB, 1ull << 40, 1ull << 55, (1ull << 56) - kPageSize};
    each_mode([&](SatpMode mode) {
        const u64 va = 1ull << (va_bits(mode) - 2);
        for (unsigned level = 1; level < levels(mode); ++level) {
            Space space(mode);
            space.enter();
            volatile u64& pte = space.entry(va, level);
            for (u64 place : places) {
                pte = make_pte(place, kTable);
                sfence();
                const Frame frames[] = {call(do_jump, Priv::S, {va}), call(do_load, Priv::S, {va}),
                                        call(do_store, Priv::S, {va})};
                constexpr Access kAccess[] = {Access::Fetch, Access::Load, Access::Store};
                for (unsigned i = 0; i < 3; ++i)
                    // What a device's registers say when read as entries is anybody's guess; that it is a fault is not.
                    expect(frames[i].trapped(access_fault(kAccess[i])) || frames[i].trapped(page_fault(kAccess[i])),
                           "table at ", place, " level ", level, " cause ", frames[i].cause);
            }
            // The last page of RAM is memory like any other; its content is not ours to know, so clear it.
            for (unsigned i = 0; i < kPtesPerTable && end <= kRam + kGiB; ++i)
                reinterpret_cast<volatile u64*>(end - kPageSize)[i] = 0;
            pte = make_pte(end - kPageSize, kTable);
            sfence();
            const Frame frame = call(do_load, Priv::S, {va});
            expect(frame.trapped(Cause::LoadPageFault), "table in the last page");
            leave_space();
            say("level ", level, ": survived");
        }
    });
    for (u64 mode : {1ull, 2ull, 7ull, 11ull, 14ull, 15ull}) {
        csr_write<CsrNo::satp>(mode << 60 | ((1ull << 60) - 1));
        expect(csr_read<CsrNo::satp>() == 0, "reserved mode ", mode);
    }
    say("reserved modes: survived");
}
