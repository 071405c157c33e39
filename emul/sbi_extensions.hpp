// SPDX-License-Identifier: MIT
#pragma once
// Shared by the extensions of the SBI server: what a call looks like to its handler. Private to emul/sbi_*.cpp.

#include "emul/sbi_server.hpp"

namespace uc {

/// One call. Handlers read arguments here and may write GuestHart only where the specification says so.
struct SbiCall {
    GuestHart& hart;
    unsigned self;
    SbiBackend& backend;
    u64 eid;
    u64 fid;

    /// Argument `n`, from register a<n> (n < 6).
    [[nodiscard]] u64 arg(unsigned n) const { return hart.get_x(10 + n); }
    /// An argument that the specification declares uint32_t: "only 32 bit data" of it counts (SBI 2.0, chapter 3).
    [[nodiscard]] u32 arg32(unsigned n) const { return static_cast<u32>(arg(n)); }
};

/// How a call ends: by returning a0 and a1, or, where `instead` is set, in that way with no register written.
struct SbiReply {
    i64 a0 = 0;  ///< an Error, or what a legacy call returns
    u64 a1 = 0;  ///< left alone by legacy calls
    std::optional<Outcome> instead;

    SbiReply(sbi::Error error) : a0(static_cast<i64>(error)) {}  // NOLINT(google-explicit-constructor): handlers return
    SbiReply(Outcome outcome) : instead(outcome) {}              // NOLINT(google-explicit-constructor): one of these
    [[nodiscard]] static SbiReply value(u64 value) {
        SbiReply reply{sbi::Error::Success};
        reply.a1 = value;
        return reply;
    }
    [[nodiscard]] static SbiReply legacy(i64 result) {
        SbiReply reply{sbi::Error::Success};
        reply.a0 = result;
        return reply;
    }
};

SbiReply sbi_rfence(const SbiCall& call);
SbiReply sbi_hsm(const SbiCall& call);
SbiReply sbi_debug_console(const SbiCall& call);
SbiReply sbi_legacy(const SbiCall& call);
SbiReply sbi_undercroft(const SbiCall& call);
SbiReply sbi_system_suspend(const SbiCall& call);
SbiReply sbi_steal_time(const SbiCall& call);
SbiReply sbi_firmware_features(const SbiCall& call);
SbiReply sbi_pmu(const SbiCall& call);

/// Whether a hart can begin at `pc`: one compressed instruction fits there, at an address instructions may have.
[[nodiscard]] bool is_entry(const SbiCall& call, u64 pc);

// What is sent to `vcpu`, and counted where it is another one.
void send_ipi(const SbiCall& call, unsigned vcpu);
void send_fence_i(const SbiCall& call, unsigned vcpu);
void send_sfence(const SbiCall& call, unsigned vcpu, const SfenceRange& range);
void set_timer(const SbiCall& call, u64 deadline);

/// The harts that a hart mask names (SBI 2.0, 3.1), all of them existing.
class HartSet {
  public:
    /// Bit n of `mask` is hart base + n, or `base` kAllHarts and every hart. Empty when any hart named, or `base`
    /// itself, does not exist.
    [[nodiscard]] static std::optional<HartSet> of(u64 mask, u64 base, u64 count) {
        if (base == sbi::kAllHarts) return HartSet{0, count, ~0ull};
        if (base >= count) return std::nullopt;
        const u64 room = count - base;
        if (room < 64 && mask >> room != 0) return std::nullopt;
        return HartSet{base, room < 64 ? room : 64, mask};
    }
    /// Legacy calls have no way to complain about a hart: bits too many are ignored.
    [[nodiscard]] static HartSet existing(u64 mask, u64 base, u64 count) {
        return {base, count - base < 64 ? count - base : 64, mask};
    }

    template <class Action>
    void for_each(Action&& action) const {
        for (u64 n = 0; n < size_; ++n) {
            // With every hart meant, the set may be longer than the mask.
            if (n >= 64 || (mask_ >> n & 1) != 0) action(static_cast<unsigned>(base_ + n));
        }
    }

  private:
    HartSet(u64 base, u64 size, u64 mask) : base_(base), size_(size), mask_(mask) {}

    u64 base_;
    u64 size_;
    u64 mask_;
};

/// The range arguments of a remote fence (SBI 2.0, chapter 8), empty when they name no byte; or InvalidAddress.
[[nodiscard]] std::expected<std::optional<SfenceRange>, sbi::Error> sfence_range(u64 start, u64 size,
                                                                                 std::optional<u16> asid);

}  // namespace uc
