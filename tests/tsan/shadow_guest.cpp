// SPDX-License-Identifier: MIT
#include "tests/tsan/shadow_guest.hpp"

namespace uc::stress {

namespace {

constexpr u64 kUserPage = 0xd7, kKernelPage = 0xc7, kKernelCode = 0xcb, kUserCode = 0xdb;
// Of each table's frame.
constexpr unsigned kRoots = 0, kShared = 4, kLinear = 5, kLeaves = 6, kCode = 7, kPrivate = 8, kBelow = 16,
                   kPointed = 24;
constexpr u64 kDataPages = 512;  // of the guest's memory, from here on: data
constexpr u64 kTextPages = 8;    // from here on: code
constexpr Gva kSites{0}, kTexts{2 * kMiB}, kPointers{8 * kMiB}, kPrivates{kGiB};
constexpr u64 kAliases = 16 * kPageSize, kUserTexts = 32 * kPageSize;  // behind kTexts

}  // namespace

void ShadowGuest::poke(Gpa gpa, u64 value) {
    __atomic_store_n(reinterpret_cast<u64*>(m_.memory(kGuestHost + (gpa - kGuestBase))), value, __ATOMIC_RELAXED);
}

void ShadowGuest::add_site(Site& site, Gva va, Gpa pte, bool user, std::optional<unsigned> space) {
    site.va = va;
    site.pte = pte;
    site.user = user;
    site.space = space;
    site.number = static_cast<unsigned>(&site - sites_.data());
    poke(pte, entry_of(site, 0));
}

ShadowGuest::ShadowGuest(ShadowMachine& machine, const ShadowScenario& scenario, std::atomic<u64>& operations)
    : m_(machine), scenario_(scenario), operations_(operations) {
    for (unsigned s = 0; s < kSpaces; ++s) {
        poke(table(kRoots + s), leaf(table(kShared), 1));
        poke(table(kRoots + s) + 8, leaf(table(kPrivate + s), 1));
        poke(table(kRoots + s) + 16, leaf(table(kLinear), 1));  // memory is where it is
        poke(table(kPrivate + s), leaf(table(kBelow + s), 1));
    }
    for (unsigned i = 0; i < 2; ++i) poke(table(kLinear) + i * 8, leaf(kGuestBase + i * 2 * kMiB, kKernelPage));
    poke(table(kShared), leaf(table(kLeaves), 1));
    poke(table(kShared) + 8, leaf(table(kCode), 1));

    Site* site = sites_.data();
    for (unsigned i = 0; i < kLeafSites; ++i) {
        add_site(*site++, kSites + i * kPageSize, table(kLeaves) + i * 8, i % 2 != 0);
    }
    for (unsigned i = 0; i < kPointerSites; ++i) {
        site->pointer = true;
        add_site(*site, kPointers + i * 2 * kMiB, table(kShared) + (4 + i) * 8, i % 2 != 0);
        for (u64 k = 0; k + 1 < kPagesPerSite; ++k) {
            poke(table(static_cast<unsigned>(kPointed + i * kPagesPerSite + k)),
                 leaf(*page_of(*site, k), site->user ? kUserPage : kKernelPage));
        }
        ++site;
    }
    for (unsigned s = 0; s < kSpaces; ++s) {
        for (unsigned i = 0; i < kPrivateSites; ++i) {
            add_site(*site++, kPrivates + i * kPageSize, table(kBelow + s) + i * 8, i % 2 != 0, s);
        }
    }
    for (unsigned p = 0; p < kCodePages; ++p) {
        const Gpa page = kGuestBase + (kTextPages + p) * kPageSize;
        poke(table(kCode) + p * 8, leaf(page, kKernelCode));
        poke(table(kCode) + kAliases / kPageSize * 8 + p * 8, leaf(page, kKernelPage));
        poke(table(kCode) + kUserTexts / kPageSize * 8 + p * 8, leaf(page, kUserCode));
        for (unsigned w = 0; w < kWords; ++w) {
            Word& word = words_[p * kWords + w];
            word.page = p;
            word.offset = 0x100 + w * kNearCode;  // every other one is not aligned
            const u32 insn = insn_of(word, 0);
            std::memcpy(m_.memory(kGuestHost + (page - kGuestBase) + word.offset), &insn, sizeof insn);
        }
    }
}

// What things are in each version.

std::optional<Gpa> ShadowGuest::page_of(const Site& site, u64 version) const {
    const u64 k = version % kPagesPerSite;
    if (k + 1 == kPagesPerSite) return std::nullopt;
    return kGuestBase + (kDataPages + site.number * kPagesPerSite + k) * kPageSize;
}

u64 ShadowGuest::entry_of(const Site& site, u64 version) const {
    const auto page = page_of(site, version);
    if (!page) return 0;
    if (site.pointer) {
        const unsigned first = kPointed + (site.number - kLeafSites) * kPagesPerSite;
        return leaf(table(static_cast<unsigned>(first + version % kPagesPerSite)), 1);
    }
    // Not always accessed and dirty: then walks write the entry.
    const u64 flags = site.user ? kUserPage : kKernelPage;
    return leaf(*page, version % 3 == 0 ? flags & ~0xc0ull : flags);
}

/// csrrw with a destination and a CSR by which the version shows in each half. Neither half is one of an ecall, and no
/// half of one with one of an ecall is an instruction.
u32 ShadowGuest::insn_of(const Word& word, u64 version) {
    const u64 n = version + word.page * 5;  // pages that are alike would hide it when one is taken for another
    return static_cast<u32>((0x140 + n % 16) << 20 | 1 << 12 | (1 + n % 31) << 7 | 0x73);
}

// What vCPUs do.

void ShadowGuest::become(ShadowHart& hart, Priv priv, bool sum) {
    Shadow::View view = hart.cpu().view;
    view.priv = priv;
    view.sum = sum;
    hart.set_view(view);
}

void ShadowGuest::change_space(ShadowHart& hart) {
    auto& random = hart.cpu().random;
    Shadow::View view = hart.cpu().view;
    const unsigned space = random() % kSpaces;
    // Some share an ASID, and have to fence it.
    const bool shared = random() % 8 == 0;
    const u16 asid = static_cast<u16>(shared ? kSpaces + 1 : space + 1);
    view.satp = Satp{}.set(Satp::MODE, 8).set(Satp::ASID, asid).set(Satp::PPN, table(kRoots + space).frame());
    view.mxr = random() % 4 == 0;
    hart.set_view(view);
    if (shared) hart.fence(std::nullopt, asid);
}

void ShadowGuest::store(ShadowHart& hart, Gva va, u64 value, unsigned size) {
    const auto hpa = hart.access(va, Access::Store);
    if (!hpa) fail("the kernel cannot store to its memory");
    if (hart.cpu().random() % 8 == 0) std::this_thread::yield();  // the hart is in the guest
    std::byte* const at = m_.memory(*hpa);
    if (size == 8) __atomic_store_n(reinterpret_cast<u64*>(at), value, __ATOMIC_RELAXED);
    if (size == 4) __atomic_store_n(reinterpret_cast<u32*>(at), static_cast<u32>(value), __ATOMIC_RELAXED);
    if (size == 2) __atomic_store_n(reinterpret_cast<u16*>(at), static_cast<u16>(value), __ATOMIC_RELAXED);
}

void ShadowGuest::change(ShadowHart& hart, Site& site) {
    if (site.versions.busy.exchange(true)) return;
    auto& random = hart.cpu().random;
    become(hart, Priv::S);
    // Sometimes several, of which the last counts.
    for (auto n = random() % 3 + 1; n != 0; --n) {
        const u64 version = site.versions.begun.load() + 1;
        site.versions.begun.store(version);
        store(hart, Gva{site.pte.raw}, entry_of(site, version), 8);
    }
    const u64 version = site.versions.begun.load();
    std::optional<Gva> va;
    if (!site.pointer && random() % 4 != 0) va = site.va;
    std::optional<u16> asid;
    const bool some = random() % 4 == 0;  // space only: the entry may be known under another ASID
    if (some && site.space) asid = static_cast<u16>(*site.space + 1);
    hart.fence(va, asid);
    if (!asid) site.versions.fenced.store(version);
    site.versions.busy.store(false);
}

void ShadowGuest::look(ShadowHart& hart, Site& site) {
    auto& random = hart.cpu().random;
    const u64 space = hart.cpu().view.satp.get(Satp::PPN) - table(kRoots).frame();
    if (site.space && *site.space != space) return;
    if (site.user) {
        random() % 2 == 0 ? become(hart, Priv::U) : become(hart, Priv::S, true);
    } else {
        become(hart, Priv::S, random() % 2 != 0);
    }
    for (auto n = random() % 4 + 1; n != 0; --n) {
        const u64 fenced = site.versions.fenced.load();
        const auto hpa = hart.access(site.va, random() % 2 == 0 ? Access::Load : Access::Store);
        const bool allowed = site.versions.allow(fenced, [&](u64 version) {
            const auto page = page_of(site, version);
            return page ? hpa && kGuestBase + (*hpa - kGuestHost) == *page : !hpa;
        });
        if (!allowed) fail("a hart translates by what was fenced");
    }
}

void ShadowGuest::check(const Word& word, u64 fenced, u32 insn, const char* what) const {
    const bool low = word.versions.allow(fenced, [&](u64 v) { return (insn_of(word, v) & 0xffff) == (insn & 0xffff); });
    const bool high = word.versions.allow(fenced, [&](u64 v) { return insn_of(word, v) >> 16 == insn >> 16; });
    if (!low || !high) fail(std::string("a hart ") + what + " what is not there any more");
}

void ShadowGuest::write_code(ShadowHart& hart, Word& word) {
    if (word.versions.busy.exchange(true)) return;
    become(hart, Priv::S);
    const u64 version = word.versions.begun.load() + 1;
    word.versions.begun.store(version);
    const Gva at = kTexts + kAliases + word.page * kPageSize + word.offset;
    const u32 insn = insn_of(word, version);
    if (word.offset % 4 == 0) {
        store(hart, at, insn, 4);
    } else {
        store(hart, at, insn & 0xffff, 2);
        store(hart, at + 2, insn >> 16, 2);
    }
    hart.fence_i();
    word.versions.fenced.store(version);
    word.versions.busy.store(false);
}

void ShadowGuest::execute(ShadowHart& hart, Word& word) {
    auto& random = hart.cpu().random;
    const bool user = random() % 8 == 0;
    become(hart, user ? Priv::U : Priv::S, !user && random() % 4 == 0);
    const Gva pc = kTexts + (user ? kUserTexts : 0) + word.page * kPageSize + word.offset;
    for (auto n = random() % 6 + 1; n != 0; --n) {
        const u64 fenced = word.versions.fenced.load();
        const u32 insn = hart.execute(pc);
        check(word, fenced, insn, "executes");
    }
}

void ShadowGuest::read_code(ShadowHart& hart, Word& word) {
    become(hart, Priv::S);
    const Gva at = kTexts + word.page * kPageSize + word.offset;
    const u64 fenced = word.versions.fenced.load();
    const auto hpa = hart.access(at, Access::Load);
    if (!hpa) fail("code cannot be read");
    const auto* parcels = reinterpret_cast<const u16*>(m_.memory(*hpa));
    const u32 low = __atomic_load_n(parcels, __ATOMIC_RELAXED);
    const u32 high = __atomic_load_n(parcels + 1, __ATOMIC_RELAXED);
    check(word, fenced, high << 16 | low, "reads");
}

void ShadowGuest::run(ShadowHart& hart) {
    auto& random = hart.cpu().random;
    if (hart.cpu().view.satp.raw == 0) change_space(hart);
    const auto any = [&](auto& all, usize near) -> auto& {
        const auto hot = std::min<usize>(scenario_.hot, all.size() / near);
        return all[random() / 7 % hot * (all.size() / hot) + random() / 7 % near];
    };
    for (auto n = random() % scenario_.stay; n != 0 && !m_.over.load(std::memory_order_relaxed); --n) {
        const auto dice = random() / 7 % 100;
        Site& site = any(sites_, 1);
        Word& word = any(words_, 2);
        if (random() / 7 % 100 < scenario_.wander) change_space(hart);
        if (dice < 45) {
            look(hart, site);
        } else if (dice < 62) {
            change(hart, site);
        } else if (dice < 65) {
            hart.fence(std::nullopt, std::nullopt);
        } else if (dice < 95) {
            execute(hart, word);
        } else if (dice < 99) {
            write_code(hart, word);
        } else {
            read_code(hart, word);
        }
        operations_.fetch_add(1, std::memory_order_relaxed);
    }
}

}  // namespace uc::stress
