// SPDX-License-Identifier: MIT
// Reads, writes and executes wherever a hypervisor might keep itself: virtual addresses all over the space, physical
// ones outside the guest's machine. Each is the fault that an empty place gives; and an address the guest maps is the
// guest's.

#include "guest-images/behaviour/rt/machine.hpp"
#include "guest-images/behaviour/rt/space.hpp"

using namespace uc;
using namespace uc::rt;

SNIPPET(do_load, "ld a1, 0(a0)");
SNIPPET(do_load_byte, "lb a1, 7(a0)");
SNIPPET(do_store, "sd a1, 0(a0)");
SNIPPET(do_amo, "amoor.d a1, x0, (a0)");
SNIPPET(do_jump, "jr a0");

namespace {

u64 touched;

void touch(u64 va, Priv priv, u64 alias, Cause (*fault)(Access)) {
    const auto on = [&](const char* code, Access access, u64 tval) {
        const Frame frame = call(address(code) + alias, priv, {va, 0});
        const bool as_load = code == do_amo && frame.trapped(fault(Access::Load));  // QEMU 7.2
        expect((frame.trapped(fault(access)) || as_load) && frame.tval == tval, "at ", va, ": ",
               Ended{frame, address(code) + alias});
        ++touched;
    };
    on(do_load, Access::Load, va);
    on(do_load_byte, Access::Load, va + 7);
    on(do_store, Access::Store, va);
    on(do_amo, Access::Store, va);
    on(do_jump, Access::Fetch, va);
}

constexpr u64 kLikely[] = {0xffff'fff7'0000'0000, 0xffff'fff0'0000'0000, 0xffff'fffe'0000'0000, 0xffff'ffff'8000'0000,
                           0xffff'ffff'0000'0000, 0xffff'ffff'c000'0000, 0xffff'ffc0'0000'0000, 0xffff'ff80'0000'0000,
                           0xffff'ff00'0000'0000, 0xffff'8000'0000'0000, 0xffff'0000'0000'0000, 0xfff0'0000'0000'0000,
                           0xffe8'0000'0000'0000, 0xffe0'0000'0000'0000, 0xff80'0000'0000'0000, 0xff00'0000'0000'0000,
                           0xfe00'0000'0000'0000, 0x8000'0000'0000'0000, 0x0100'0000'0000'0000, 0x0080'0000'0000'0000,
                           0x0000'8000'0000'0000, 0x0000'4000'0000'0000, 0x0000'0040'0000'0000, 0x0000'0030'0000'0000};

/// Around each likely address, and in every root slot of every mode's geometry.
template <class Body>
void each_address(Body body) {
    for (u64 base : kLikely) {
        for (u64 near : {0 - kGiB, 0 - 2 * kMiB, 0 - kPageSize, u64{0}, kPageSize, 2 * kMiB, kGiB}) body(base + near);
    }
    for (unsigned shift : {30, 39, 48}) {
        for (u64 slot = 0; slot < 512; ++slot) body(sign_extend(slot << shift, shift + 9) + 0x40000000 - kPageSize);
    }
}

bool ours(u64 pa) { return pa < 0x20000000 || (pa >= kRam && pa < ram_end()); }

void physical(u64 alias_va, Space* space) {
    const u64 end = ram_end();
    // The interrupt controller of the host, its ROM, flash, PCI, fw_cfg; its memory behind ours.
    for (u64 pa :
         {u64{0x0}, u64{0x1000}, u64{0x2000000}, u64{0x200bff8}, u64{0x10100000}, u64{0x20000000}, u64{0x30000000},
          u64{0x40000000}, u64{0x7ffff000}, end, end + kPageSize, end + 2 * kMiB, end + 64 * kMiB, end + 128 * kMiB,
          end + kGiB, u64{1} << 40, u64{1} << 55, (u64{1} << 56) - kPageSize}) {
        if (space == nullptr) {
            touch(pa, Priv::S, 0, access_fault);
            touch(pa, Priv::U, 0, access_fault);
            continue;
        }
        for (Priv priv : {Priv::S, Priv::U}) {
            space->map(alias_va, align_down(pa, kPageSize), kRwx | (priv == Priv::U ? kU : 0));
            sfence();
            touch(alias_va + pa % kPageSize, priv, priv == Priv::U ? kUserAlias : 0, access_fault);
        }
    }
}

/// The guest maps pages where the hypervisor might be, and finds its own data there.
void map_over(SatpMode mode) {
    Space space(mode);
    const u64 page = new_page();
    u64 mapped = 0;
    u64 good = 0;
    for (u64 va : kLikely) {
        if (!is_canonical(va, mode)) continue;
        space.map(va, page, kRw);
        space.enter();
        ++mapped;
        const Frame store = call(do_store, Priv::S, {va, va});
        const Frame load = call(do_load, Priv::S, {va});
        good +=
            store.completed() && load.completed() && load.x[a1] == va && *reinterpret_cast<volatile u64*>(page) == va;
        leave_space();
    }
    // On a host with Sv39 alone the hypervisor takes root slots that kernels leave empty.
    say("machine: mapped over ", mapped, " places, found own data in ", good);
    expect(good + 2 >= mapped, "too few places are the guest's");
}

}  // namespace

GUEST(touch_hv) {
    for (Priv priv : {Priv::S, Priv::U}) {
        each_address([&](u64 va) {
            if (!ours(va)) touch(va, priv, 0, access_fault);
        });
    }
    physical(0, nullptr);
    say("Bare: touched ", touched, " times");
    each_mode([](SatpMode mode) {
        touched = 0;
        Space space(mode);
        space.map_snippets();
        space.enter();
        for (Priv priv : {Priv::S, Priv::U}) {
            each_address([&](u64 va) {
                if (va >> 30 != kRam >> 30 && va >> 30 != (kUserAlias + kRam) >> 30)
                    touch(va, priv, priv == Priv::U ? kUserAlias : 0, page_fault);
            });
        }
        physical(0x21'0000'0000, &space);
        leave_space();
        say("touched ", touched, " times");
        map_over(mode);
    });
}
