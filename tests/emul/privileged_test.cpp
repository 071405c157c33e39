// SPDX-License-Identifier: MIT
#include "emul/privileged.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <random>

#include "emul/trap.hpp"
#include "tests/emul/fake_host.hpp"
#include "tests/emul/insn.hpp"
#include "tests/ref/spec_hart.hpp"

namespace uc {
namespace {

using namespace test;

struct Privileged : testing::Test {
    GuestHart hart;
    Features features;
    FakeHost host;

    Step execute(u32 insn) { return execute_privileged({hart, features, host, 0}, insn); }
    Step illegal(u32 insn) { return {Outcome::inject({Cause::IllegalInstruction, insn}), {}}; }
};

TEST_F(Privileged, SretToUser) {
    hart.sepc = 0x4002;
    hart.sstatus.set(Sstatus::SPIE, 1);
    const Step step = execute(kSret);
    EXPECT_EQ(step, (Step{Outcome::jump(0x4002), {}}));
    EXPECT_EQ(hart.priv, Priv::U);
    EXPECT_EQ(hart.sstatus.raw, Sstatus::SIE.mask | Sstatus::SPIE.mask);
}

TEST_F(Privileged, SretToSupervisor) {
    hart.sstatus.set(Sstatus::SPP, 1).set(Sstatus::SIE, 1);
    EXPECT_EQ(execute(kSret).effect, Effect{});
    EXPECT_EQ(hart.priv, Priv::S);
    EXPECT_EQ(hart.sstatus.raw, Sstatus::SPIE.mask) << "SIE came from SPIE, SPP fell to U";
}

TEST_F(Privileged, WfiWaits) { EXPECT_EQ(execute(kWfi), (Step{Outcome::advance(4), {Effect::Kind::Wait, {}}})); }

TEST_F(Privileged, FenceOperands) {
    features.asid_bits = 9;
    features.svinval = true;
    hart.x[10] = 0xffff'ffd8'0000'0123;
    hart.x[11] = ~0ull;
    for (const auto fence : {sfence_vma, sinval_vma}) {
        const auto operands = [&](unsigned rs1, unsigned rs2) {
            const Step step = execute(fence(rs1, rs2));
            EXPECT_EQ(step.outcome, Outcome::advance(4));
            EXPECT_EQ(step.effect.kind, Effect::Kind::Fence);
            return step.effect.fence;
        };
        EXPECT_EQ(operands(0, 0), (Fence{}));
        EXPECT_EQ(operands(10, 0), (Fence{Gva{hart.x[10]}, {}}));
        EXPECT_EQ(operands(0, 11), (Fence{{}, u16{0x1ff}}));
        EXPECT_EQ(operands(10, 11), (Fence{Gva{hart.x[10]}, u16{0x1ff}}));
        EXPECT_EQ(operands(12, 12), (Fence{Gva{0}, u16{0}})) << "a register that holds 0 is not x0";
    }
    features.asid_bits = 16;
    EXPECT_EQ(execute(sfence_vma(0, 11)).effect.fence.asid, u16{0xffff});
    features.asid_bits = 0;
    EXPECT_EQ(execute(sfence_vma(0, 11)).effect.fence.asid, u16{0});
}

TEST_F(Privileged, SvinvalOnlyWhenThere) {
    const u32 all[] = {sinval_vma(0, 0), sinval_vma(1, 2), kSfenceWInval, kSfenceInvalIr};
    for (const u32 insn : all) EXPECT_EQ(execute(insn), illegal(insn));
    features.svinval = true;
    for (const u32 insn : all) EXPECT_EQ(execute(insn).outcome, Outcome::advance(4));
}

TEST_F(Privileged, UserMayDoNoneOfIt) {
    features.svinval = true;
    hart.priv = Priv::U;
    const GuestHart before = hart;
    for (const u32 insn :
         {kSret, kWfi, sfence_vma(0, 0), sfence_vma(1, 2), sinval_vma(0, 0), kSfenceWInval, kSfenceInvalIr})
        EXPECT_EQ(execute(insn), illegal(insn));
    EXPECT_EQ(hart, before);
}

TEST_F(Privileged, WhatIsLeftIsIllegal) {
    features.svinval = true;
    const GuestHart before = hart;
    const u32 words[] = {kMret,
                         0x00200073 /* uret */,
                         0x7b200073 /* dret */,
                         0x22000073 /* hfence.vvma */,
                         0x62000073 /* hfence.gvma */,
                         0x6000c073 /* hlv.b */,
                         0x10200273 /* sret with rd */,
                         kWfi | 1 << 15,
                         sfence_vma(0, 0) | 1 << 7,
                         kSfenceWInval | 2 << 20,
                         0xc0001073 /* unimp */,
                         0xffff'ffff,
                         0x0200'7053 /* fadd.d */,
                         0x0000'000b /* custom-0 */};
    for (const u32 insn : words) EXPECT_EQ(execute(insn), illegal(insn)) << std::hex << insn;
    EXPECT_EQ(hart, before);
}

TEST_F(Privileged, CompressedWordIsCutToItsSixteenBits) {
    EXPECT_EQ(execute(0xdead'0000), illegal(0));
    EXPECT_EQ(execute(0xdead'2002), illegal(0x2002));
}

TEST_F(Privileged, CsrFormsReadAndWrite) {
    const auto run = [&](Form form, unsigned source) {
        hart.sscratch = 0b1100;
        hart.x[5] = 0b1010;
        EXPECT_EQ(execute(csr_insn(form, CsrNo::sscratch, 6, source)).outcome, Outcome::advance(4));
        EXPECT_EQ(hart.x[6], 0b1100u);
        return hart.sscratch;
    };
    EXPECT_EQ(run(kCsrrw, 5), 0b1010u);
    EXPECT_EQ(run(kCsrrs, 5), 0b1110u);
    EXPECT_EQ(run(kCsrrc, 5), 0b0100u);
    EXPECT_EQ(run(kCsrrwi, 5), 0b00101u);
    EXPECT_EQ(run(kCsrrsi, 5), 0b1101u);
    EXPECT_EQ(run(kCsrrci, 5), 0b1000u);
    EXPECT_EQ(run(kCsrrw, 0), 0u) << "csrrw writes x0 too";
    EXPECT_EQ(run(kCsrrwi, 0), 0u);
    for (const Form form : {kCsrrs, kCsrrc, kCsrrsi, kCsrrci}) EXPECT_EQ(run(form, 0), 0b1100u);
}

TEST_F(Privileged, SourceAndDestinationMayBeTheSame) {
    hart.sscratch = 1;
    hart.x[4] = 2;
    (void)execute(csr_insn(kCsrrw, CsrNo::sscratch, 4, 4));
    EXPECT_EQ(hart.x[4], 1u);
    EXPECT_EQ(hart.sscratch, 2u);
}

TEST_F(Privileged, ZeroRegisterStaysZero) {
    hart.sscratch = 7;
    (void)execute(csr_insn(kCsrrs, CsrNo::sscratch, 0, 0));
    EXPECT_EQ(hart.x[0], 0u);
}

TEST_F(Privileged, TheRegisterNumberDecidesWhetherACsrIsWritten) {
    features.counters = 7;
    host.csrs[0xc01] = 99;
    EXPECT_EQ(execute(csr_insn(kCsrrs, CsrNo::time, 5, 0)).outcome, Outcome::advance(4));
    EXPECT_EQ(hart.x[5], 99u);
    const u32 sets_nothing = csr_insn(kCsrrs, CsrNo::time, 5, 6);  // x6 holds 0
    EXPECT_EQ(execute(sets_nothing), illegal(sets_nothing));
    EXPECT_EQ(execute(csr_insn(kCsrrs, CsrNo::satp, 5, 0)).effect.kind, Effect::Kind::None);
    EXPECT_EQ(execute(csr_insn(kCsrrs, CsrNo::satp, 5, 6)).effect.kind, Effect::Kind::Satp);
}

// The rest compares with the specification's transcription, instruction by instruction.

class AgainstSpec : public testing::Test {
  protected:
    std::mt19937_64 random;

    // The same for every run, unless the environment names another.
    u64 seed() {
        const char* wanted = std::getenv("UC_TEST_SEED");
        const u64 seed = wanted != nullptr ? std::strtoull(wanted, nullptr, 0) : 1;
        std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
        random.seed(seed);
        return seed;
    }

    u64 value() {
        switch (random() % 4) {
            case 0: return 0;
            case 1: return random() & random() & random();  // few bits set
            case 2: return random() | random() | random();  // few bits clear
            default: return random();
        }
    }
    bool coin() { return random() % 2 != 0; }

    Features random_features() {
        const SatpMode modes[] = {SatpMode::Sv39, SatpMode::Sv48, SatpMode::Sv57};
        Features f{.max_mode = modes[random() % 3], .asid_bits = static_cast<u16>(random() % 17)};
        for (bool Features::* flag : {&Features::fpu, &Features::vector, &Features::sstc, &Features::svinval,
                                      &Features::envcfg, &Features::zicbom, &Features::zicboz, &Features::sscofpmf})
            f.*flag = coin();
        f.counters = static_cast<u32>(value());
        return f;
    }

    // Any state that a hart with these features can be in.
    GuestHart random_hart(const Features& f) {
        GuestHart hart;
        for (unsigned n = 1; n < 32; ++n) hart.x[n] = value();
        hart.pc = value() & ~1ull;
        hart.priv = random() % 4 != 0 ? Priv::S : Priv::U;
        hart.sstatus.raw = value() & (0xc'0122 | (f.fpu ? 0x6000 : 0) | (f.vector ? 0x600 : 0));
        hart.sie.raw = value() & (f.sscofpmf ? 0x2222 : 0x222);
        hart.sip.raw = value() & (f.sscofpmf ? 0x2002 : 0x2);
        hart.stvec.raw = value() & ~2ull;
        hart.scounteren.raw = value() & f.counters;
        if (f.envcfg) hart.senvcfg.raw = value() & (0x1 | (f.zicbom ? 0x50 : 0) | (f.zicboz ? 0x80 : 0));
        hart.sscratch = value();
        hart.sepc = value() & ~1ull;
        hart.scause.raw = value();
        hart.stval = value();
        hart.satp.raw = value();
        hart.stimecmp = value();
        return hart;
    }

    // The world outside the hart, once for each side. They start equal and every comparison demands that they still
    // are.
    FakeHost host;
    ref::Outside spec_outside;

    void randomise_outside() {
        for (const unsigned number : {1u, 2u, 3u, 8u, 9u, 10u, 15u, 0xc20u, 0xc21u, 0xc22u})
            host.csrs[number] = value() & 1;
        for (unsigned n = 0; n < 32; ++n) host.csrs[0xc00 + n] = value();
        spec_outside = host.csrs;
    }

    u32 random_insn() {
        static constexpr CsrNo kKnown[] = {
            CsrNo::fflags,   CsrNo::frm,         CsrNo::fcsr,         CsrNo::vstart,  CsrNo::vxsat, CsrNo::vcsr,
            CsrNo::sstatus,  CsrNo::sstatus,     CsrNo::sie,          CsrNo::stvec,   CsrNo::satp,  CsrNo::scounteren,
            CsrNo::senvcfg,  CsrNo::sscratch,    CsrNo::sepc,         CsrNo::sip,     CsrNo::stval, CsrNo::scause,
            CsrNo::stimecmp, CsrNo::cycle,       CsrNo::time,         CsrNo::instret, CsrNo::vl,    CsrNo::scontext,
            CsrNo::satp,     CsrNo::hpmcounter3, CsrNo::hpmcounter31, CsrNo::vlenb};
        const auto reg = [&] { return static_cast<unsigned>(coin() ? random() % 32 : random() % 2); };
        switch (random() % 8) {
            case 0: return kSret;
            case 1: return coin() ? sfence_vma(reg(), reg()) : sinval_vma(reg(), reg());
            case 2: {
                const u32 words[] = {kWfi, kSfenceWInval, kSfenceInvalIr, kMret};
                return words[random() % 4];
            }
            case 3: return static_cast<u32>(random()) | (coin() ? 0x73 : 0);
            default: {
                const auto number =
                    random() % 16 == 0 ? static_cast<CsrNo>(random() % 4096) : kKnown[random() % std::size(kKnown)];
                return csr_insn(kForms[random() % 6], number, reg(), reg());
            }
        }
    }

    static Effect expected_effect(const ref::Happened& h) {
        using K = Effect::Kind;
        if (h.trapped || h.returned) return {};
        if (h.slept) return {K::Wait, {}};
        if (h.fenced) {
            Effect effect{K::Fence, {}};
            if (h.fence_address) effect.fence.va = Gva{*h.fence_address};
            if (h.fence_asid) effect.fence.asid = static_cast<u16>(*h.fence_asid);
            return effect;
        }
        switch (h.wrote.value_or(0)) {
            case 0x14d: return {K::Timer, {}};
            case 0x180: return {h.satp_refused ? K::None : K::Satp, {}};
            default: return {};
        }
    }

    // Executes `insn` both ways from the same state and demands the same hart, outside world and effect.
    void compare(const GuestHart& before, const Features& features, u64 lines, u32 insn) {
        GuestHart hart = before;
        const Step step = execute_privileged({hart, features, host, lines}, insn);
        commit(hart, step.outcome);

        ref::SpecHart spec(before, features);
        const auto happened = spec.execute(insn, (lines & 0x20) != 0, (lines & 0x200) != 0, spec_outside);
        const GuestHart expected = spec.to_guest_hart();
        ASSERT_EQ(hart, expected) << std::hex << "insn " << insn << " sstatus " << hart.sstatus.raw << " for "
                                  << expected.sstatus.raw;
        ASSERT_EQ(host.csrs, spec_outside) << std::hex << "insn " << insn;
        ASSERT_EQ(step.effect, expected_effect(happened)) << std::hex << "insn " << insn;
    }
};

TEST_F(AgainstSpec, EveryCsrNumberPrivilegeAndForm) {
    const Features all{.max_mode = SatpMode::Sv57,
                       .asid_bits = 16,
                       .fpu = true,
                       .vector = true,
                       .sstc = true,
                       .svinval = true,
                       .envcfg = true,
                       .zicbom = true,
                       .zicboz = true,
                       .sscofpmf = true,
                       .counters = 0x0f0f'0f0f};
    randomise_outside();
    GuestHart hart = random_hart(all);
    for (const Features& features : {all, Features{}})
        for (const Priv priv : {Priv::U, Priv::S})
            for (unsigned number = 0; number < 4096; ++number)
                for (const Form form : kForms)
                    for (const unsigned rd : {0u, 7u})
                        for (const unsigned source : {0u, 9u}) {
                            hart.priv = priv;
                            hart.sstatus.raw = features.fpu ? 0x2200 : 0;
                            hart.sie.raw = hart.sip.raw = hart.senvcfg.raw = 0;
                            hart.scounteren.raw = features.counters & 0x00ff'00ff;
                            compare(hart, features, 0x20, csr_insn(form, static_cast<CsrNo>(number), rd, source));
                            if (HasFatalFailure()) return;
                        }
}

TEST_F(AgainstSpec, RandomInstructions) {
    SCOPED_TRACE(testing::Message() << "repeat with UC_TEST_SEED=" << seed());
    for (unsigned n = 0; n < 300'000; ++n) {
        if (n % 64 == 0) randomise_outside();
        const Features features = random_features();
        compare(random_hart(features), features, value() & 0x220, random_insn());
        if (HasFatalFailure()) return;
    }
}

TEST_F(AgainstSpec, RandomTrapsAndInterrupts) {
    SCOPED_TRACE(testing::Message() << "repeat with UC_TEST_SEED=" << seed());
    for (unsigned n = 0; n < 60'000; ++n) {
        const Features features = random_features();
        GuestHart hart = random_hart(features);
        ref::SpecHart spec(hart, features);
        const u64 lines = value() & 0x220;
        const auto irq = next_irq(hart, hart.sip.raw | lines);
        const auto expected = spec.interrupt_to_take((lines & 0x20) != 0, (lines & 0x200) != 0);
        ASSERT_EQ(irq.has_value(), expected.has_value());
        if (irq) {
            ASSERT_EQ(static_cast<unsigned>(*irq), *expected);
            inject(hart, *irq);
            spec.take_trap(true, *expected, 0);
        } else {
            const Exception exception{static_cast<Cause>(random() % 16), value()};
            inject(hart, exception);
            spec.take_trap(false, static_cast<u64>(exception.cause), exception.tval);
        }
        ASSERT_EQ(hart, spec.to_guest_hart());
    }
}

}  // namespace
}  // namespace uc
