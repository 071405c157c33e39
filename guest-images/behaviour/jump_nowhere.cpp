// SPDX-License-Identifier: MIT
// Jumps to where no code can be: outside memory, odd, not canonical, at the ends of the address space.

#include "guest-images/behaviour/rt/machine.hpp"
#include "guest-images/behaviour/rt/space.hpp"

using namespace uc;
using namespace uc::rt;

SNIPPET(do_jump, "jalr ra, 0(a0)");
SNIPPET(do_branch_back, "mv t0, a0\nmv t1, a0\n1: jr t0");

namespace {

void jump(u64 target, Priv priv, u64 alias, Cause want) {
    for (const char* code : {do_jump, do_branch_back}) {
        const Frame frame = call(address(code) + alias, priv, {target});
        const u64 pc = target & ~1ull;  // jalr clears bit 0
        expect(frame.trapped(want) && frame.tval == pc && frame.pc == pc, "jump to ", target, ": ", Ended{frame, 0});
    }
}

constexpr u64 kTargets[] = {0,
                            1,
                            2,
                            0x1000,
                            0x18000000,
                            0x7ffffffe,
                            0xffffffff,
                            0x100000000,
                            1ull << 37,
                            1ull << 38,
                            1ull << 39,
                            (1ull << 47) - 2,
                            1ull << 47,
                            1ull << 55,
                            1ull << 56,
                            1ull << 62,
                            1ull << 63,
                            0xff00'0000'0000'0000,
                            0xffff'8000'0000'0000,
                            0xffff'ffc0'0000'0000,
                            0xffff'fff7'0000'0000,
                            0xffff'ffff'8000'0000,
                            0xffff'ffff'ffff'f000,
                            0xffff'ffff'ffff'fffe,
                            0xdead'beef'dead'beef};

}  // namespace

GUEST(jump_nowhere) {
    for (Priv priv : {Priv::S, Priv::U}) {
        for (u64 target : kTargets) jump(target, priv, 0, Cause::FetchAccess);
        jump(ram_end(), priv, 0, Cause::FetchAccess);
    }
    say("Bare: survived");
    each_mode([](SatpMode mode) {
        Space space(mode);
        space.map_snippets();
        space.enter();
        for (Priv priv : {Priv::S, Priv::U})
            for (u64 target : kTargets) jump(target, priv, priv == Priv::U ? kUserAlias : 0, Cause::FetchPageFault);
    });
}
