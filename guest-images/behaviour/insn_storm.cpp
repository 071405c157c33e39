// SPDX-License-Identifier: MIT
// Random instruction words in U-mode and S-mode, from a fixed seed, in a page that holds nothing else. Whatever they do
// ends in a trap of our own handler. Left out: what takes the handler away (stvec, sscratch, satp), wfi, and jumps to
// themselves.

#include "guest-images/behaviour/rt/space.hpp"

#include <iterator>

using namespace uc;
using namespace uc::rt;

namespace {

constexpr u64 kCode = 0x21'0000'0000;
constexpr u64 kData = 0x23'0000'0000;
constexpr u16 kCEbreak = 0x9002;
constexpr unsigned kMiddle = 1024;  // halfword index of the word under test: branches to either side stay in the page
constexpr unsigned kRounds = 15'000;

/// jal, c.j or a branch by 0 or 2 bytes: would run for ever, or execute the word's own second half.
bool jumps_to_itself(u32 insn) {
    switch (insn & 3) {
        case 3: break;
        case 1: {
            const u32 funct3 = insn >> 13 & 7;
            return (funct3 == 5 && (insn & 0x1ffc) == 0) || (funct3 >= 6 && (insn & 0x1c7c) == 0);
        }
        default: return false;
    }
    if ((insn & 0x7f) == 0x6f) return (insn & ~(1u << 21) & 0xfffff000) == 0;
    return (insn & 0x7f) == 0x63 && (insn & ~(1u << 8) & 0xfe000f80) == 0;
}

/// In S-mode only: a CSR instruction on what the runtime stands on, or wfi.
bool takes_the_handler(u32 insn) {
    if ((insn & 0x7f) != 0x73) return false;
    const auto csr = static_cast<CsrNo>(insn >> 20);
    if ((insn >> 12 & 7) == 0) return insn == 0x10500073;
    return csr == CsrNo::stvec || csr == CsrNo::sscratch || csr == CsrNo::satp;
}

/// More system, atomic and memory instructions than chance would give.
u32 word(Random& random) {
    static constexpr u32 kOpcodes[] = {0x73, 0x73, 0x73, 0x2f, 0x03, 0x23, 0x07, 0x27, 0x53, 0x0f, 0x57, 0x67};
    const u64 bits = random.next();
    u32 insn = static_cast<u32>(bits);
    if (bits >> 32 & 1) return insn & 0xffff;
    insn |= 3;
    if (bits >> 33 & 1) insn = (insn & ~0x7fu) | kOpcodes[(bits >> 36) % std::size(kOpcodes)];
    // Known CSRs, and privileged operations.
    if ((insn & 0x7f) == 0x73 && (bits >> 34 & 1)) {
        static constexpr u32 kCsrs[] = {0x100, 0x104, 0x106, 0x10a, 0x141, 0x142, 0x143, 0x144, 0x14d, 0x001, 0x003,
                                        0xc00, 0xc02, 0x102, 0x120, 0x127, 0x302, 0x300, 0x600, 0x200, 0x5a8, 0xc20};
        insn = (insn & 0xfffff) | kCsrs[(bits >> 40) % std::size(kCsrs)] << 20;
        if (bits >> 35 & 1) insn &= ~0x7000u;
    }
    return insn;
}

void storm(SatpMode mode, Priv priv) {
    Space space(mode);
    const u64 code = new_page();
    const u64 data = new_page();
    const u64 user_bit = priv == Priv::U ? kU : 0;
    space.map(kCode, code, kV | kR | kX | kA | user_bit);
    space.map(kData, data, kRw | user_bit);
    auto* halves = reinterpret_cast<volatile u16*>(code);
    for (unsigned i = 0; i < 2048; ++i) halves[i] = kCEbreak;
    space.enter();
    Random random(priv == Priv::U ? 17 : 71);
    u64 causes[16] = {};
    u64 interrupts = 0;
    u64 run_words = 0;
    for (unsigned round = 0; round < kRounds; ++round) {
        const u32 insn = word(random);
        if (jumps_to_itself(insn) || (priv == Priv::S && takes_the_handler(insn))) continue;
        ++run_words;
        halves[kMiddle] = static_cast<u16>(insn);
        halves[kMiddle + 1] = (insn & 3) == 3 ? static_cast<u16>(insn >> 16) : kCEbreak;
        fence_i();
        Frame frame = make_frame(kCode + 2 * kMiddle, priv, {}, Sstatus::FS.mask | Sstatus::VS.mask);
        for (unsigned reg = 1; reg < 32; ++reg) frame.x[reg] = reg % 3 == 0 ? kData + 2048 : random.next();
        run(frame);
        if (frame.cause & kCauseInterrupt) {
            ++interrupts;
        } else if (expect(frame.cause < 16, "cause ", frame.cause)) {
            ++causes[frame.cause];
        }
        if (priv == Priv::S) {
            csr_write<CsrNo::sie>(0);
            csr_write<CsrNo::sip>(0);
        }
    }
    leave_space();
    csr_write<CsrNo::scounteren>(0);
    say(priv == Priv::U ? "U" : "S", ": words ", run_words);
    for (unsigned cause = 0; cause < 16; ++cause) {
        if (causes[cause] != 0) say("machine: cause ", Dec{cause}, ": ", causes[cause]);
    }
    say("machine: interrupts ", interrupts);
    expect(causes[2] > 1000 && causes[3] > 1000, "the mixture is worth nothing");
}

}  // namespace

GUEST(insn_storm) {
    each_mode([](SatpMode mode) {
        storm(mode, Priv::U);
        storm(mode, Priv::S);
    });
}
