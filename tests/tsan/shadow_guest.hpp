// SPDX-License-Identifier: MIT
#pragma once
// A guest whose vCPUs map, unmap, fence, write code and execute it, and know what they may find.

#include "tests/tsan/shadow_machine.hpp"

namespace uc::stress {

/// Something in memory that changes in versions: version n + 1 follows n. What is found is of a version between the
/// last that was fenced for everybody, as known before looking, and the last that was begun, as known afterwards.
struct Versions {
    std::atomic<u64> begun{0}, fenced{0};
    std::atomic<bool> busy{false};  ///< some vCPU changes it

    template <class Fits>
    [[nodiscard]] bool allow(u64 fenced_before, Fits fits) const {
        const u64 last = begun.load();
        for (u64 version = fenced_before; version <= last; ++version) {
            if (fits(version)) return true;
        }
        return false;
    }
};

class ShadowGuest {
  public:
    /// `operations` counts what its vCPUs do.
    ShadowGuest(ShadowMachine& machine, const ShadowScenario& scenario, std::atomic<u64>& operations);
    /// A few things that a guest does.
    void run(ShadowHart& hart);

  private:
    static constexpr unsigned kSpaces = 4, kLeafSites = 24, kPointerSites = 4, kCodePages = 6, kWords = 4;
    static constexpr unsigned kPagesPerSite = 8;  ///< the last of which stands for none
    static constexpr unsigned kPrivateSites = 4;  ///< of each space

    /// A place in an address space, and which page is there.
    struct Site {
        Versions versions;
        Gva va;
        Gpa pte;
        std::optional<unsigned> space;  ///< nullopt: all have it
        bool user = false;
        bool pointer = false;  ///< the entry that changes is one of the level above
        unsigned number = 0;
    };
    struct Word {
        Versions versions;
        unsigned page = 0;
        u64 offset = 0;
    };

    [[nodiscard]] static Gpa table(unsigned n) { return kGuestBase + kMiB + n * kPageSize; }
    [[nodiscard]] static u64 leaf(Gpa gpa, u64 flags) { return gpa.raw >> 2 | flags; }
    void poke(Gpa gpa, u64 value);
    void add_site(Site& site, Gva va, Gpa pte, bool user, std::optional<unsigned> space = std::nullopt);
    void change(ShadowHart& hart, Site& site);
    void look(ShadowHart& hart, Site& site);
    void write_code(ShadowHart& hart, Word& word);
    void execute(ShadowHart& hart, Word& word);
    void read_code(ShadowHart& hart, Word& word);
    void check(const Word& word, u64 fenced, u32 insn, const char* what) const;
    void change_space(ShadowHart& hart);
    void become(ShadowHart& hart, Priv priv, bool sum = false);
    void store(ShadowHart& hart, Gva va, u64 value, unsigned size);
    [[nodiscard]] u64 entry_of(const Site& site, u64 version) const;
    [[nodiscard]] std::optional<Gpa> page_of(const Site& site, u64 version) const;
    [[nodiscard]] static u32 insn_of(const Word& word, u64 version);

    ShadowMachine& m_;
    const ShadowScenario& scenario_;
    std::atomic<u64>& operations_;
    std::array<Site, kLeafSites + kPointerSites + kSpaces * kPrivateSites> sites_;
    std::array<Word, kCodePages * kWords> words_;
};

}  // namespace uc::stress
