// SPDX-License-Identifier: MIT
#include "tests/emul/sbi_scene.hpp"

namespace uc {
namespace {

using namespace test;

constexpr u64 kResume = kRam + 0x100;

struct SuspTest : SbiTest {
    SuspTest() { backend.states.assign(3, sbi::hsm::Stopped); }
    Outcome suspend(u64 type, u64 resume, u64 opaque) {
        return raw_call(static_cast<u64>(Ext::Susp), 0, {type, resume, opaque});
    }
};

TEST_F(SuspTest, TheLastHartResumesElsewhere) {
    self = 1;
    backend.states[1] = sbi::hsm::Started;
    for (const u64 type : {0ull, 0xffff'ffff'0000'0000ull}) {  // the type has 32 bits
        backend.events.clear();
        hart.satp.raw = 0x8000'0000'0008'0000;
        hart.sstatus.set(Sstatus::SIE, 1);
        hart.sie.raw = 0x222;
        EXPECT_EQ(suspend(type, kResume, 0xabc), Outcome::jump(kResume));
        EXPECT_EQ(hart.get_x(kA0), 1u);
        EXPECT_EQ(hart.get_x(kA1), 0xabcu);
        EXPECT_EQ(hart.satp.raw, 0u);
        EXPECT_EQ(hart.sstatus.get(Sstatus::SIE), 0u);
        EXPECT_EQ(hart.sie.raw, 0x222u) << "what wakes it must stay";
        EXPECT_EQ(backend.events, (std::vector<Event>{{Kind::Suspend, 1, false}}));
    }
}

TEST_F(SuspTest, OthersThatAreNotStoppedForbidIt) {
    backend.states[0] = sbi::hsm::Started;
    for (const sbi::hsm::State state : {sbi::hsm::Started, sbi::hsm::StartPending, sbi::hsm::StopPending,
                                        sbi::hsm::Suspended, sbi::hsm::SuspendPending, sbi::hsm::ResumePending}) {
        for (const unsigned other : {1, 2}) {
            backend.states[other] = state;
            const GuestHart before = hart;
            EXPECT_EQ(call(Ext::Susp, 0, {0, kResume, 0}), fails(Error::Denied)) << state;
            EXPECT_EQ(hart.satp, before.satp);
            backend.states[other] = sbi::hsm::Stopped;
        }
    }
    EXPECT_TRUE(backend.events.empty());
}

TEST_F(SuspTest, OnlySuspendToRamExists) {
    backend.states[0] = sbi::hsm::Started;
    for (const u64 type : {1ull, 0x7fff'ffffull, 0x8000'0000ull, 0xffff'ffffull})
        EXPECT_EQ(call(Ext::Susp, 0, {type, kResume, 0}), fails(Error::InvalidParam)) << type;
    EXPECT_TRUE(backend.events.empty());
}

TEST_F(SuspTest, WhereNothingCanResumeIsNoAddress) {
    backend.states[0] = sbi::hsm::Started;
    for (const u64 resume : {u64{0}, kRam - 2, kRam + 1, kRamEnd, ~u64{0}})
        EXPECT_EQ(call(Ext::Susp, 0, {0, resume, 0}), fails(Error::InvalidAddress)) << std::hex << resume;
    EXPECT_TRUE(backend.events.empty());
}

}  // namespace
}  // namespace uc
