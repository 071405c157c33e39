// SPDX-License-Identifier: MIT
#pragma once
// A machine to run a Shadow on: memory, host page-table walks, and per-hart TLBs as forgetful and as stubborn as the
// architecture lets them be.

#include "mm/shadow.hpp"

#include <map>
#include <memory>
#include <random>
#include <set>
#include <tuple>
#include <vector>

namespace uc::test {

/// What became of a guest access.
struct Result {
    enum Kind { Ok, Inject, Device, Stuck, Broken } kind = Stuck;
    Gpa gpa;  ///< for Ok and Device
    Cause cause{};
    bool window_conflict = false;
    friend bool operator==(const Result&, const Result&) = default;
};

struct MachineConfig {
    u64 ram_size = 4 * kMiB;
    u64 host_offset = 0;  ///< added to the bus address of guest memory, to spoil congruence with superpages
    u32 pages = 64;       ///< of the shadow pool
    u32 copies = 0;       ///< of code; 0: instructions are not replaced
    ShadowOptions options;
    u64 seed = 1;
    bool caching_tlb = true;  ///< TLBs cache pointers, leaves and failures at random; else nothing
};

class FakeMachine {
  public:
    static constexpr Gpa kRamBase{0x8000'0000};
    static constexpr Hpa kRamHost{0x2'4000'0000};
    static constexpr Hpa kPoolHost{0x7'1234'5000};  ///< unrelated to any pointer, so confusion shows
    static constexpr Hpa kCodeHost{0x3'9876'5000};  ///< likewise
    static constexpr unsigned kWindowSlot = 300;

    explicit FakeMachine(const MachineConfig& config);

    GuestRam& ram() { return *ram_; }
    FramePool& pool() { return *pool_; }
    Shadow& shadow() { return *shadow_; }

    /// One access by `vcpu`, with as many faults as it takes.
    Result access(unsigned vcpu, const Shadow::View& view, Gva gva, Access access);
    /// Chooses the root, as the hypervisor does before it enters the guest.
    void activate(unsigned vcpu, const Shadow::View& view);
    void fence(unsigned vcpu, std::optional<Gva> va, std::optional<u16> asid) { apply(vcpu, shadow_->fence(va, asid)); }
    void apply(unsigned vcpu, const TlbFlush& flush);
    /// The instruction at `gva`, which `vcpu` has just fetched, turned out to be privileged.
    void replace(unsigned vcpu, Gva gva, u32 insn) { apply(vcpu, shadow_->replace(vcpu, gva, insn)); }
    /// What `vcpu` learns of an ecall that it met at `gva`.
    u32 original(unsigned vcpu, Gva gva) {
        const auto known = shadow_->known_original(vcpu, gva);
        return known ? *known : shadow_->original(vcpu, gva);
    }
    /// What `vcpu` finds at `gva` when it fetches there without a fault.
    std::optional<u32> fetched(unsigned vcpu, Gva gva);

    /// Reads and writes a guest doubleword without telling anyone.
    u64 peek(Gpa gpa) const { return ram_->load_pte(gpa).value(); }
    void poke(Gpa gpa, u64 value) { static_cast<void>(ram_->store(gpa, value)); }

    u64 host_satp(unsigned vcpu) const { return tlbs_[vcpu].satp; }
    u64 flushes = 0;      ///< that were owed and not None
    u64 faults = 0;       ///< that reached handle_fault
    TlbFlush last_flush;  ///< owed by the last fault or activation

  private:
    struct Leaf {
        Hpa page;
        u64 rights;
        bool failed;  ///< a cached refusal
    };
    struct Tlb {
        u64 satp = 0;
        std::map<std::pair<u16, u64>, Leaf> leaves;              // by ASID and page of the address
        std::map<std::tuple<u16, unsigned, u64>, Hpa> pointers;  // by ASID, level and prefix: the table indexed there
    };
    enum class Walk { Ok, Fault, Broken };

    Walk translate(Tlb& tlb, Gva gva, Access access, Hpa& hpa);
    Walk identify(Hpa hpa, Access access, Gpa& gpa);
    bool in_code(Hpa hpa) const { return hpa - kCodeHost < u64{config_.copies} * kPageSize; }
    Walk walk_host(Tlb& tlb, Gva gva, Leaf& leaf);
    bool chance(unsigned percent) { return random_() % 100 < percent; }

    struct FreeDeleter {
        void operator()(std::byte* p) const { std::free(p); }
    };
    using Memory = std::unique_ptr<std::byte[], FreeDeleter>;
    static Memory allocate(u64 size);

    MachineConfig config_;
    Memory ram_bytes_;
    Memory pool_bytes_;
    Memory code_bytes_;
    std::vector<u64> metadata_;
    std::vector<Pte> window_;
    std::unique_ptr<GuestRam> ram_;
    std::unique_ptr<FramePool> pool_;
    std::unique_ptr<Shadow> shadow_;
    std::vector<Tlb> tlbs_;
    std::mt19937_64 random_;
};

}  // namespace uc::test
