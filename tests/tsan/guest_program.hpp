// SPDX-License-Identifier: MIT
#pragma once
// The program of the guests that threads play: each of its instructions traps. What a real kernel computes in between
// is up to the player, who may go from anywhere among the single instructions to any other, but keeps to the sequences.

#include <array>
#include <cstring>
#include <vector>

#include "emul/goldfish_rtc.hpp"
#include "hv/guest_layout.hpp"
#include "isa/pte.hpp"
#include "tests/emul/insn.hpp"

namespace uc::stress {

inline constexpr unsigned kData = 8, kArgument = 9;  // registers

inline constexpr u32 kEcallInsn = 0x0000'0073, kEbreakInsn = 0x0010'0073;
inline constexpr u32 kLoadWord = 0x0004'a403;   // lw x8, 0(x9)
inline constexpr u32 kLoadByte = 0x0004'8403;   // lb x8, 0(x9)
inline constexpr u32 kStoreWord = 0x0084'a023;  // sw x8, 0(x9)
inline constexpr u32 kStoreByte = 0x0084'8023;  // sb x8, 0(x9)

/// The words, in order. The guest starts at the first; kStart is where other harts begin; interrupts go to kHandler.
enum Site : unsigned {
    kEntry,
    kStart,
    kSetStvec = kStart,
    kSetSie,
    kFirstAlarm,
    kAllow,
    kIdle,  // ends the sequence
    kHandler,
    kAckIpi = kHandler,
    kNextAlarm,
    kClaim,
    kTakeKey,
    kAckClock,
    kComplete,
    kReturn,
    kSleep,  // until the alarm
    kSleepWfi,
    kAlone,  // from here on each for itself
    kMaskAll = kAlone,
    kUnmaskAll,
    kReadCsr,
    kWriteSatp,
    kFenceAll,
    kFencePage,
    kFenceSpace,
    kWfi,
    kEcallSite,
    kLoad,
    kStore,
    kStoreOne,
    kNoSuchCsr,
    kBreak,
    kSites,
};

inline constexpr std::array<u32, kSites> kProgram = [] {
    using namespace test;
    std::array<u32, kSites> words{};
    words[kEntry] = csr_insn(kCsrrci, CsrNo::sstatus, 0, 2);
    words[kSetStvec] = csr_insn(kCsrrw, CsrNo::stvec, 0, kArgument);
    words[kSetSie] = csr_insn(kCsrrw, CsrNo::sie, 0, kArgument);
    words[kFirstAlarm] = words[kNextAlarm] = words[kSleep] = csr_insn(kCsrrw, CsrNo::stimecmp, 0, kArgument);
    words[kAllow] = words[kUnmaskAll] = csr_insn(kCsrrsi, CsrNo::sstatus, 0, 2);
    words[kEcallSite] = kEcallInsn;
    words[kAckIpi] = csr_insn(kCsrrci, CsrNo::sip, 0, 2);
    words[kClaim] = words[kLoad] = kLoadWord;
    words[kTakeKey] = kLoadByte;
    words[kAckClock] = words[kComplete] = words[kStore] = kStoreWord;
    words[kReturn] = kSret;
    words[kIdle] = words[kSleepWfi] = words[kWfi] = test::kWfi;
    words[kMaskAll] = csr_insn(kCsrrci, CsrNo::sstatus, kData, 2);
    words[kReadCsr] = csr_insn(kCsrrs, CsrNo::sscratch, kData, 0);
    words[kWriteSatp] = csr_insn(kCsrrw, CsrNo::satp, 0, kArgument);
    words[kFenceAll] = sfence_vma(0, 0);
    words[kFencePage] = sfence_vma(kArgument, 0);
    words[kFenceSpace] = sfence_vma(0, kArgument);
    words[kStoreOne] = kStoreByte;
    words[kNoSuchCsr] = csr_insn(kCsrrs, CsrNo{0x5c0}, kData, 0);
    words[kBreak] = kEbreakInsn;
    return words;
}();

inline constexpr Gpa kCode{0x8020'0000}, kText = kCode + 0x800, kRoots = kCode + kPageSize, kScratch{0x8030'0000};
inline constexpr unsigned kSpaces = 2;

[[nodiscard]] constexpr u64 address_of(Site site) { return kCode.raw + site * sizeof(u32); }
/// Which instruction stands at `pc`; kSites: none.
[[nodiscard]] constexpr Site site_at(u64 pc) {
    const u64 number = (pc - kCode.raw) / sizeof(u32);
    return number < kSites ? static_cast<Site>(number) : kSites;
}

/// Whether the player chooses what comes next there.
[[nodiscard]] constexpr bool is_free(Site site) { return site == kIdle || site >= kAlone; }

/// Devices, as supervisor of vCPU `vcpu` finds them.
[[nodiscard]] constexpr Gpa plic_enable(unsigned vcpu) { return kGuestPlic + 0x2000 + 0x80ull * (2 * vcpu + 1); }
[[nodiscard]] constexpr Gpa plic_claim(unsigned vcpu) { return kGuestPlic + 0x20'0004 + 0x1000ull * (2 * vcpu + 1); }
[[nodiscard]] constexpr Gpa plic_priority(unsigned source) { return kGuestPlic + 4ull * source; }
inline constexpr Gpa kClockAlarmLow = kGuestRtc + 0x8, kClockAlarmHigh = kGuestRtc + 0xc;
inline constexpr Gpa kClockEnable = kGuestRtc + 0x10, kClockAck = kGuestRtc + 0x1c;

/// The program and, behind it, the roots of address spaces in which addresses below 3 GiB are themselves.
[[nodiscard]] inline std::vector<std::byte> make_kernel() {
    std::vector<std::byte> image((1 + kSpaces) * kPageSize);
    std::memcpy(image.data(), kProgram.data(), sizeof kProgram);
    constexpr std::string_view kMessage = "a line of a guest\n";
    std::memcpy(image.data() + (kText - kCode), kMessage.data(), kMessage.size());
    for (unsigned space = 0; space < kSpaces; ++space) {
        for (unsigned i = 0; i < 3; ++i) {
            const u64 pte = i * (kGiB >> kPageShift) << Pte::PPN.lsb | Pte::V.mask | Pte::R.mask | Pte::W.mask |
                            Pte::X.mask | Pte::A.mask | Pte::D.mask;
            std::memcpy(image.data() + (1 + space) * kPageSize + i * sizeof pte, &pte, sizeof pte);
        }
    }
    return image;
}

}  // namespace uc::stress
