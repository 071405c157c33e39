// SPDX-License-Identifier: MIT
// Every leaf permission against SUM, MXR and privilege, for load, store and fetch (Privileged 1.12, 4.1.1 and 4.3.2
// step 5).

#include "guest-images/behaviour/rt/space.hpp"

using namespace uc;
using namespace uc::rt;

SNIPPET(do_load, "ld a1, 0(a0)");
SNIPPET(do_store, "sd a1, 0(a0)");
SNIPPET(do_nothing, "nop");  // what a fetch finds on the probed page

namespace {

constexpr u64 kProbe = 0x21'0000'0000;  // the page whose permissions vary

/// The specification, transcribed: whether the access succeeds.
bool allowed(u64 pte, Access access, Priv priv, bool sum, bool mxr) {
    if ((pte & kW) && !(pte & kR)) return false;
    const bool user_page = (pte & kU) != 0;
    if (priv == Priv::U && !user_page) return false;
    if (priv == Priv::S && user_page && (access == Access::Fetch || !sum)) return false;
    if (access == Access::Fetch) return (pte & kX) != 0;
    if (access == Access::Store) return (pte & kW) != 0;
    return (pte & kR) || (mxr && (pte & kX));
}

Frame probe(Access access, Priv priv, u64 status) {
    sfence();  // QEMU 7.2 lets a fetch hit what a load under SUM brought into its TLB
    const u64 load = priv == Priv::U ? user(do_load) : address(do_load);
    const u64 store = priv == Priv::U ? user(do_store) : address(do_store);
    switch (access) {
        case Access::Load: return call(load, priv, {kProbe}, status);
        case Access::Store: return call(store, priv, {kProbe, 0}, status);
        case Access::Fetch: break;
    }
    return call(kProbe | (address(do_nothing) & 0xfff), priv, {}, status);
}

const char* name(Access access) {
    return access == Access::Fetch ? "fetch" : access == Access::Load ? "load" : "store";
}

}  // namespace

GUEST(sum_mxr) {
    each_mode([](SatpMode mode) {
        Space space(mode);
        space.map_snippets();
        const u64 page = new_page();
        for (unsigned i = 0; i < 4096; ++i)
            reinterpret_cast<u8*>(page)[i] = do_nothing[i - (address(do_nothing) & 0xfff)];
        volatile u64& pte = space.entry(kProbe);
        space.enter();
        for (u64 perm = 1; perm < 16; ++perm) {  // R W X U in all mixtures
            const u64 flags = (perm & 7) << 1 | (perm & 8) << 1;
            if ((flags & (kR | kW | kX)) == 0) continue;  // not a leaf
            pte = make_pte(page, flags | kV | kA | kD);
            sfence();
            for (Priv priv : {Priv::S, Priv::U}) {
                u64 results = 0;
                for (u64 status = 0; status < 4; ++status) {
                    const bool sum = status & 1;
                    const bool mxr = status & 2;
                    for (Access access : {Access::Load, Access::Store, Access::Fetch}) {
                        const u64 bits = (sum ? Sstatus::SUM.mask : 0) | (mxr ? Sstatus::MXR.mask : 0);
                        const Frame f = probe(access, priv, bits);
                        results = results << 1 | (f.completed() ? 1 : 0);
                        const bool good = allowed(flags, access, priv, sum, mxr);
                        const u64 va = access == Access::Fetch ? kProbe | (address(do_nothing) & 0xfff) : kProbe;
                        expect(good ? f.completed() : f.trapped(page_fault(access)) && f.tval == va, name(access),
                               " perm ", flags, " priv ", static_cast<u64>(priv), " sum ", sum, " mxr ", mxr, " cause ",
                               f.cause, " tval ", f.tval);
                    }
                }
                // Twelve bits: SUM,MXR = 00 10 01 11 from the left, each load store fetch.
                say("perm ", flags, priv == Priv::U ? " U " : " S ", results);
            }
        }
    });
}
