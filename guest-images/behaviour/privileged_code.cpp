// SPDX-License-Identifier: MIT
// Privileged instructions executed many times, on a page that is read, rewritten, shared with the user and entered in
// the middle of an instruction: whoever emulates them must not leave traces.

#include "guest-images/behaviour/rt/space.hpp"

using namespace uc;
using namespace uc::rt;

namespace {

constexpr u64 kCode = 0x21'0000'0000;
constexpr u64 kAlias = 0x22'0000'0000;  // the same page as data
constexpr u64 kUsers = 0x23'0000'0000;  // and as the user's code

constexpr u32 kEcall = 0x00000073;
// The runtime's own trap entry relies on sscratch, so what is put there comes back at once.
constexpr u32 kSwap = csr_insn(Csrrw, CsrNo::sscratch, a0, a1);
constexpr u32 kSwapBack = csr_insn(Csrrw, CsrNo::sscratch, a2, a0);  // its upper half alone is c.addi s0, -31
constexpr u32 kRead = csr_insn(Csrrs, CsrNo::sscratch, a0, 0);
constexpr u32 kReadAgain = csr_insn(Csrrs, CsrNo::sscratch, a3, 0);
constexpr u32 kSetEnable = csr_insn(Csrrsi, CsrNo::sstatus, 0, 2);
constexpr u32 kClearEnable = csr_insn(Csrrci, CsrNo::sstatus, a2, 2);
constexpr u32 kAbsent = csr_insn(Csrrs, 0x5c0, a0, 0);
constexpr u16 kNop16 = 0x0001;

void write32(u64 at, u32 word) {
    *reinterpret_cast<volatile u16*>(at) = static_cast<u16>(word);
    *reinterpret_cast<volatile u16*>(at + 2) = static_cast<u16>(word >> 16);
}
u32 read32(u64 at) {
    return *reinterpret_cast<volatile u16*>(at) | static_cast<u32>(*reinterpret_cast<volatile u16*>(at + 2)) << 16;
}
void write_code(u64 at, std::initializer_list<u32> words) {
    for (const u32 word : words) write32(at, word), at += 4;
    write32(at, kEbreak);
    fence_i();
}

/// Many rounds of sscratch exchanged for the round's number, which comes back.
void swaps(const char* what, u64 code) {
    u64 sum = 0;
    for (u64 round = 1; round <= 50; ++round) {
        const Frame frame = call(code, Priv::S, {0, round});
        expect(frame.completed() && frame.x[a2] == round, what, " round ", round);
        sum += frame.x[a2];
    }
    say(what, ": sum ", sum);
}

void illegal(const char* what, u64 code, Priv priv, u32 word) {
    for (int round = 0; round < 3; ++round) {
        const Frame frame = call(code, priv, {0, 1});
        expect(frame.trapped(Cause::IllegalInstruction) && frame.pc == code && (frame.tval == 0 || frame.tval == word),
               what);
    }
    say(what, ": illegal");
}

/// `code` executes, `data` reads and writes the page; `users` is 0 where the user has no way to it.
void try_page(u64 code, u64 data, u64 users) {
    write_code(data, {kSwap, kSwapBack});
    swaps("exchanged", code);
    expect(read32(data) == kSwap && read32(data + 8) == kEbreak, "read back as data");
    swaps("after reading it as data", code);
    expect(read32(code) == kSwap && read32(code + 8) == kEbreak, "read back where it is executed");
    swaps("after reading it as code", code);

    const Frame half = call(code + 6, Priv::S);
    say("from its middle: ", Ended{half, code});
    swaps("after its middle", code);

    if (users) {
        illegal("by the user", users, Priv::U, kSwap);
        swaps("after the user", code);
    }

    write_code(data, {kRead, kClearEnable, kSetEnable, kReadAgain});
    for (int round = 0; round < 3; ++round) {
        const Frame frame = call(code, Priv::S);
        expect(frame.completed() && frame.x[a0] == frame.x[a3] && (frame.x[a2] & 2) == 0, "rewritten");
    }
    say("rewritten: ok");

    // An ecall of the supervisor's own, between instructions that trap: SBI's Base extension, its specification's
    // version.
    write_code(data, {kRead, kEcall, kClearEnable});
    for (int round = 0; round < 3; ++round) {
        const Frame frame = call(code, Priv::S, {0, 0, 0, 0, 0, 0, 0, 0x10});
        expect(frame.completed() && frame.x[a0] == 0 && frame.x[a1] >> 24 <= 3, "an ecall among them");
    }
    say("an ecall among them: ok");

    // Off by two, at the very end of the page, and not there at all.
    *reinterpret_cast<volatile u16*>(data) = kNop16;
    write_code(data + 2, {kSwap, kSwapBack});
    swaps("at half a word", code);
    write_code(data + 4096 - 12, {kSwap, kSwapBack});
    swaps("at the end of the page", code + 4096 - 12);
    write_code(data, {kAbsent});
    illegal("a CSR that is not there", code, Priv::S, kAbsent);
}

}  // namespace

GUEST(privileged_code) {
    const u64 page = new_page();
    say("untranslated");
    try_page(page, page, 0);
    each_mode([&](SatpMode mode) {
        Space space(mode);
        space.map(kCode, page, kV | kR | kX | kA);
        space.map(kAlias, page, kRw);
        space.map(kUsers, page, kV | kR | kX | kA | kU);
        space.enter();
        say("through an alias");
        try_page(kCode, kAlias, kUsers);
        say("through identity");
        try_page(page, page, kUsers);
        space.map(kCode, page, kV | kX | kA);
        sfence();
        write_code(kAlias, {kSwap, kSwapBack});
        swaps("execute-only", kCode);
        leave_space();
    });
}
