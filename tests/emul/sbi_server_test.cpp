// SPDX-License-Identifier: MIT
#include "emul/sbi_server.hpp"

#include "tests/emul/sbi_scene.hpp"

namespace uc {
namespace {

using namespace test;

TEST_F(SbiTest, BaseTellsWhoWeAre) {
    EXPECT_EQ(call(Ext::Base, 0), gives(0x0200'0000));
    EXPECT_EQ(call(Ext::Base, 1), gives(0x5543));
    EXPECT_EQ(call(Ext::Base, 2), gives(kSbiImplVersion));
    EXPECT_EQ(call(Ext::Base, 4), gives(0x1111));
    EXPECT_EQ(call(Ext::Base, 5), gives(0x8000'0000'0000'2222));
    EXPECT_EQ(call(Ext::Base, 6), gives(0x3333));
    EXPECT_EQ(call(Ext::Base, 7), fails(Error::NotSupported));
}

constexpr u64 kOffered[] = {0,          1,          2,          3,          4,          5,          6,
                            7,          8,          0x10,       0x54494D45, 0x735049,   0x52464E43, 0x48534D,
                            0x53525354, 0x4442434E, 0x0A005543, 0x504D55,   0x53555350, 0x535441,   0x46574654};
constexpr u64 kAbsent[] = {
    9, 0xf, 0x11, 0x43505043, 0x0A000000, 0x0A005542, 0x0A005544, 0x1'0000'0010ull, 0xffff'ffff'ffff'ffffull};

TEST_F(SbiTest, ProbeNamesWhatIsOffered) {
    for (const u64 eid : kOffered) EXPECT_EQ(call(Ext::Base, 3, {eid}), gives(1)) << std::hex << eid;
    for (const u64 eid : kAbsent) EXPECT_EQ(call(Ext::Base, 3, {eid}), gives(0)) << std::hex << eid;
}

TEST_F(SbiTest, UnknownExtensionsAndFunctionsAreNotSupported) {
    for (const u64 eid : kAbsent) {
        for (const u64 fid : {0ull, 1ull, ~0ull})
            EXPECT_EQ(call(eid, fid), fails(Error::NotSupported)) << std::hex << eid;
    }
    const struct {
        Ext eid;
        u64 first_absent;
    } kFunctions[] = {{Ext::Base, 7}, {Ext::Time, 1}, {Ext::Ipi, 1},  {Ext::Rfence, 3}, {Ext::Hsm, 4}, {Ext::Srst, 1},
                      {Ext::Dbcn, 3}, {Ext::Pmu, 7},  {Ext::Susp, 1}, {Ext::Sta, 1},    {Ext::Fwft, 2}};
    for (const auto& f : kFunctions) {
        for (u64 fid = f.first_absent; fid < 16; ++fid) EXPECT_EQ(call(f.eid, fid), fails(Error::NotSupported));
        for (const u64 fid : {1ull << 32, ~0ull}) EXPECT_EQ(call(f.eid, fid), fails(Error::NotSupported));
    }
    EXPECT_TRUE(backend.events.empty());
}

TEST_F(SbiTest, TimerIsTheCallersOwn) {
    self = 3;
    EXPECT_EQ(call(Ext::Time, 0, {12345}), gives(0));
    EXPECT_EQ(call(Ext::Time, 0, {~0ull}), gives(0));
    EXPECT_EQ(backend.events, (std::vector<Event>{{Kind::Timer, 3, 12345}, {Kind::Timer, 3, ~0ull}}));
}

TEST_F(SbiTest, HartMasks) {
    const struct {
        u64 mask, base;
        Error error;
        std::vector<u64> harts;
    } kCases[] = {
        {0b10011, 0, Error::Success, {0, 1, 4}},
        {0b11, 3, Error::Success, {3, 4}},
        {1, 4, Error::Success, {4}},
        {0, 0, Error::Success, {}},
        {0, 4, Error::Success, {}},
        {0, ~0ull, Error::Success, {0, 1, 2, 3, 4}},
        {~0ull, ~0ull, Error::Success, {0, 1, 2, 3, 4}},
        {0b100000, 0, Error::InvalidParam, {}},
        {0b100001, 0, Error::InvalidParam, {}},
        {1ull << 63, 0, Error::InvalidParam, {}},
        {0b10, 4, Error::InvalidParam, {}},
        {0, 5, Error::InvalidParam, {}},
        {1, 5, Error::InvalidParam, {}},
        {~0ull, 0, Error::InvalidParam, {}},
        {1, ~0ull - 1, Error::InvalidParam, {}},
        {1ull << 63, ~0ull - 63, Error::InvalidParam, {}},
    };
    for (const auto& c : kCases) {
        for (const bool ipi : {true, false}) {
            backend.events.clear();
            EXPECT_EQ(ipi ? call(Ext::Ipi, 0, {c.mask, c.base}) : call(Ext::Rfence, 0, {c.mask, c.base}),
                      fails(c.error))
                << c.mask << " " << c.base;
            std::vector<Event> expected;
            for (const u64 v : c.harts) expected.push_back({ipi ? Kind::Ipi : Kind::FenceI, v});
            EXPECT_EQ(backend.events, expected) << c.mask << " " << c.base;
        }
    }
}

TEST_F(SbiTest, MasksReachBeyondSixtyFourHarts) {
    backend.states.assign(130, sbi::hsm::Started);
    EXPECT_EQ(call(Ext::Ipi, 0, {1ull << 63 | 1, 64}), gives(0));
    EXPECT_EQ(backend.events, on(Kind::Ipi, {64, 127}));
    backend.events.clear();
    EXPECT_EQ(call(Ext::Ipi, 0, {0b11, 128}), gives(0));
    EXPECT_EQ(backend.events, on(Kind::Ipi, {128, 129}));
    EXPECT_EQ(call(Ext::Ipi, 0, {0b100, 128}), fails(Error::InvalidParam));
    backend.events.clear();
    EXPECT_EQ(call(Ext::Ipi, 0, {0, ~0ull}), gives(0));
    EXPECT_EQ(backend.events.size(), 130u);
}

TEST_F(SbiTest, RemoteSfenceRanges) {
    const SfenceRange everything{Gva{0}, ~0ull, {}};
    const u64 top = ~0ull << 12;
    const struct {
        u64 start, size;
        Error error;
        std::optional<SfenceRange> range;
    } kCases[] = {
        {0, 0, Error::Success, everything},
        {0, ~0ull, Error::Success, everything},
        {0x1234, ~0ull, Error::Success, everything},
        {0x1000, 0, Error::Success, {}},
        {0x1000, 1, Error::Success, SfenceRange{Gva{0x1000}, 1, {}}},
        {0, 0x2000, Error::Success, SfenceRange{Gva{0}, 0x2000, {}}},
        {top, 0x1000, Error::Success, SfenceRange{Gva{top}, 0x1000, {}}},
        {top, 0x1001, Error::InvalidAddress, {}},
        {~0ull, 1, Error::Success, SfenceRange{Gva{~0ull}, 1, {}}},
        {~0ull, 2, Error::InvalidAddress, {}},
        {2, ~0ull - 1, Error::Success, SfenceRange{Gva{2}, ~0ull - 1, {}}},
        {3, ~0ull - 1, Error::InvalidAddress, {}},
    };
    for (const auto& c : kCases) {
        for (const bool with_asid : {false, true}) {
            backend.events.clear();
            EXPECT_EQ(call(Ext::Rfence, with_asid ? 2 : 1, {0b110, 0, c.start, c.size, 0xabcd'0000'0000'1234}),
                      fails(c.error))
                << c.start << " " << c.size;
            std::vector<Event> expected;
            if (c.range) {
                SfenceRange range = *c.range;
                if (with_asid) range.asid = u16{0x1234};
                expected = sfences({1, 2}, range);
            }
            EXPECT_EQ(backend.events, expected) << c.start << " " << c.size;
        }
    }
    backend.events.clear();
    EXPECT_EQ(call(Ext::Rfence, 1, {1, 5, 0, 0}), fails(Error::InvalidParam));
    EXPECT_TRUE(backend.events.empty());
}

TEST_F(SbiTest, HartStart) {
    const struct {
        u64 hart, pc;
        Error error;
    } kCases[] = {
        {5, kRam, Error::InvalidParam},
        {~0ull, kRam, Error::InvalidParam},
        {1ull << 32 | 1, kRam, Error::InvalidParam},
        {1, 0, Error::InvalidAddress},
        {1, kRam - 2, Error::InvalidAddress},
        {1, kRam + 1, Error::InvalidAddress},
        {1, kRamEnd, Error::InvalidAddress},
        {1, ~0ull - 1, Error::InvalidAddress},
        {0, kRam, Error::AlreadyAvailable},
        {2, kRam, Error::AlreadyAvailable},
        {3, kRam, Error::AlreadyAvailable},
        {4, kRam, Error::AlreadyAvailable},
    };
    for (const auto& c : kCases)
        EXPECT_EQ(call(Ext::Hsm, 0, {c.hart, c.pc, 7}), fails(c.error)) << c.hart << " " << c.pc;
    EXPECT_TRUE(backend.events.empty());
    EXPECT_EQ(call(Ext::Hsm, 0, {1, kRamEnd - 2, 0xfeed'0000'0000'beef}), gives(0));
    EXPECT_EQ(backend.events, (std::vector<Event>{{Kind::Start, 1, kRamEnd - 2, 0xfeed'0000'0000'beef}}));
}

TEST_F(SbiTest, HartStopLeaves) {
    self = 2;
    EXPECT_EQ(raw_call(static_cast<u64>(Ext::Hsm), 1, {}), Outcome::leave());
    EXPECT_EQ(backend.events, on(Kind::Stop, {2}));
}

TEST_F(SbiTest, HartStatus) {
    for (u64 v = 0; v < backend.states.size(); ++v) EXPECT_EQ(call(Ext::Hsm, 2, {v}), gives(backend.states[v]));
    for (const u64 v : {5ull, 1ull << 32, ~0ull}) EXPECT_EQ(call(Ext::Hsm, 2, {v}), fails(Error::InvalidParam));
}

TEST_F(SbiTest, RetentiveSuspendReturns) {
    for (const u64 type : {0ull, 0xffff'ffff'0000'0000ull}) {
        backend.events.clear();
        EXPECT_EQ(call(Ext::Hsm, 3, {type, ~0ull, 9}), gives(0)) << "resume_addr is unused";
        EXPECT_EQ(backend.events, (std::vector<Event>{{Kind::Suspend, 0, true}}));
    }
}

TEST_F(SbiTest, NonRetentiveSuspendResumesElsewhere) {
    self = 2;
    for (const u64 type : {0x8000'0000ull, 0xffff'ffff'8000'0000ull}) {
        backend.events.clear();
        hart.satp.raw = 0x8000'0000'0008'0000;
        hart.sstatus.set(Sstatus::SIE, 1).set(Sstatus::SUM, 1);
        hart.sie.raw = 0x222;
        EXPECT_EQ(raw_call(static_cast<u64>(Ext::Hsm), 3, {type, kRam + 0x100, 0xabc}), Outcome::jump(kRam + 0x100));
        EXPECT_EQ(hart.get_x(kA0), 2u);
        EXPECT_EQ(hart.get_x(kA1), 0xabcu);
        EXPECT_EQ(hart.satp.raw, 0u);
        EXPECT_EQ(hart.sstatus.get(Sstatus::SIE), 0u);
        EXPECT_EQ(hart.priv, Priv::S);
        EXPECT_EQ(hart.sie.raw, 0x222u) << "what wakes it must stay";
        EXPECT_EQ(backend.events, (std::vector<Event>{{Kind::Suspend, 2, false}}));
    }
}

TEST_F(SbiTest, SuspendRejectsWhatItCannotDo) {
    hart.satp.raw = 0x8000'0000'0008'0000;
    for (const u64 type : {0x1ull, 0x0fff'ffffull, 0x1000'0000ull, 0x7fff'ffffull, 0x8000'0001ull, 0x8fff'ffffull,
                           0x9000'0000ull, 0xffff'ffffull})
        EXPECT_EQ(call(Ext::Hsm, 3, {type, kRam, 0}), fails(Error::InvalidParam)) << std::hex << type;
    for (const u64 resume : {u64{0}, kRam - 2, kRam + 1, kRamEnd, ~u64{0}})
        EXPECT_EQ(call(Ext::Hsm, 3, {0x8000'0000, resume, 0}), fails(Error::InvalidAddress)) << std::hex << resume;
    EXPECT_EQ(hart.satp.raw, 0x8000'0000'0008'0000u);
    EXPECT_TRUE(backend.events.empty());
}

TEST_F(SbiTest, SystemReset) {
    const u64 high = 0xffff'ffffull << 32;
    for (u64 type = 0; type < 3; ++type) {
        for (u64 reason = 0; reason < 2; ++reason) {
            backend.events.clear();
            EXPECT_EQ(raw_call(static_cast<u64>(Ext::Srst), 0, {type | high, reason | high}), Outcome::leave());
            EXPECT_EQ(backend.events, (std::vector<Event>{{Kind::Reset, 0, type, reason}}));
        }
    }
    backend.events.clear();
    for (const u64 type : {0x3ull, 0xefff'ffffull, 0xf000'0000ull, 0xffff'ffffull, ~0ull})
        EXPECT_EQ(call(Ext::Srst, 0, {type, 0}), fails(Error::InvalidParam)) << type;
    for (const u64 reason : {0x2ull, 0xdfff'ffffull, 0xe000'0000ull, 0xefff'ffffull, 0xf000'0000ull, ~0ull})
        EXPECT_EQ(call(Ext::Srst, 0, {0, reason}), fails(Error::InvalidParam)) << reason;
    EXPECT_TRUE(backend.events.empty());
}

TEST_F(SbiTest, DebugConsoleRanges) {
    backend.input = "typed";
    for (const u64 fid : {0ull, 1ull}) {
        EXPECT_EQ(call(Ext::Dbcn, fid, {1, kRam, 1}), fails(Error::InvalidParam)) << "above 64 bits";
        EXPECT_EQ(call(Ext::Dbcn, fid, {0, kRam, ~0ull}), fails(Error::InvalidParam));
        EXPECT_EQ(call(Ext::Dbcn, fid, {1, kRam - 1, 0}), fails(Error::InvalidParam));
        EXPECT_EQ(call(Ext::Dbcn, fid, {1, kRamEnd, 0}), fails(Error::InvalidParam));
        EXPECT_EQ(call(Ext::Dbcn, fid, {2, kRamEnd - 1, 0}), fails(Error::InvalidParam));
        EXPECT_EQ(call(Ext::Dbcn, fid, {FakeSbiBackend::kRamSize + 1, kRam, 0}), fails(Error::InvalidParam));
        EXPECT_EQ(call(Ext::Dbcn, fid, {~0ull, kRam, 0}), fails(Error::InvalidParam)) << "wraps";
        EXPECT_EQ(call(Ext::Dbcn, fid, {~0ull - kRam + 1, kRam, 0}), fails(Error::InvalidParam)) << "to the very end";
        EXPECT_EQ(call(Ext::Dbcn, fid, {0, kRam, 0}), gives(0));
    }
    EXPECT_EQ(backend.output, "");
    EXPECT_EQ(backend.input, "typed");
}

TEST_F(SbiTest, DebugConsoleWrites) {
    std::string text;
    for (unsigned i = 0; i < 1000; ++i) text += static_cast<char>(i * 7);
    std::copy(text.begin(), text.end(), backend.ram.end() - 1000);
    EXPECT_EQ(call(Ext::Dbcn, 0, {1000, kRamEnd - 1000, 0}), gives(1000));
    EXPECT_EQ(backend.output, text);
    backend.output.clear();
    backend.output_room = 300;
    EXPECT_EQ(call(Ext::Dbcn, 0, {1000, kRamEnd - 1000, 0}), gives(300));
    EXPECT_EQ(backend.output, text.substr(0, 300));
    EXPECT_EQ(call(Ext::Dbcn, 0, {1000, kRamEnd - 1000, 0}), gives(0)) << "full: no bytes, no error";
}

TEST_F(SbiTest, DebugConsoleDoesABoundedPartOfHugeRequests) {
    const u64 written = call(Ext::Dbcn, 0, {FakeSbiBackend::kRamSize, kRam, 0}).value;
    EXPECT_GT(written, 0u);
    EXPECT_LE(written, 4096u);
    EXPECT_EQ(backend.output.size(), written);
}

TEST_F(SbiTest, DebugConsoleReads) {
    EXPECT_EQ(call(Ext::Dbcn, 1, {16, kRam, 0}), gives(0));
    std::fill(backend.ram.begin(), backend.ram.end(), u8{0xee});
    backend.input = "hello";
    EXPECT_EQ(call(Ext::Dbcn, 1, {3, kRam + 1, 0}), gives(3));
    EXPECT_EQ(call(Ext::Dbcn, 1, {100, kRam + 4, 0}), gives(2));
    EXPECT_EQ(std::string(backend.ram.begin(), backend.ram.begin() + 7), "\xeehello\xee");
    backend.input.assign(600, 'x');
    EXPECT_EQ(call(Ext::Dbcn, 1, {600, kRamEnd - 600, 0}), gives(600));
    EXPECT_EQ(backend.ram.back(), 'x');
    EXPECT_EQ(backend.ram[FakeSbiBackend::kRamSize - 601], 0xee);
}

TEST_F(SbiTest, ByteWritesWaitForRoom) {
    EXPECT_EQ(call(Ext::Dbcn, 2, {0xffff'ff41}), gives(0));
    EXPECT_EQ(legacy(Ext::LegacyPutchar, {0xffff'ff42}), 0);
    backend.output_room = 0;
    EXPECT_EQ(raw_call(static_cast<u64>(Ext::Dbcn), 2, {'C'}), Outcome::retry());
    EXPECT_EQ(hart.get_x(kA0), static_cast<u64>('C')) << "the ecall can run again";
    EXPECT_EQ(hart.get_x(kA1), kUntouched);
    EXPECT_EQ(raw_call(static_cast<u64>(Ext::LegacyPutchar), 0, {'D'}), Outcome::retry());
    EXPECT_EQ(hart.get_x(kA0), static_cast<u64>('D'));
    EXPECT_EQ(backend.output, "AB");
}

TEST_F(SbiTest, LegacyTimerConsoleAndShutdown) {
    self = 1;
    EXPECT_EQ(legacy(Ext::LegacySetTimer, {99}), 0);
    EXPECT_EQ(backend.events, (std::vector<Event>{{Kind::Timer, 1, 99}}));
    EXPECT_EQ(legacy(Ext::LegacyGetchar), -1);
    backend.input = "\xff";
    EXPECT_EQ(legacy(Ext::LegacyGetchar), 0xff);
    backend.events.clear();
    EXPECT_EQ(raw_call(static_cast<u64>(Ext::LegacyShutdown), 0, {}), Outcome::leave());
    EXPECT_EQ(backend.events, (std::vector<Event>{{Kind::Reset, 0, sbi::srst::Shutdown, sbi::srst::None}}));
}

TEST_F(SbiTest, LegacyClearIpiTellsWhetherThereWasOne) {
    hart.sip.set(Sip::SSIP, 1);
    EXPECT_GT(legacy(Ext::LegacyClearIpi), 0);
    EXPECT_EQ(hart.sip.raw, 0u);
    EXPECT_EQ(legacy(Ext::LegacyClearIpi), 0);
}

TEST_F(SbiTest, LegacyHartMasksAreReadThroughTheGuest) {
    backend.mask_word = 0xffff'ffff'ffff'ff16;  // bits of harts that are not there are ignored
    EXPECT_EQ(legacy(Ext::LegacySendIpi, {0xffff'ffd0'0000'1000}), 0);
    EXPECT_EQ(backend.events, on(Kind::Ipi, {1, 2, 4}));
    EXPECT_EQ(backend.mask_reads, (std::vector<u64>{0xffff'ffd0'0000'1000}));
    backend.events.clear();
    EXPECT_EQ(legacy(Ext::LegacyRemoteFenceI, {0x1000}), 0);
    EXPECT_EQ(backend.events, on(Kind::FenceI, {1, 2, 4}));
    backend.events.clear();
    EXPECT_EQ(legacy(Ext::LegacyRemoteSfenceVma, {0x1000, 0x2000, 0x3000}), 0);
    EXPECT_EQ(backend.events, sfences({1, 2, 4}, {Gva{0x2000}, 0x3000, {}}));
    backend.events.clear();
    EXPECT_EQ(legacy(Ext::LegacyRemoteSfenceVmaAsid, {0x1000, 0, 0, 0x1'0007}), 0);
    EXPECT_EQ(backend.events, sfences({1, 2, 4}, {Gva{0}, ~0ull, u16{7}}));
    backend.events.clear();
    EXPECT_EQ(legacy(Ext::LegacyRemoteSfenceVma, {0x1000, ~0ull, 2}), static_cast<i64>(Error::InvalidAddress));
    EXPECT_EQ(legacy(Ext::LegacyRemoteSfenceVma, {0x1000, 0x5000, 0}), 0) << "no byte, no fence";
    EXPECT_TRUE(backend.events.empty());
}

TEST_F(SbiTest, LegacyNullMaskMeansEveryHart) {
    EXPECT_EQ(legacy(Ext::LegacySendIpi, {0}), 0);
    EXPECT_EQ(backend.events, on(Kind::Ipi, {0, 1, 2, 3, 4}));
    EXPECT_TRUE(backend.mask_reads.empty());
}

TEST_F(SbiTest, LegacyMasksAreAsLongAsThereAreHarts) {
    backend.states.assign(65, sbi::hsm::Started);
    backend.mask_word = 1;
    EXPECT_EQ(legacy(Ext::LegacySendIpi, {0x1000}), 0);
    EXPECT_EQ(backend.events, on(Kind::Ipi, {0, 64}));
    EXPECT_EQ(backend.mask_reads, (std::vector<u64>{0x1000, 0x1008}));
}

TEST_F(SbiTest, LegacyMaskThatFaultsTrapsInTheGuest) {
    const Exception fault{Cause::LoadPageFault, 0x1000};
    backend.mask_word = std::unexpected(fault);
    for (const Ext eid :
         {Ext::LegacySendIpi, Ext::LegacyRemoteFenceI, Ext::LegacyRemoteSfenceVma, Ext::LegacyRemoteSfenceVmaAsid}) {
        EXPECT_EQ(raw_call(static_cast<u64>(eid), 0, {0x1000, 0, 0, 0}), Outcome::inject(fault));
        EXPECT_EQ(hart.get_x(kA0), 0x1000u);
    }
    EXPECT_TRUE(backend.events.empty());
}

/// Every extension with every small function against the corners of every argument: an answer, no harm (the backend
/// checks what reaches it), and an error that the specification knows.
TEST_F(SbiTest, CornersOfEveryArgument) {
    static constexpr u64 kCorners[] = {0,           1,           4,           5,         63,
                                       64,          0x7fff'ffff, 0x8000'0000, kRam + 2,  kRamEnd - 2,
                                       0xffff'ffff, 1ull << 32,  1ull << 63,  ~0ull - 1, ~0ull};
    backend.input = std::string(100, 'i');
    const auto sweep = [&](u64 eid, u64 fid) {
        for (const u64 a : kCorners) {
            for (const u64 b : kCorners) {
                for (const u64 c : kCorners) {
                    backend.events.clear();
                    const Outcome outcome = raw_call(eid, fid, {a, b, c, b, a, c});
                    if (outcome.kind != Outcome::Kind::Advance || eid <= 8) continue;
                    const i64 error = static_cast<i64>(hart.get_x(kA0));
                    ASSERT_TRUE(error <= 0 && error >= -14) << std::hex << eid << " " << fid;
                    if (error != 0) {
                        ASSERT_EQ(hart.get_x(kA1), 0u);
                        ASSERT_TRUE(backend.events.empty()) << "an error changes nothing";
                    }
                }
            }
        }
    };
    for (const u64 eid : kOffered) {
        for (u64 fid = 0; fid < 8; ++fid) sweep(eid, fid);
    }
}

TEST(EnterSupervisor, SetsWhatHsmPromisesAndNothingElse) {
    GuestHart hart;
    for (unsigned r = 1; r < 32; ++r) hart.set_x(r, r);
    hart.priv = Priv::U;
    hart.satp.raw = 0x9000'0000'0008'0000;
    hart.sstatus.set(Sstatus::SIE, 1).set(Sstatus::SPIE, 1);
    hart.stvec.raw = 0x1000;
    GuestHart expected = hart;
    expected.priv = Priv::S;
    expected.satp.raw = 0;
    expected.sstatus.set(Sstatus::SIE, 0);
    expected.set_x(kA0, 3);
    expected.set_x(kA1, 0x77);
    enter_supervisor(hart, 3, 0x77);
    EXPECT_EQ(hart, expected);
}

}  // namespace
}  // namespace uc
