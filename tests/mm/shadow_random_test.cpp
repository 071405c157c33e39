// SPDX-License-Identifier: MIT
// A guest that does anything at random, against the architecture's own freedom: an access must come out as some walk
// could that reads, for each entry, a value it has held since the last fence that covers the address.
#include "mm/shadow.hpp"

#include "tests/mm/fake_machine.hpp"
#include "tests/ref/ref_walk.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace uc::test {
namespace {

constexpr unsigned kTables = 10;     // guest frames that serve as tables of any level
constexpr unsigned kLinearSlot = 3;  // of every one of them: a root-level leaf that maps memory
constexpr Gpa kFirstTable = FakeMachine::kRamBase + 0x10'0000;

struct Scenario {
    const char* name;
    MachineConfig machine;
    SatpMode guest_mode = SatpMode::Sv39;
    bool tidy = false;  ///< each table has one place in one tree, so that no table is reached at two addresses
};

class RandomGuest {
  public:
    RandomGuest(const Scenario& scenario, u64 seed)
        : machine_(with_seed(scenario.machine, seed)),
          options_(scenario.machine.options),
          mode_(scenario.guest_mode),
          tidy_(scenario.tidy),
          random_(seed) {
        const unsigned top = levels(mode_) - 1;
        const u64 base = align_down(FakeMachine::kRamBase.raw, level_size(top));
        for (unsigned t = 0; t < kTables; ++t) {
            set(table(t) + kLinearSlot * 8, (base >> 2) | 0xc7);  // D A W R V, supervisor
        }
        for (unsigned t = 0; t < kTables; ++t) {
            for (unsigned index : kIndices) set(table(t) + index * 8, any_entry(t, index));
        }
        // What is executed should not look alike everywhere.
        for (u64 at = 0; at < 64 * kPageSize; at += 8) machine_.poke(FakeMachine::kRamBase + at, random_());
        for (unsigned i = 0; i < 16; ++i) hot_.push_back(any_address());
        for (unsigned vcpu = 0; vcpu < options_.vcpus; ++vcpu) views_.push_back({});
    }

    void run(unsigned steps) {
        for (step_ = 0; step_ < steps && !testing::Test::HasFailure(); ++step_) {
            const unsigned dice = pick(100);
            if (dice < 12) {
                store_entry();
            } else if (dice < 22) {
                build_mapping();
            } else if (dice < 30) {
                remap();
            } else if (dice < 80) {
                probe();
            } else if (dice < 90) {
                fence();
            } else if (dice < 94) {
                switch_space();
            } else if (dice < 96) {
                replace_code();
            } else {
                store_anywhere();
            }
            if (step_ % 4 != 0) continue;
            ASSERT_TRUE(machine_.shadow().check_invariants()) << "step " << step_;
        }
        for (unsigned vcpu = 0; vcpu < options_.vcpus; ++vcpu) machine_.fence(vcpu, {}, {});
        everything_fresh();
        for (unsigned i = 0; i < 500 && !testing::Test::HasFailure(); ++i) probe();
        ASSERT_TRUE(machine_.shadow().check_invariants());
    }
    FakeMachine& machine() { return machine_; }
    unsigned replaced() const { return replaced_; }

  private:
    static MachineConfig with_seed(MachineConfig config, u64 seed) {
        config.seed = seed;
        return config;
    }
    unsigned pick(u64 n) { return static_cast<unsigned>(random_() % n); }
    Gpa table(unsigned t) const { return kFirstTable + t * kPageSize; }
    bool in_table(Gpa gpa) const { return gpa.raw - kFirstTable.raw < kTables * kPageSize; }

    /// Sets an entry in memory and remembers when.
    void set(Gpa gpa, u64 value) {
        machine_.poke(gpa, value);
        log_[gpa.raw].push_back({now_++, value});
    }
    /// Remembers what the guest's hart itself wrote: A and D.
    void observe() {
        for (auto& [address, values] : log_) {
            const u64 value = machine_.peek(Gpa{address});
            if (value == values.back().second) continue;
            ASSERT_EQ(value & ~0xc0ull, values.back().second & ~0xc0ull) << "more than A and D changed";
            values.push_back({now_++, value});
        }
    }

