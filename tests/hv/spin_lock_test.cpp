// SPDX-License-Identifier: MIT
#include "hv/spin_lock.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "tests/hv/lock_check.hpp"

namespace uc {
namespace {

class SpinLockTest : public testing::Test {
    test::CheckLocks check_;
};
using SpinLockDeathTest = SpinLockTest;

TEST_F(SpinLockTest, IsHeldByOne) {
    SpinLock lock(LockRank::Guest);
    {
        const LockGuard guard(lock);
        EXPECT_FALSE(lock.try_lock());
    }
    EXPECT_TRUE(lock.try_lock());
    lock.unlock();
    EXPECT_EQ(test::the_lock_context.held, 0u);
}

TEST_F(SpinLockTest, KeepsThreadsApart) {
    constexpr u64 kThreads = 4, kTurns = 20'000;
    SpinLock lock(LockRank::Guest);
    u64 count = 0;
    const auto work = [&] {
        for (u64 i = 0; i < kTurns; ++i) {
            lock.lock([] { std::this_thread::yield(); });
            ++count;
            lock.unlock();
        }
    };
    std::array<std::thread, kThreads> threads;
    for (auto& t : threads) t = std::thread(work);
    for (auto& t : threads) t.join();
    EXPECT_EQ(count, kThreads * kTurns);
}

TEST(SpinLockWithoutRecord, CallsWhileItWaits) {
    SpinLock lock(LockRank::Guest);
    lock.lock();
    int calls = 0;
    lock.lock([&] {
        if (++calls == 3) lock.unlock();
    });
    lock.unlock();
    EXPECT_EQ(calls, 3);
}

TEST_F(SpinLockTest, AcceptsRisingRanksAndReleaseInAnyOrder) {
    SpinLock guest(LockRank::Guest), devices(LockRank::Devices), memory(LockRank::Memory);
    guest.lock();
    memory.lock();
    guest.unlock();
    memory.unlock();
    devices.lock();
    EXPECT_TRUE(memory.try_lock());
    memory.unlock();
    devices.unlock();
    EXPECT_EQ(test::the_lock_context.held, 0u);
}

TEST_F(SpinLockDeathTest, ReportsAFallingRank) {
    SpinLock guest(LockRank::Guest), memory(LockRank::Memory);
    const LockGuard guard(memory);
    EXPECT_DEATH(guest.lock(), "lock order: rank 3 while holding 0x80");
    EXPECT_DEATH(static_cast<void>(guest.try_lock()), "lock order: rank 3 while holding 0x80");
}

TEST_F(SpinLockDeathTest, ReportsASecondLockOfARankBeforeItWaits) {
    SpinLock lock(LockRank::Guest), other(LockRank::Guest);
    const LockGuard guard(lock);
    EXPECT_DEATH(other.lock(), "lock order: rank 3 while holding 0x8");
    EXPECT_DEATH(lock.lock(), "lock order: rank 3 while holding 0x8");
}

TEST_F(SpinLockDeathTest, ReportsAReleaseOfWhatIsNotHeld) {
    SpinLock lock(LockRank::Guest);
    EXPECT_DEATH(lock.unlock(), "lock order: rank 3 while holding 0");
}

TEST(SpinLockWithoutRecord, ChecksNothing) {
    SpinLock guest(LockRank::Guest), memory(LockRank::Memory);
    const LockGuard first(memory);
    const LockGuard second(guest);
    the_lock_hooks.context = [] { return static_cast<LockContext*>(nullptr); };
    EXPECT_FALSE(guest.try_lock());
    the_lock_hooks = {};
}

}  // namespace
}  // namespace uc
