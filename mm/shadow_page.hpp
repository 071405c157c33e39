// SPDX-License-Identifier: MIT
#pragma once
// What a shadow page is: its key and its bookkeeping.

#include "mm/shadow_policy.hpp"

namespace uc {

/// Number of a shadow page: the number of its frame in the pool.
inline constexpr u32 kNoPage = ~0u;
/// Number of an entry: page * 512 + index.
inline constexpr u32 kNoSlot = ~0u;

/// Which part of a guest's root table a shadow page shows. Where the host has more levels than the guest, the two
/// halves of the guest's root hang in different places of the host's, so that addresses which are not canonical for the
/// guest lead nowhere.
enum class Half : u8 {
    None,  ///< not a root table
    Low,   ///< entries 0..255
    High,  ///< entries 256..511
    Full,  ///< the guest's root is the host's root
};

enum class PageKind : u8 {
    Table,    ///< shows the guest table in `frame`
    Wrapper,  ///< a level above the guest's root; `frame` is that root's
    Direct,   ///< maps guest-physical memory from `frame` on with fixed rights: pieces of a superpage, and Bare mode
};

/// Everything that the content of a shadow page depends on; two pages with one key would be the same page.
struct PageKey : Reg<PageKey> {
    static constexpr Field<PageKey, 0, 3> Level{};
    static constexpr Field<PageKey, 3, 2> Kind{};
    static constexpr Field<PageKey, 5, 2> View{};    // Table, Wrapper
    static constexpr Field<PageKey, 7> Mxr{};        // Table, Wrapper
    static constexpr Field<PageKey, 8, 2> HalfOf{};  // Table, Wrapper
    static constexpr Field<PageKey, 10, 4> Mode{};   // Table, Wrapper: the guest's satp.MODE
    static constexpr Field<PageKey, 5, 3> Rights{};  // Direct: R, W, X
    static constexpr Field<PageKey, 8, 2> Pbmt{};    // Direct
    static constexpr Field<PageKey, 10> User{};      // Direct: part of a user's view
    static constexpr Field<PageKey, 16, 44> Frame{};

    [[nodiscard]] static constexpr PageKey direct(Gpa base, unsigned level, u64 rights, u64 pbmt, ViewKind view) {
        PageKey key;
        return key.set(Level, level)
            .set(Kind, static_cast<u64>(PageKind::Direct))
            .set(Rights, rights >> Pte::R.lsb)
            .set(Pbmt, pbmt >> Pte::PBMT.lsb)
            .set(User, view == ViewKind::User)
            .set(Frame, base.frame());
    }
    [[nodiscard]] constexpr unsigned level() const { return static_cast<unsigned>(get(Level)); }
    [[nodiscard]] constexpr PageKind kind() const { return static_cast<PageKind>(get(Kind)); }
    [[nodiscard]] constexpr u64 frame() const { return get(Frame); }
    [[nodiscard]] constexpr Gpa base() const { return Gpa{get(Frame) << kPageShift}; }
    [[nodiscard]] constexpr ViewKind view() const { return static_cast<ViewKind>(get(View)); }
    [[nodiscard]] constexpr bool mxr() const { return get(Mxr) != 0; }
    /// Whether a user's view: there code is executed as it is.
    [[nodiscard]] constexpr bool is_user() const {
        return kind() == PageKind::Direct ? get(User) != 0 : view() == ViewKind::User;
    }
    [[nodiscard]] constexpr Half half() const { return static_cast<Half>(get(HalfOf)); }
    /// R, W, X where a PTE has them; of Direct pages.
    [[nodiscard]] constexpr u64 rights() const { return get(Rights) << Pte::R.lsb; }
    /// Bits 62:61 where a PTE has them; of Direct pages.
    [[nodiscard]] constexpr u64 pbmt() const { return get(Pbmt) << Pte::PBMT.lsb; }
};

/// Bookkeeping of one shadow page, beside the frame that hardware reads.
struct ShadowPage {
    PageKey key;
    Gva va;  ///< first address of the region it translates where it is linked, cut to the host's address bits
    u32 parents = kNoSlot;  ///< slots that point here: first of a chain
    u32 next = kNoPage;     ///< other pages of the same frame
    u32 prev = kNoPage;
    u32 unsync_next = kNoPage;  ///< other pages of the same unsynchronised bucket
    u32 unsync_prev = kNoPage;
    u32 asid_generation = 0;  ///< of a root: when `asid` was taken
    u16 asid = 0;
    u16 present = 0;        ///< entries that are not empty, the window's aside
    u8 bucket = 0;          ///< where it is listed while out of step
    u64 unsync_region = 0;  ///< ShadowTables::region_of its `va`, likewise
    bool in_use = false;
    bool unsync = false;      ///< the table may differ from what the page shows: listed in a bucket
    bool open = false;        ///< the guest can store to the table unseen; implies unsync
    bool referenced = false;  ///< used since the clock last passed
    bool pinned = false;      ///< on the path being filled
};

}  // namespace uc
