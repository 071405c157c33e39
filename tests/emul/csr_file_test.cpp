// SPDX-License-Identifier: MIT
#include "emul/csr_file.hpp"

#include <gtest/gtest.h>

#include <set>

#include "tests/emul/fake_host.hpp"

namespace uc {
namespace {

// A hart with everything that can be had, and shorthands for what tests say often.
struct CsrFile : testing::Test {
    GuestHart hart;
    Features features{.max_mode = SatpMode::Sv57,
                      .asid_bits = 16,
                      .fpu = true,
                      .vector = true,
                      .sstc = true,
                      .svinval = true,
                      .envcfg = true,
                      .zicbom = true,
                      .zicboz = true,
                      .sscofpmf = true,
                      .counters = ~0u};
    test::FakeHost host;
    u64 lines = 0;

    CsrContext context() { return {hart, features, host, lines}; }
    std::expected<u64, Illegal> read(CsrNo number) { return csr_read(context(), number); }
    std::expected<Effect::Kind, Illegal> write(CsrNo number, u64 value) { return csr_write(context(), number, value); }
    // Writes and reads back.
    u64 put(CsrNo number, u64 value) {
        EXPECT_TRUE(write(number, value).has_value());
        return read(number).value();
    }
};

constexpr u64 kPattern = 0x5a5a'a5a5'5aa5'a55a;

TEST_F(CsrFile, TableIsSaneAndComplete) {
    std::set<unsigned> numbers;
    for (const Csr& csr : csr_table()) {
        EXPECT_FALSE(csr.name.empty());
        EXPECT_LE(csr.first, csr.last);
        for (auto n = static_cast<unsigned>(csr.first); n <= static_cast<unsigned>(csr.last); ++n) {
            EXPECT_TRUE(numbers.insert(n).second) << csr.name << " overlaps another row";
            // Privileged 1.12, 2.1: the address itself says who may do what.
            EXPECT_EQ(static_cast<unsigned>(csr.lowest), n >> 8 & 3) << csr.name;
            EXPECT_EQ(csr.write_mask == 0, n >> 10 == 3) << csr.name;
        }
        EXPECT_EQ(csr.write_mask & ~csr.read_mask, 0u) << csr.name << " has bits that are written but never seen";
    }
    EXPECT_EQ(numbers.size(), 7u + 12u + 32u + 3u);
}

TEST_F(CsrFile, PlainRegistersKeepAllBits) {
    for (const CsrNo number : {CsrNo::sscratch, CsrNo::scause, CsrNo::stval})
        for (const u64 value : {u64{0}, ~u64{0}, kPattern}) EXPECT_EQ(put(number, value), value);
    EXPECT_EQ(hart.sscratch, kPattern);
    EXPECT_EQ(hart.scause.raw, kPattern);
    EXPECT_EQ(hart.stval, kPattern);
}

TEST_F(CsrFile, SepcHasNoLowBit) {
    EXPECT_EQ(put(CsrNo::sepc, ~0ull), ~1ull);
    EXPECT_EQ(hart.sepc, ~1ull);
}

TEST_F(CsrFile, SstatusFields) {
    constexpr u64 kUxl64 = 2ull << 32;
    EXPECT_EQ(read(CsrNo::sstatus), kUxl64);
    EXPECT_EQ(put(CsrNo::sstatus, ~0ull), 1ull << 63 | kUxl64 | 0xc'6722);
    EXPECT_EQ(hart.sstatus.raw, 0xc'6722u) << "derived fields are not state";
    EXPECT_EQ(put(CsrNo::sstatus, 0), kUxl64);
}

TEST_F(CsrFile, SstatusWithoutExtensionState) {
    features.fpu = features.vector = false;
    EXPECT_EQ(put(CsrNo::sstatus, ~0ull), (2ull << 32) | 0xc'0122);
    features.fpu = true;
    EXPECT_EQ(put(CsrNo::sstatus, ~0ull), 1ull << 63 | (2ull << 32) | 0xc'6122);
    features.fpu = false, features.vector = true;
    EXPECT_EQ(put(CsrNo::sstatus, 0xc'6722), 1ull << 63 | (2ull << 32) | 0xc'0722);
}

TEST_F(CsrFile, SdFollowsEitherState) {
    for (u64 fs = 0; fs < 4; ++fs)
        for (u64 vs = 0; vs < 4; ++vs)
            EXPECT_EQ(put(CsrNo::sstatus, fs << 13 | vs << 9) >> 63, u64{fs == 3 || vs == 3}) << fs << " " << vs;
}

TEST_F(CsrFile, InterruptRegisters) {
    EXPECT_EQ(put(CsrNo::sie, ~0ull), 0x2222u);
    EXPECT_EQ(write(CsrNo::sie, 0), Effect::Kind::None);
    EXPECT_EQ(put(CsrNo::sip, ~0ull), 0x2002u) << "STIP and SEIP are read-only";
    lines = irq_bit(Irq::STI) | irq_bit(Irq::SEI);
    EXPECT_EQ(put(CsrNo::sip, 0), 0x220u);
    EXPECT_EQ(hart.sip.raw, 0u);
    EXPECT_EQ(write(CsrNo::sip, 2), Effect::Kind::None);
    features.sscofpmf = false;
    lines = 0;
    EXPECT_EQ(put(CsrNo::sie, ~0ull), 0x222u);
    EXPECT_EQ(put(CsrNo::sip, ~0ull), 0x2u);
}

TEST_F(CsrFile, StvecRefusesReservedModes) {
    EXPECT_EQ(put(CsrNo::stvec, 0xffff'ffff'8000'0001), 0xffff'ffff'8000'0001u);
    EXPECT_EQ(put(CsrNo::stvec, 0x1002), 0xffff'ffff'8000'0001u);
    EXPECT_EQ(put(CsrNo::stvec, 0x1003), 0xffff'ffff'8000'0001u);
    EXPECT_EQ(put(CsrNo::stvec, 0x1000), 0x1000u);
}

TEST_F(CsrFile, SatpTakesSupportedModesOnly) {
    constexpr u64 kRest = 0x0fff'f0ff'ffff'ffff;
    for (const auto& [max, last] : {std::pair{SatpMode::Sv39, 8u}, {SatpMode::Sv48, 9u}, {SatpMode::Sv57, 10u}}) {
        features.max_mode = max;
        for (u64 mode = 0; mode < 16; ++mode) {
            hart.satp.raw = 42;
            const bool supported = mode == 0 || (mode >= 8 && mode <= last);
            EXPECT_EQ(write(CsrNo::satp, mode << 60 | kRest), supported ? Effect::Kind::Satp : Effect::Kind::None);
            EXPECT_EQ(read(CsrNo::satp), supported ? mode << 60 | kRest : 42) << mode;
        }
    }
}

TEST_F(CsrFile, SatpKeepsImplementedAsidBits) {
    for (u16 bits = 0; bits <= 16; ++bits) {
        features.asid_bits = bits;
        EXPECT_EQ(put(CsrNo::satp, 8ull << 60 | 0x0fff'ffff'ffff'ffff) >> 44 & 0xffff, (1ull << bits) - 1);
    }
}

TEST_F(CsrFile, SenvcfgFollowsFeatures) {
    EXPECT_EQ(put(CsrNo::senvcfg, ~0ull), 0xf1u);
    EXPECT_EQ(put(CsrNo::senvcfg, 2 << 4), 3u << 4) << "the reserved CBIE keeps the field";
    EXPECT_EQ(put(CsrNo::senvcfg, 1 << 4), 1u << 4);
    features.zicbom = false;
    hart.senvcfg.raw = 0;
    EXPECT_EQ(put(CsrNo::senvcfg, ~0ull), 0x81u);
    features.zicboz = false;
    EXPECT_EQ(put(CsrNo::senvcfg, ~0ull), 0x1u);
    features.envcfg = false;
    EXPECT_EQ(read(CsrNo::senvcfg), std::unexpected(Illegal{}));
}

TEST_F(CsrFile, StimecmpNeedsSstc) {
    EXPECT_EQ(write(CsrNo::stimecmp, kPattern), Effect::Kind::Timer);
    EXPECT_EQ(hart.stimecmp, kPattern);
    features.sstc = false;
    EXPECT_EQ(read(CsrNo::stimecmp), std::unexpected(Illegal{}));
    EXPECT_EQ(write(CsrNo::stimecmp, 0), std::unexpected(Illegal{}));
    EXPECT_EQ(hart.stimecmp, kPattern);
}

TEST_F(CsrFile, CountersForUserByScounteren) {
    features.counters = 0x15;  // cycle, instret, hpmcounter4: time and the rest do not exist
    EXPECT_EQ(put(CsrNo::scounteren, ~0ull), 0x15u);
    EXPECT_EQ(write(CsrNo::scounteren, 4), Effect::Kind::None);
    for (unsigned n = 0; n < 32; ++n) {
        const auto number = static_cast<CsrNo>(0xc00 + n);
        host.csrs[0xc00 + n] = 1000 + n;
        const bool exists = (0x15 >> n & 1) != 0;
        hart.priv = Priv::S;
        EXPECT_EQ(read(number).has_value(), exists) << n;
        hart.priv = Priv::U;
        EXPECT_EQ(read(number).has_value(), n == 2) << n;
        EXPECT_FALSE(write(number, 0).has_value());
    }
    EXPECT_EQ(read(CsrNo::instret), 1002u);
}

TEST_F(CsrFile, FloatingPointNeedsFs) {
    host.csrs = {{1, 0x1f}, {2, 7}, {3, 0xff}};
    for (const Priv priv : {Priv::U, Priv::S})
        for (const CsrNo number : {CsrNo::fflags, CsrNo::frm, CsrNo::fcsr}) {
            hart.priv = priv;
            hart.sstatus.raw = 0;
            EXPECT_FALSE(read(number).has_value());
            EXPECT_FALSE(write(number, 0).has_value());
            hart.sstatus.set(Sstatus::FS, 2);
            EXPECT_EQ(read(number), host.csrs[static_cast<unsigned>(number)]);
            EXPECT_EQ(hart.sstatus.get(Sstatus::FS), 2u) << "reading does not dirty";
            EXPECT_EQ(write(number, ~0ull), Effect::Kind::None);
            EXPECT_EQ(hart.sstatus.get(Sstatus::FS), 3u);
        }
    EXPECT_EQ(host.csrs, (std::map<unsigned, u64>{{1, 0x1f}, {2, 7}, {3, 0xff}})) << "unused bits are not passed on";
}

TEST_F(CsrFile, VectorNeedsVs) {
    hart.priv = Priv::U;
    for (const CsrNo number :
         {CsrNo::vstart, CsrNo::vxsat, CsrNo::vxrm, CsrNo::vcsr, CsrNo::vl, CsrNo::vtype, CsrNo::vlenb}) {
        const bool read_only = number >= CsrNo::vl;
        host.csrs[static_cast<unsigned>(number)] = 1;
        hart.sstatus.raw = Sstatus::FS.mask;
        EXPECT_FALSE(read(number).has_value());
        hart.sstatus.set(Sstatus::VS, 1);
        EXPECT_EQ(read(number), 1u);
        EXPECT_EQ(write(number, 0).has_value(), !read_only);
        EXPECT_EQ(hart.sstatus.get(Sstatus::VS), read_only ? 1u : 3u);
    }
}

TEST_F(CsrFile, UserReachesNoSupervisorRegister) {
    hart.priv = Priv::U;
    for (const Csr& csr : csr_table()) {
        if (csr.lowest == Priv::U) continue;
        EXPECT_FALSE(read(csr.first).has_value()) << csr.name;
        EXPECT_FALSE(write(csr.first, 0).has_value()) << csr.name;
    }
}

TEST_F(CsrFile, WhatTheGuestDoesNotHave) {
    for (const unsigned number :
         {0x5a8u /* scontext */, 0x200u /* vsstatus */, 0x600u /* hstatus */, 0x300u /* mstatus */,
          0x102u /* sedeleg */, 0x10cu /* sstateen0 */, 0xf14u /* mhartid */, 0x7a0u /* tselect */}) {
        EXPECT_FALSE(read(static_cast<CsrNo>(number)).has_value()) << number;
        EXPECT_FALSE(write(static_cast<CsrNo>(number), 0).has_value()) << number;
    }
}

}  // namespace
}  // namespace uc
