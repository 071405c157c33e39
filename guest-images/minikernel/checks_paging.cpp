// SPDX-License-Identifier: MIT
// Address translation and protection (Privileged 1.12, 4.2 to 4.6).

#include "guest-images/minikernel/address_space.hpp"
#include "guest-images/minikernel/checks.hpp"
#include "guest-images/minikernel/console.hpp"
#include "guest-images/minikernel/csr.hpp"
#include "guest-images/minikernel/frames.hpp"
#include "guest-images/minikernel/trap.hpp"

namespace uc::mini {

namespace {

constexpr Va kPage{0x4000'0000};
constexpr u32 kRet = 0x0000'8082;  ///< c.jr ra
constexpr u64 kWord = 0x0123'4567'89ab'cdef;

/// An address space that is active while it exists, with ways to change single entries behind its back.
class Scratch {
  public:
    explicit Scratch(u64 asid = paging.max_asid) {
        if (!space_.create(asid)) panic("no memory for a check");
        space_.activate();
    }
    ~Scratch() {
        csr_write<CsrNo::satp>(satp_of(paging.kernel_root, 0).raw);
        space_.destroy();
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

    /// Maps a fresh page that starts with `word`. Returns its frame.
    Pa map(Va va, u64 flags, u64 word) {
        const auto frame = frames::allocate();
        if (!frame || !space_.map(va, *frame, flags)) panic("no memory for a check");
        *direct<u64>(*frame) = word;
        fence_i();
        return *frame;
    }
    [[nodiscard]] Pte& entry(Va va, unsigned level = 0) const { return *walk(space_.root(), va, level, true); }
    void change(Va va, Pte pte, unsigned level = 0) {
        entry(va, level) = pte;
        sfence_all();
    }
    void activate() const { space_.activate(); }

  private:
    AddressSpace space_;
};

struct Outcome {
    Caught trap;
    u64 pc = 0;     ///< of the instruction that made the access
    u64 value = 0;  ///< what a load returned
};

Outcome load(Va va) {
    Outcome o;
    o.trap = catch_trap([&] {
        asm volatile("lla %1, 1f\n1: ld %0, (%2)" : "+&r"(o.value), "=&r"(o.pc) : "r"(va.raw) : "memory");
    });
    return o;
}

Outcome store(Va va, u64 value) {
    Outcome o;
    o.trap = catch_trap([&] {
        asm volatile("lla %0, 1f\n1: sd %1, (%2)" : "=&r"(o.pc) : "r"(value), "r"(va.raw) : "memory");
    });
    return o;
}

/// Calls `va`, where there should be a `ret`.
Outcome fetch(Va va) {
    Outcome o;
    o.pc = va.raw;
    o.trap = catch_trap([&] { asm volatile("jalr ra, (%0)" ::"r"(va.raw) : "ra", "memory"); });
    return o;
}

Outcome access(Va va, Access kind) {
    return kind == Access::Fetch ? fetch(va) : kind == Access::Load ? load(va) : store(va, 1);
}

void expect_fault(Check& c, std::string_view what, Va va, Access kind) {
    const Outcome o = access(va, kind);
    c.that(o.trap.trapped, what);
    c.equal(what, o.trap.cause.raw, Scause::of(page_fault(kind)).raw);
    c.equal(what, o.trap.tval, va.raw);
    c.equal(what, o.trap.pc, o.pc);
}

void expect_allowed(Check& c, std::string_view what, Va va, Access kind) {
    const Outcome o = access(va, kind);
    c.equal(what, o.trap.trapped ? o.trap.cause.raw : 0, 0);
}

void expect_all_fault(Check& c, std::string_view what, Va va) {
    for (const Access kind : {Access::Fetch, Access::Load, Access::Store}) expect_fault(c, what, va, kind);
}

class StatusBit {  ///< an sstatus bit that is set in a scope
  public:
    explicit StatusBit(u64 mask) : mask_(mask) { csr_set<CsrNo::sstatus>(mask_); }
    ~StatusBit() { csr_clear<CsrNo::sstatus>(mask_); }
    StatusBit(const StatusBit&) = delete;
    StatusBit& operator=(const StatusBit&) = delete;

  private:
    u64 mask_;
};

void kernel_is_write_xor_execute(Check& c) {
    const Va text = virtual_of(kernel_start), rodata = virtual_of(kernel_rodata), data = virtual_of(kernel_data);
    expect_allowed(c, "text: load", text, Access::Load);
    expect_fault(c, "text: store", text, Access::Store);
    expect_fault(c, "rodata: store", rodata, Access::Store);
    expect_fault(c, "rodata: fetch", rodata, Access::Fetch);
    expect_fault(c, "data: fetch", data, Access::Fetch);
}

void unmapped_addresses_fault(Check& c) {
    const Scratch scratch;
    expect_all_fault(c, "page 0", Va{0});
    expect_all_fault(c, "user half", kPage + 0x123'4568);
    expect_all_fault(c, "kernel half", Va{~0ull - 7});
    const Va hole = user_end();  // the first address that is not the sign extension of its low bits (4.4.1)
    expect_all_fault(c, "not canonical", hole);
    expect_all_fault(c, "not canonical, high", Va{hole.raw | 1ull << 63});
}

void sum_guards_user_pages(Check& c) {
    Scratch scratch;
    const Pa frame = scratch.map(kPage, kRead | kWrite | kExecute, kRet);
    expect_fault(c, "SUM = 0: load", kPage, Access::Load);
    expect_fault(c, "SUM = 0: store", kPage, Access::Store);
    expect_fault(c, "SUM = 0: fetch", kPage, Access::Fetch);
    const StatusBit sum(Sstatus::SUM.mask);
    // Fetch first: QEMU 7.2 lets the TLB entry of an allowed load serve a fetch as well.
    expect_fault(c, "SUM = 1: fetch", kPage, Access::Fetch);
    c.equal("SUM = 1: load", load(kPage).value, kRet);
    c.that(!store(kPage, kWord).trap.trapped, "SUM = 1: store");
    c.equal("SUM = 1: stored", *direct<volatile u64>(frame), kWord);
}

void mxr_makes_executable_readable(Check& c) {
    Scratch scratch;
    scratch.map(kPage, kExecute, kWord);
    const StatusBit sum(Sstatus::SUM.mask);
    expect_fault(c, "MXR = 0: load", kPage, Access::Load);
    const StatusBit mxr(Sstatus::MXR.mask);
    c.equal("MXR = 1: load", load(kPage).value, kWord);
    expect_fault(c, "MXR = 1: store", kPage, Access::Store);
}

/// A and D are either set by the hart or asked for by a page fault (4.3.1, and the Svade extension): both are right,
/// silence is not.
void accessed_and_dirty(Check& c) {
    Scratch scratch;
    const Pa frame = scratch.map(kPage, 0, kWord);
    const u64 clean = Pte::V.mask | Pte::R.mask | Pte::W.mask;
    const auto check = [&](std::string_view what, u64 before, u64 bit, Access kind) {
        scratch.change(kPage, pte_of(frame, before));
        const bool trapped = access(kPage, kind).trap.trapped;
        const bool set = (scratch.entry(kPage).raw & bit) != 0;
        c.that(trapped != set, what);
        return trapped;
    };
    const bool load_faults = check("A by load", clean, Pte::A.mask, Access::Load);
    const bool store_faults = check("D by store", clean | Pte::A.mask, Pte::D.mask, Access::Store);
    c.equal("A and D alike", load_faults, store_faults);
    scratch.change(kPage, pte_of(frame, clean | Pte::A.mask | Pte::D.mask));
    expect_allowed(c, "both set", kPage, Access::Store);
}

void reserved_entries_fault(Check& c) {
    Scratch scratch;
    const Pa frame = scratch.map(kPage, 0, kRet);
    const u64 good = Pte::V.mask | Pte::R.mask | Pte::W.mask | Pte::X.mask | Pte::A.mask | Pte::D.mask;
    const auto faults = [&](std::string_view what, u64 flags) {
        scratch.change(kPage, pte_of(frame, flags));
        expect_all_fault(c, what, kPage);
    };
    faults("V = 0", good & ~Pte::V.mask);
    faults("W without R", good & ~(Pte::R.mask | Pte::X.mask));
    faults("W and X without R", good & ~Pte::R.mask);
    faults("pointer at level 0", Pte::V.mask);
    faults("reserved bit", good | 1ull << 54);
    scratch.change(kPage, pte_of(frame, good));
    expect_allowed(c, "good entry", kPage, Access::Fetch);
    expect_allowed(c, "good entry", kPage, Access::Store);
}

void superpages(Check& c) {
    Scratch scratch;
    const u64 flags = kKernel | kRead;
    const Pa first{align_down(physical(kernel_start).raw, level_size(1))};
    // The kernel's image through another address; what is around it is mapped, but not touched.
    const Va window = kPage + level_size(1);
    scratch.change(window, pte_of(first, flags & ~Pte::G.mask), 1);
    const u64 offset = physical(kernel_rodata) - first;
    c.equal("2 MiB page", load(window + offset).value, *reinterpret_cast<const u64*>(kernel_rodata));
    expect_fault(c, "2 MiB page: store", window + offset, Access::Store);
    scratch.change(window, pte_of(first + kPageSize, flags), 1);
    expect_fault(c, "misaligned", window + offset, Access::Load);
    scratch.change(window, Pte{}, 1);
}

void fences_make_changes_visible(Check& c) {
    Scratch scratch;
    const StatusBit sum(Sstatus::SUM.mask);
    scratch.map(kPage, kRead | kWrite, 1);
    const auto other = frames::allocate();
    if (!other) panic("no memory for a check");
    *direct<u64>(*other) = 2;
    const Pte first = scratch.entry(kPage);
    const Pte second = pte_of(*other, kUser | kRead);
    const auto remap = [&](Pte pte, auto fence, u64 value, std::string_view what) {
        scratch.entry(kPage) = pte;
        fence();
        c.equal(what, load(kPage).value, value);
    };
    c.equal("first", load(kPage).value, 1);
    remap(second, [] { sfence_address(kPage); }, 2, "by address");
    remap(first, [] { sfence_asid(paging.max_asid); }, 1, "by ASID");
    remap(second, [] { sfence_address_asid(kPage, paging.max_asid); }, 2, "by address and ASID");
    remap(first, [] { sfence_all(); }, 1, "all");
    scratch.entry(kPage) = second;
    sfence_address(kPage);
    expect_fault(c, "write permission gone", kPage, Access::Store);
    scratch.change(kPage, Pte{});
    expect_fault(c, "mapping gone", kPage, Access::Load);
    scratch.change(kPage, first);
    frames::release(*other);
}

void spaces_are_apart(Check& c) {
    if (paging.max_asid < 2) return;
    const StatusBit sum(Sstatus::SUM.mask);
    Scratch one(1), two(2);
    one.map(kPage, kRead, 1);
    two.map(kPage, kRead, 2);
    one.map(kPage + kPageSize, kRead, 3);
    for (int round = 0; round < 3; ++round) {
        one.activate();
        c.equal("space 1", load(kPage).value, 1);
        c.equal("space 1 alone", load(kPage + kPageSize).value, 3);
        two.activate();
        c.equal("space 2", load(kPage).value, 2);
        expect_fault(c, "not in space 2", kPage + kPageSize, Access::Load);
    }
}

constexpr NamedCheck kChecks[] = {
    {"paging-kernel-wx", kernel_is_write_xor_execute},
    {"paging-unmapped", unmapped_addresses_fault},
    {"paging-sum", sum_guards_user_pages},
    {"paging-mxr", mxr_makes_executable_readable},
    {"paging-accessed-dirty", accessed_and_dirty},
    {"paging-reserved", reserved_entries_fault},
    {"paging-superpages", superpages},
    {"paging-fences", fences_make_changes_visible},
    {"paging-asids", spaces_are_apart},
};

}  // namespace

std::span<const NamedCheck> paging_checks() { return kChecks; }

}  // namespace uc::mini
