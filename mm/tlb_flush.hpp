// SPDX-License-Identifier: MIT
#pragma once
// The TLB invalidation that a change of shadow tables owes, as a value that the caller must discharge.

#include "isa/types.hpp"

namespace uc {

/// One owed invalidation. It concerns entries of guests only (U = 1, G = 0): the hypervisor's own global entries may
/// stay.
struct [[nodiscard]] TlbFlush {
    enum class Kind : u8 {
        None,
        Page,  ///< leaf entries for `va` in every ASID: sfence.vma va, x0
        Asid,  ///< everything of `asid`, pointers included: sfence.vma x0, asid
        All,   ///< everything: sfence.vma x0, x0
    };
    Kind kind = Kind::None;
    bool local = true;   ///< only the hart that asked owes it; else every hart that may hold this guest's entries
    bool fetch = false;  ///< code was written as well, so fence.i too
    u16 asid = 0;        ///< host ASID, for Asid
    Gva va;              ///< for Page

    [[nodiscard]] static constexpr TlbFlush none() { return {}; }
    [[nodiscard]] static constexpr TlbFlush page(Gva va) { return {Kind::Page, false, false, 0, va}; }
    [[nodiscard]] static constexpr TlbFlush local_page(Gva va) { return {Kind::Page, true, false, 0, va}; }
    [[nodiscard]] static constexpr TlbFlush local_asid(u16 asid) { return {Kind::Asid, true, false, asid, {}}; }
    [[nodiscard]] static constexpr TlbFlush all() { return {Kind::All, false, false, 0, {}}; }
    [[nodiscard]] static constexpr TlbFlush all_and_fetch() { return {Kind::All, false, true, 0, {}}; }

    [[nodiscard]] static constexpr TlbFlush local_fetch() { return {Kind::None, true, true, 0, {}}; }
    [[nodiscard]] static constexpr TlbFlush fetch_everywhere() { return {Kind::None, false, true, 0, {}}; }

    /// Whether nothing is owed.
    [[nodiscard]] constexpr bool empty() const { return kind == Kind::None && !fetch; }
    /// Makes this flush cover `other` as well.
    constexpr void merge(const TlbFlush& other) {
        if (other.empty()) return;
        if (empty()) {
            *this = other;
            return;
        }
        const bool both_local = local && other.local;
        const bool either_fetch = fetch || other.fetch;
        if (kind == Kind::None) {
            *this = other;
        } else if (other.kind != Kind::None && (kind != other.kind || va != other.va || asid != other.asid)) {
            *this = all();
        }
        local = both_local;
        fetch = either_fetch;
    }
    friend constexpr bool operator==(const TlbFlush&, const TlbFlush&) = default;
};

/// Discharges flushes in the middle of an operation, where what follows relies on no hart remembering what was before.
class TlbFlusher {
  public:
    /// Returns when what is owed is over on every hart that may hold entries of this guest, the calling one included.
    /// Called under the guest's lock. Others that are in the guest, or on a short exit from it, are out when this
    /// returns, and forget everything, and choose their roots anew, before they go in again.
    virtual void flush_now(const TlbFlush& owed) = 0;

  protected:
    ~TlbFlusher() = default;
};

}  // namespace uc
