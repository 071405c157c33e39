// SPDX-License-Identifier: MIT
#include "hv/mailbox.hpp"

#include <gtest/gtest.h>

#include <initializer_list>

namespace uc {
namespace {

using Then = Posted::Then;

// A mailbox whose vCPU runs on hart 3 and owes nothing.
struct MailboxTest : testing::Test {
    Mailbox box;
    MailboxTest() {
        box.arrive(3);
        static_cast<void>(box.take());
    }
};

Requests set(std::initializer_list<Request> list) {
    Requests requests;
    for (const Request r : list) requests.bits |= request_bit(r);
    return requests;
}

TEST(NewMailbox, SleepsAndOwesFencesWhereverItRunsFirst) {
    Mailbox box;
    EXPECT_EQ(box.post(Request::Kick).then, Then::Wake);
    box.arrive(0);
    EXPECT_EQ(box.enter().bits, set({Request::Kick, Request::Fence, Request::FenceI}).bits);
}

TEST_F(MailboxTest, WhoIsInsideIsInterruptedOnce) {
    EXPECT_FALSE(box.enter().any());
    const Posted first = box.post(Request::Interrupt);
    EXPECT_EQ(first.then, Then::Interrupt);
    EXPECT_EQ(first.hart, 3);
    EXPECT_EQ(box.post(Request::Kick).then, Then::Nothing);
    EXPECT_EQ(box.post(Request::Interrupt).then, Then::Nothing);
    box.leave();
    EXPECT_EQ(box.enter().bits, set({Request::Interrupt, Request::Kick}).bits);
    EXPECT_FALSE(box.enter().any());
    EXPECT_EQ(box.post(Request::Kick).then, Then::Interrupt);
}

TEST_F(MailboxTest, KnowsWhoIsAwaited) {
    EXPECT_FALSE(box.is_awaited());
    static_cast<void>(box.post(Request::Fence));
    EXPECT_TRUE(box.is_awaited());
    EXPECT_TRUE(box.sleep());
    EXPECT_FALSE(box.is_awaited()) << "fences may wait until it wakes";
    static_cast<void>(box.post(Request::Interrupt));
    EXPECT_TRUE(box.is_awaited());
    static_cast<void>(box.take());
    EXPECT_FALSE(box.is_awaited());
}

TEST_F(MailboxTest, WhoTookWhileInsideIsInterruptedAgain) {
    EXPECT_FALSE(box.enter().any());
    EXPECT_EQ(box.post(Request::Interrupt).then, Then::Interrupt);
    EXPECT_TRUE(box.take().has(Request::Interrupt));
    EXPECT_EQ(box.post(Request::Interrupt).then, Then::Interrupt);
}

TEST_F(MailboxTest, WhoIsOutsideLooksByItself) {
    EXPECT_EQ(box.post(Request::Kick).then, Then::Nothing);
    EXPECT_TRUE(box.any());
    const Requests taken = box.enter();
    EXPECT_TRUE(taken.has(Request::Kick));
    EXPECT_FALSE(taken.has(Request::Interrupt));
    // It turned back at the door: still Outside.
    EXPECT_EQ(box.post(Request::Interrupt).then, Then::Nothing);
}

TEST_F(MailboxTest, TheSleepingAreWokenByTheFirstRequestThatWakes) {
    EXPECT_TRUE(box.sleep());
    EXPECT_EQ(box.post(Request::Fence).then, Then::Nothing);
    EXPECT_EQ(box.post(Request::FenceI).then, Then::Nothing);
    EXPECT_EQ(box.set_line(false).then, Then::Nothing);
    EXPECT_EQ(box.post(Request::Interrupt).then, Then::Wake);
    EXPECT_EQ(box.set_line(true).then, Then::Nothing);
    box.arrive(3);
    EXPECT_EQ(box.enter().bits,
              set({Request::Fence, Request::FenceI, Request::LineFell, Request::LineRose, Request::Interrupt}).bits);
}

TEST_F(MailboxTest, EveryRequestButTheQuietOnesWakes) {
    for (const Request r : {Request::Interrupt, Request::LineRose, Request::Kick}) {
        EXPECT_TRUE(box.sleep());
        EXPECT_EQ(box.post(r).then, Then::Wake);
        EXPECT_TRUE(box.take().has(r));
    }
}

TEST_F(MailboxTest, NobodySleepsOverARequest) {
    EXPECT_EQ(box.post(Request::Kick).then, Then::Nothing);
    EXPECT_FALSE(box.sleep());
    EXPECT_EQ(box.post(Request::Interrupt).then, Then::Nothing);
    EXPECT_FALSE(box.sleep());
    EXPECT_EQ(box.take().bits, set({Request::Kick, Request::Interrupt}).bits);
    EXPECT_EQ(box.post(Request::Fence).then, Then::Nothing);
    EXPECT_TRUE(box.sleep());
}

TEST_F(MailboxTest, TheLineIsALevel) {
    EXPECT_FALSE(box.line());
    static_cast<void>(box.set_line(true));
    static_cast<void>(box.set_line(false));
    static_cast<void>(box.set_line(true));
    EXPECT_TRUE(box.take().has(Request::LineRose));
    EXPECT_TRUE(box.line());
    static_cast<void>(box.set_line(false));
    EXPECT_FALSE(box.line());
}

TEST_F(MailboxTest, AFenceIsAwaitedOnlyFromWhoIsInside) {
    EXPECT_TRUE(box.taken(box.post(Request::Fence).ticket));
    EXPECT_TRUE(box.enter().has(Request::Fence));
    EXPECT_FALSE(box.enter().any());
    const u64 ticket = box.post(Request::Fence).ticket;
    EXPECT_FALSE(box.taken(ticket));
    box.leave();
    EXPECT_TRUE(box.taken(ticket));
    EXPECT_TRUE(box.enter().has(Request::Fence));
    EXPECT_FALSE(box.enter().any());
    EXPECT_TRUE(box.taken(ticket)) << "it went in again, but not without taking the request";
    EXPECT_TRUE(box.sleep());
    EXPECT_TRUE(box.taken(box.post(Request::Fence).ticket));
}

TEST_F(MailboxTest, AwaitDoesOtherThingsMeanwhile) {
    EXPECT_FALSE(box.enter().any());
    const u64 ticket = box.post(Request::FenceI).ticket;
    int calls = 0;
    box.await(ticket, [&] {
        if (++calls == 5) box.leave();
    });
    EXPECT_EQ(calls, 5);
}

TEST_F(MailboxTest, ANewHartOwesFences) {
    box.arrive(3);
    EXPECT_FALSE(box.any());
    box.arrive(4);
    EXPECT_EQ(box.enter().bits, set({Request::Fence, Request::FenceI}).bits);
    EXPECT_FALSE(box.enter().any());
    EXPECT_EQ(box.post(Request::Kick).hart, 4);
    box.arrive(3);
    EXPECT_TRUE(box.enter().has(Request::Fence));
}

}  // namespace
}  // namespace uc