    // Most of what the guest does makes sense: few indices, upper tables that point to lower ones, leaves at the
    // bottom.
    static constexpr std::array<unsigned, 8> kIndices{0, 1, 2, 16, 255, 256, 300, 511};
    static constexpr unsigned kRoots = 4;  // tables 0..3 are roots, 4..6 and 7..9 the next levels
    static constexpr unsigned kMiddle = 4;
    static constexpr unsigned kLeaves = 7;

    unsigned any_index() { return kIndices[pick(kIndices.size())]; }
    unsigned any_root_index() { return std::array{0u, 1u, 300u, 511u}[pick(4)]; }
    Gva any_address() {
        u64 va = u64{any_root_index()} << level_shift(levels(mode_) - 1);
        for (unsigned level = 0; level + 1 < levels(mode_); ++level) va |= u64{kIndices[pick(3)]} << level_shift(level);
        va |= pick(512) * 8;
        if (pick(40) != 0) va = sign_extend(va, va_bits(mode_));
        if (pick(100) == 0) va = u64{any_index()} << 50 | va;
        return Gva{va};
    }
    Gva hot_address() { return hot_[pick(hot_.size())]; }
    Gva probe_address() { return pick(10) == 0 ? any_address() : hot_address(); }
    u64 pointer(unsigned table_number) const { return (table(table_number).raw >> 2) | 1; }
    u64 leaf(Gpa gpa) {
        constexpr std::array<u64, 8> useful{0xdf, 0xcf, 0xc7, 0xd7, 0xdb, 0x5f, 0x4f, 0xc9};
        return (gpa.raw >> 2) | (pick(4) == 0 ? (random_() & 0xff) | (tidy_ ? 3 : 1) : useful[pick(useful.size())]);
    }
    /// The table to link at an index of a table; none in a tidy guest unless that is its one place.
    std::optional<unsigned> table_below(unsigned t, unsigned index) {
        if (tidy_) {
            if (t >= kMiddle) return index == 0 ? std::optional{t + kLeaves - kMiddle} : std::nullopt;
            return index < 2      ? std::optional{kMiddle + index}
                   : index == 511 ? std::optional{kMiddle + 2}
                                  : std::nullopt;
        }
        // Deeper guests reuse the middle tables for their additional levels.
        const bool is_last = t >= kMiddle && pick(levels(mode_) - 2) == 0;
        return is_last ? kLeaves + pick(kTables - kLeaves) : kMiddle + pick(kLeaves - kMiddle);
    }
    /// An entry fit for its place, or, now and then, anything.
    u64 any_entry(unsigned t, unsigned index) {
        const u64 odd = pick(50);
        if (!tidy_) {
            if (odd == 0) return random_();
            if (odd == 1) return pointer(pick(kTables));
            if (odd == 2) return pointer(pick(kTables)) | (random_() & 0xff);
        }
        if (odd == 3 || odd == 4) return 0;
        if (odd == 5) return (u64{1} << 63) | leaf(table(0) + 0x8000);  // Svnapot
        if (odd == 6) return (u64{1} << 61) | leaf(FakeMachine::kRamBase + pick(1024) * kPageSize);
        if (odd == 7) return leaf(Gpa{0x1000'0000});
        if (odd == 8) return leaf(table(pick(kTables)));
        if (odd == 9) return leaf(FakeMachine::kRamBase + pick(3) * 2 * kMiB + (pick(8) == 0 ? kPageSize : 0));
        const auto below = t < kLeaves ? table_below(t, index) : std::nullopt;
        return below ? pointer(*below) : leaf(FakeMachine::kRamBase + pick(64) * kPageSize);
    }
    Shadow::View any_view(Satp satp) {
        return {.satp = satp, .priv = pick(2) ? Priv::S : Priv::U, .sum = pick(2) != 0, .mxr = pick(4) == 0};
    }

    // Operations.
    void store_entry() {
        const unsigned t = pick(kTables);
        const unsigned index = t < kRoots ? any_root_index() : kIndices[pick(3)];
        store(table(t) + index * 8, any_entry(t, index));
    }

    /// Walks its own tables for an address as a kernel does, and puts in what is missing.
    void build_mapping() {
        const unsigned vcpu = pick(options_.vcpus);
        const Satp satp = views_[vcpu].satp;
        if (satp.mode() == SatpMode::Bare) return;
        const Gva gva = hot_address();
        unsigned t = static_cast<unsigned>(satp.get(Satp::PPN) - kFirstTable.frame());
        for (unsigned level = levels(mode_); level-- > 0 && t < kTables && !testing::Test::HasFailure();) {
            const unsigned index = pte_index(gva.raw, level);
            if (index == kLinearSlot) return;
            const Gpa at = table(t) + index * 8;
            const PteKind kind = classify(Pte{{machine_.peek(at)}}, level, false, false);
            if (kind == PteKind::Leaf && level > 0) return;
            if (kind == PteKind::Invalid) {
                const auto below = level > 0 && t < kLeaves ? table_below(t, index) : std::nullopt;
                store(at, below ? pointer(*below) : leaf(FakeMachine::kRamBase + pick(64) * kPageSize));
            }
            t = static_cast<unsigned>(Pte{{machine_.peek(at)}}.get(Pte::PPN) - kFirstTable.frame());
        }
    }

    /// The guest kernel stores through its linear mapping, which may fault and un-synchronise.
    void store(Gpa gpa, u64 value) {
        const unsigned vcpu = pick(options_.vcpus);
        Shadow::View view = views_[vcpu];
        view.priv = Priv::S;
        u64 va = gpa.raw;
        if (view.satp.mode() != SatpMode::Bare) {
            const unsigned top = levels(mode_) - 1;
            va = (u64{kLinearSlot} << level_shift(top)) | (gpa.raw & (level_size(top) - 1));
        }
        if ((gpa.raw & (kPageSize - 1)) == kLinearSlot * 8) return;
        const Result result = machine_.access(vcpu, view, Gva{va}, Access::Store);
        ASSERT_EQ(result.kind, Result::Ok) << "step " << step_;
        ASSERT_EQ(result.gpa, gpa);
        observe();
        set(gpa, value);
    }

    void probe() {
        const unsigned vcpu = pick(options_.vcpus);
        const Shadow::View view = any_view(views_[vcpu].satp);
        const Gva gva = probe_address();
        // Again and again, so that TLBs and shadow pages have something to remember.
        for (unsigned i = pick(3); i < 3; ++i) check(vcpu, view, gva, static_cast<Access>(pick(3)));
    }

    /// A store wherever some mapping leads, which may be a table.
    void store_anywhere() {
        const unsigned vcpu = pick(options_.vcpus);
        const Shadow::View view = any_view(views_[vcpu].satp);
        const Gva gva{align_down(probe_address().raw, 8)};
        const Result result = check(vcpu, view, gva, Access::Store);
        if (result.kind != Result::Ok) return;
        if (!in_table(result.gpa)) {
            machine_.poke(result.gpa, random_());
        } else if (result.gpa.page_offset() != kLinearSlot * 8) {
            const u64 offset = result.gpa - kFirstTable;
            set(result.gpa, any_entry(static_cast<unsigned>(offset / kPageSize), offset % kPageSize / 8));
        }
    }

    /// Some instruction that a supervisor can execute turns out to be privileged.
    void replace_code() {
        const unsigned vcpu = pick(options_.vcpus);
        Shadow::View view = any_view(views_[vcpu].satp);
        view.priv = Priv::S;
        const Gva gva{align_down(probe_address().raw, 4)};
        const Result result = check(vcpu, view, gva, Access::Fetch);
        if (result.kind != Result::Ok) return;
        const u32 insn = machine_.ram().load<u32>(result.gpa).value();
        machine_.replace(vcpu, gva, insn);
        if (check(vcpu, view, gva, Access::Fetch).gpa != result.gpa) return;  // another translation was legal, too
        const u32 original = machine_.original(vcpu, gva);
        EXPECT_TRUE(original == insn || original == kEcall) << "step " << step_;
        replaced_ += original == insn && insn != kEcall;
    }

    void fence() {
        std::optional<Gva> va;
        std::optional<u16> asid;
        if (pick(4) != 0) va = probe_address();
        if (pick(2) != 0) asid = static_cast<u16>(pick(3));
        fence(va, asid);
    }
    void fence(std::optional<Gva> va, std::optional<u16> asid) {
        machine_.fence(pick(options_.vcpus), va, asid);
        for (auto& [satp, space] : spaces_) {
            if (asid && Satp{{satp}}.get(Satp::ASID) != *asid) continue;
            (va ? space.pages[va->frame()] : space.all) = now_;
        }
        ++now_;
    }

    /// Changes one entry on the way of an address in use, fences that address alone, and uses it again.
    void remap() {
        const unsigned vcpu = pick(options_.vcpus);
        const Satp satp = views_[vcpu].satp;
        if (satp.mode() == SatpMode::Bare) return;
        const Gva gva = hot_address();
        const std::array views{any_view(satp), any_view(satp)};
        const auto use = [&] {
            for (const auto& view : views) check(vcpu, view, gva, static_cast<Access>(pick(3)));
        };
        use();
        unsigned t = static_cast<unsigned>(satp.get(Satp::PPN) - kFirstTable.frame());
        const unsigned last = pick(levels(mode_));
        for (unsigned level = levels(mode_); level-- > last && t < kTables;) {
            const unsigned index = pte_index(gva.raw, level);
            const Gpa at = table(t) + index * 8;
            const Pte old{{machine_.peek(at)}};
            if (level > last) {
                if (classify(old, level, false, false) != PteKind::Table) return;
                t = static_cast<unsigned>(old.get(Pte::PPN) - kFirstTable.frame());
                continue;
            }
            for (const u64 value : {pick(2) == 0 ? 0 : any_entry(t, index), old.raw}) {
                store(at, value);
                fence(gva, pick(2) ? std::nullopt : std::optional{static_cast<u16>(satp.get(Satp::ASID))});
                use();
            }
        }
    }

    void switch_space() {
        const unsigned vcpu = pick(options_.vcpus);
        Satp satp;
        if (pick(8) != 0) {
            const u64 asid = pick(3);
            satp.set(Satp::MODE, static_cast<u64>(mode_)).set(Satp::ASID, asid).set(Satp::PPN, table(pick(4)).frame());
            u64& known = known_[{vcpu, asid}];
            if (known != satp.raw) spaces_[satp.raw].all = now_++;
            known = satp.raw;
        }
        views_[vcpu].satp = satp;
        machine_.activate(vcpu, views_[vcpu]);
    }

    // The judge.
    Result check(unsigned vcpu, const Shadow::View& view, Gva gva, Access access) {
        const Result result = machine_.access(vcpu, view, gva, access);
        observe();
        const std::vector<Result> legal = legal_results(view, gva, access);
        bool found = false;
        for (const Result& r : legal) found |= r.kind == result.kind && r.gpa == result.gpa && r.cause == result.cause;
        if (result.window_conflict) found = true;  // the guest has a page there and was told
        EXPECT_TRUE(found) << "step " << step_ << " satp " << std::hex << view.satp.raw << " va " << gva.raw
                           << " access " << static_cast<int>(access) << " priv " << static_cast<int>(view.priv)
                           << " sum " << view.sum << " mxr " << view.mxr << ": got " << result.kind << " gpa "
                           << result.gpa.raw << " of " << legal.size() << " legal, first " << legal[0].kind << " "
                           << legal[0].gpa.raw;
        if (found && certain_ && result.kind == Result::Ok && view.satp.mode() != SatpMode::Bare) {
            const ref::Result fresh = ref::translate(
                [this](u64 pa) { return machine_.ram().load_pte(Gpa{pa}); }, view.satp.raw, view.priv == Priv::U,
                view.sum, view.mxr, gva.raw, what(access), ref::Config{false, options_.svpbmt, options_.svnapot});
            EXPECT_EQ(fresh.kind, ref::Result::Ok) << "A or D not set before the access went through, step " << step_;
        }
        return result;
    }

    static ref::What what(Access access) {
        return access == Access::Fetch ? ref::What::Fetch : access == Access::Load ? ref::What::Load : ref::What::Store;
    }

    /// Every outcome of a walk in which each read returns any value held since the last covering fence.
    std::vector<Result> legal_results(const Shadow::View& view, Gva gva, Access access) {
        u64 since = 0;
        if (const auto it = spaces_.find(view.satp.raw); it != spaces_.end()) {
            since = it->second.all;
            if (const auto page = it->second.pages.find(gva.frame()); page != it->second.pages.end()) {
                since = std::max(since, page->second);
            }
        }
        std::vector<Result> results;
        certain_ = true;
        std::vector<std::pair<unsigned, unsigned>> choices;  // (taken, of) for each read of the walk
        do {
            unsigned depth = 0;
            const auto read = [&](u64 pa) -> std::optional<u64> {
                if (!machine_.ram().contains(Gpa{pa}, 8)) return std::nullopt;
                const auto it = log_.find(pa);
                if (it == log_.end()) return machine_.peek(Gpa{pa});
                std::vector<u64> values;
                for (size_t i = 0; i < it->second.size(); ++i) {
                    const bool replaced = i + 1 < it->second.size() && it->second[i + 1].first < since;
                    const u64 value = it->second[i].second;
                    if (!replaced && std::ranges::find(values, value) == values.end()) values.push_back(value);
                }
                if (depth == choices.size()) choices.push_back({0, static_cast<unsigned>(values.size())});
                certain_ &= values.size() == 1;
                return values[choices[depth++].first];
            };
            const ref::Result r =
                ref::translate(read, view.satp.raw, view.priv == Priv::U, view.sum, view.mxr, gva.raw, what(access),
                               ref::Config{options_.update_ad, options_.svpbmt, options_.svnapot});
            Result result{Result::Inject, {}, {}, false};
            if (r.kind == ref::Result::PageFault) result.cause = page_fault(access);
            if (r.kind == ref::Result::AccessFault) result.cause = access_fault(access);
            if (r.kind == ref::Result::Ok) {
                result = {machine_.ram().contains(Gpa{r.pa}, 1) ? Result::Ok : Result::Device, Gpa{r.pa}, {}, false};
            }
            if (std::ranges::find(results, result) == results.end()) results.push_back(result);
            choices.resize(depth);
            while (!choices.empty() && ++choices.back().first == choices.back().second) choices.pop_back();
        } while (!choices.empty());
        return results;
    }

    void everything_fresh() {
        for (auto& [satp, space] : spaces_) space.all = now_;
        ++now_;
    }

    struct Space {
        u64 all = 0;               ///< time of the last fence of the whole space
        std::map<u64, u64> pages;  ///< and of single pages
    };

    FakeMachine machine_;
    ShadowOptions options_;
    SatpMode mode_;
    bool tidy_;
    std::mt19937_64 random_;
    u64 now_ = 1;
    unsigned step_ = 0;
    unsigned replaced_ = 0;                                ///< instructions that were found again
    bool certain_ = false;                                 ///< the last judgement had no stale entry to consider
    std::map<u64, std::vector<std::pair<u64, u64>>> log_;  ///< address: (time, value) of each store
    std::map<u64, Space> spaces_;                          ///< by satp
    std::map<std::pair<unsigned, u64>, u64> known_;        ///< by vCPU and ASID: satp last used
    std::vector<Shadow::View> views_;
    std::vector<Gva> hot_;  ///< addresses that the guest cares about
};

MachineConfig config(SatpMode host, u32 pages, auto... set) {
    MachineConfig c;
    c.pages = pages;
    c.options.window.host_mode = host;
    c.options.update_ad = true;
    c.options.host_asid_bits = 4;
    (set(c), ...);
    return c;
}

const auto kNoAsids = [](MachineConfig& c) { c.options.host_asid_bits = 0; };
const auto kFewAsids = [](MachineConfig& c) { c.options.host_asid_bits = 2; };
const auto kSvade = [](MachineConfig& c) { c.options.update_ad = false; };
const auto kExtensions = [](MachineConfig& c) { c.options.svpbmt = c.options.svnapot = true; };
const auto kNoPrefill = [](MachineConfig& c) { c.options.prefill = 0; };
const auto kPlainTlb = [](MachineConfig& c) { c.caching_tlb = false; };
const auto kOddMemory = [](MachineConfig& c) { c.host_offset = kPageSize; };
const auto kCopies = [](MachineConfig& c) { c.copies = 5; };
const auto kTwoVcpus = [](MachineConfig& c) { c.options.vcpus = 2; };

class ShadowRandom : public testing::TestWithParam<Scenario> {};

TEST_P(ShadowRandom, OnlyLegalOutcomes) {
    unsigned replaced = 0;
    for (u64 seed = 1; seed <= 10 && !HasFailure(); ++seed) {
        SCOPED_TRACE(testing::Message() << GetParam().name << ", seed " << seed);
        RandomGuest guest(GetParam(), seed);
        guest.run(3000);
        replaced += guest.replaced();
    }
    EXPECT_EQ(replaced != 0, GetParam().machine.copies != 0);
}

INSTANTIATE_TEST_SUITE_P(
    Machines, ShadowRandom,
    testing::Values(Scenario{"Plain", config(SatpMode::Sv39, 64, kNoPrefill, kPlainTlb)},
                    Scenario{"Sv39OnSv39", config(SatpMode::Sv39, 64)},
                    Scenario{"Tidy", config(SatpMode::Sv39, 64), SatpMode::Sv39, true},
                    Scenario{"TidyOnSv57", config(SatpMode::Sv57, 48), SatpMode::Sv39, true},
                    Scenario{"Sv39OnSv48", config(SatpMode::Sv48, 64, kFewAsids)},
                    Scenario{"Sv39OnSv57", config(SatpMode::Sv57, 64, kSvade)},
                    Scenario{"Sv48OnSv48", config(SatpMode::Sv48, 64, kNoAsids), SatpMode::Sv48},
                    Scenario{"Sv48OnSv57", config(SatpMode::Sv57, 64, kExtensions), SatpMode::Sv48},
                    Scenario{"Sv57OnSv57", config(SatpMode::Sv57, 64, kOddMemory), SatpMode::Sv57},
                    Scenario{"Copies", config(SatpMode::Sv39, 64, kCopies)},
                    Scenario{"CopiesOnSv57", config(SatpMode::Sv57, 64, kCopies, kExtensions)},
                    Scenario{"CopiesTidy", config(SatpMode::Sv48, 24, kCopies), SatpMode::Sv48, true},
                    Scenario{"CopiesTwoVcpus", config(SatpMode::Sv48, 32, kCopies, kTwoVcpus)},
                    Scenario{"TinyPool", config(SatpMode::Sv39, 8)},
                    Scenario{"TinyPoolSv57", config(SatpMode::Sv57, 12, kNoPrefill), SatpMode::Sv48},
                    Scenario{"TwoVcpus", config(SatpMode::Sv48, 32, kTwoVcpus, kFewAsids)},
                    Scenario{"TwoVcpusNoAsids", config(SatpMode::Sv39, 8, kTwoVcpus, kNoAsids, kExtensions)}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace uc::test
