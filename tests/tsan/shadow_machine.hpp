// SPDX-License-Identifier: MIT
#pragma once
// Harts with TLBs, caches of pointers and caches of instructions, which run the vCPUs of one guest on a real Shadow and
// tell each other of flushes through real mailboxes.

#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "hv/spin_lock.hpp"
#include "mm/shadow.hpp"
#include "tests/tsan/stress.hpp"

namespace uc::stress {

inline constexpr unsigned kShadowHarts = 4, kShadowVcpus = 5;
inline constexpr u64 kNearCode = 0x202;  ///< from one instruction that counts to the next
inline constexpr Gpa kGuestBase{0x8000'0000};
inline constexpr u64 kGuestSize = 4 * kMiB;
inline constexpr Hpa kGuestHost{0x2'4000'0000}, kPoolHost{0x7'1234'5000}, kCodeHost{0x3'9876'5000};

class ShadowHart;

/// As far as it matters here: what it translates by, and how it is reached.
struct GuestCpu {
    Mailbox mailbox;
    Shadow::View view;
    unsigned id = 0;
    std::minstd_rand random;
};

/// How much there is of what may run out, and how much of it guests need.
struct ShadowScenario {
    const char* name;
    u32 pages;        ///< of the shadow pool
    u32 copies;       ///< of code
    u16 asid_bits;    ///< of the host
    unsigned hot;     ///< places that the guest is after
    unsigned stay;    ///< operations that a vCPU does on one hart, at most
    unsigned wander;  ///< per cent of operations that change to another space
};

class ShadowMachine final : public TlbFlusher {
  public:
    ShadowMachine(const ShadowScenario& scenario, u64 seed);

    // What harts share.
    Shadow& shadow() { return *shadow_; }
    SpinLock& lock() { return lock_; }
    FakeHart& hart(unsigned number) { return harts_[number]; }
    [[nodiscard]] u64 peek(Gpa gpa) const { return ram_->load_pte(gpa).value(); }
    /// Memory on the bus: the guest's, or copies of its code.
    [[nodiscard]] std::byte* memory(Hpa hpa) const;
    [[nodiscard]] static bool is_memory(Hpa hpa) { return hpa - kGuestHost < kGuestSize; }
    /// An entry of a table in the pool; nullptr: there is none.
    [[nodiscard]] const u64* entry(Hpa table, unsigned index) const;
    /// Whether the window is where it has to be in a root.
    [[nodiscard]] bool has_window(Hpa root) const;

    void flush_now(const TlbFlush& owed) override;
    /// Every other vCPU does fence.i before this returns.
    void fence_i(ShadowHart& from);

    // vCPUs wander from hart to hart.
    GuestCpu* take_cpu();
    void give_cpu(GuestCpu* cpu);

    std::atomic<bool> over{false};

  private:
    static constexpr unsigned kWindowSlot = 300;
    using Pages = std::vector<std::byte>;
    [[nodiscard]] static std::byte* aligned(Pages& pages);
    void tell_others(const GuestCpu& from, bool fence, bool fetch);

    u32 pages_, copies_;
    Pages ram_bytes_, pool_bytes_, code_bytes_;
    std::vector<u64> metadata_;
    std::array<Pte, 2> window_;
    std::unique_ptr<GuestRam> ram_;
    std::unique_ptr<FramePool> pool_;
    std::unique_ptr<Shadow> shadow_;
    SpinLock lock_{LockRank::Shadow};
    std::array<FakeHart, kShadowHarts> harts_;
    std::array<GuestCpu, kShadowVcpus> cpus_;
    std::mutex queue_lock_;
    std::deque<GuestCpu*> queue_;
};

/// One hart, for a vCPU at a time. It caches whatever the architecture lets it, and uses what it has cached.
class ShadowHart {
  public:
    ShadowHart(ShadowMachine& machine, unsigned number) : m_(machine), number_(number), random_(number + 1) {}

    // The vCPU that it runs.
    void arrive(GuestCpu& cpu);
    void depart();
    [[nodiscard]] GuestCpu& cpu() { return *cpu_; }
    void set_view(const Shadow::View& view);

    // What the guest does. It is in the guest afterwards, unless it says otherwise.
    /// Where an access at `va` gets to; nullopt: a page fault of the guest's.
    [[nodiscard]] std::optional<Hpa> access(Gva va, Access access);
    /// The instruction at `va`, where a fetch gets to `hpa`.
    [[nodiscard]] u32 fetch(Hpa hpa);
    /// The instruction that the guest executes at `pc`, after all that the hypervisor has to say to it.
    [[nodiscard]] u32 execute(Gva pc);
    void fence(std::optional<Gva> va, std::optional<u16> asid);
    void fence_i();

    // What others ask of it by way of its vCPU, or what it asks of itself.
    void forget(const TlbFlush& flush);
    void dawdle() {
        while (chance(50)) std::this_thread::yield();
    }
    static ShadowHart* current();

  private:
    struct Leaf {
        Hpa page;
        u64 rights;
    };
    [[nodiscard]] bool chance(unsigned percent) { return random_() / 7 % 100 < percent; }
    [[nodiscard]] u16 parcel(Hpa at);
    [[nodiscard]] u64 asid() const { return Satp{{satp_}}.get(Satp::ASID); }
    [[nodiscard]] Hpa root() const { return Hpa{Satp{{satp_}}.get(Satp::PPN) << kPageShift}; }
    void go_inside();
    void go_outside();
    void choose_root();
    void speculate();
    template <class Load>
    [[nodiscard]] std::optional<Leaf> walk(Gva va, Load load, bool trusted);
    [[nodiscard]] std::optional<Hpa> translate(Gva va, Access access);
    void discharge(const TlbFlush& flush);
    /// Calls `what`, which returns the flush that it owes, under the guest's lock.
    template <class What>
    void locked(What what) {
        go_outside();
        m_.lock().lock([] { std::this_thread::yield(); });
        discharge(what(m_.shadow()));
        m_.lock().unlock();
    }

    ShadowMachine& m_;
    unsigned number_;
    std::minstd_rand random_;
    GuestCpu* cpu_ = nullptr;
    u64 satp_ = 0;  ///< 0: the hypervisor's own tables
    bool inside_ = false;
    bool activated_ = false;                 ///< its root is that of the view
    Gva last_;                               ///< address that was used last
    std::unordered_map<u64, Leaf> leaves_;   ///< by ASID and page of the address
    std::unordered_map<u64, Hpa> pointers_;  ///< by ASID, level and region: the table indexed there
    std::unordered_map<u64, u16> fetched_;   ///< by address on the bus
};

}  // namespace uc::stress
