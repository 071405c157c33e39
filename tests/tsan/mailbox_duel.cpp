// SPDX-License-Identifier: MIT
// One poster against one receiver, with nothing else that could make up for a lost wake-up.

#include "tests/tsan/stress.hpp"

namespace uc::stress {

namespace {

void dawdle(std::minstd_rand& random) {
    for (auto n = random() % 64; n != 0; --n) std::atomic_signal_fence(std::memory_order_seq_cst);
}

struct Duel {
    Mailbox box;
    std::atomic<bool> interrupt{false}, woken{false}, over{false};
    std::atomic<u64> received{0};
    u64 message = 0;  // not atomic: the mailbox alone orders the accesses
    u64 memory = 0;   // what the guest reads while it is Inside

    void serve(Requests requests) {
        if (!requests.has(Request::Interrupt)) return;
        if (message != received.load(std::memory_order_relaxed) + 1) fail("duel: the message is not the one posted");
        received.fetch_add(1);
    }

    void stay_inside(std::minstd_rand& random) {
        if (const Requests requests = box.enter(); requests.any()) return serve(requests);
        // Sometimes until an interrupt comes, which then has to come.
        const bool long_stay = random() % 2 == 0;
        u64 sum = 0;
        while (!interrupt.load(std::memory_order_acquire)) {
            sum += memory;
            if (!long_stay && random() % 16 == 0) break;
            std::this_thread::yield();
        }
        if (sum % 2 != 0) fail("duel: memory was read after its fence");
        interrupt.store(false);
        box.leave();
    }

    void stay_asleep() {
        if (!box.sleep()) return;
        while (!woken.load(std::memory_order_acquire)) std::this_thread::yield();
        woken.store(false);
        box.leave();
    }

    void receive() {
        std::minstd_rand random(1);
        box.arrive(0);
        while (!over.load()) {
            dawdle(random);
            if (random() % 2 == 0) {
                stay_inside(random);
            } else {
                stay_asleep();
            }
            if (random() % 4 == 0) serve(box.take());
        }
    }

    void act(const Posted& posted) {
        if (posted.then == Posted::Then::Interrupt) interrupt.store(true);
        if (posted.then == Posted::Then::Wake) woken.store(true);
    }

    // A fence: the guest that is Inside stops using the memory before it changes for a while.
    void fence() {
        const Posted posted = box.post(Request::Fence);
        act(posted);
        box.await(posted.ticket, [] { std::this_thread::yield(); });
    }
};

}  // namespace

void duel(u64 rounds) {
    Duel d;
    const Watchdog watchdog("duel", d.received);
    std::thread receiver([&] { d.receive(); });
    std::minstd_rand random(2);
    const Budget budget(rounds);
    for (u64 i = 1; !budget.spent(i - 1); ++i) {
        d.message = i;
        dawdle(random);
        if (random() % 8 == 0) d.fence();
        d.act(d.box.post(Request::Interrupt));
        while (d.received.load() != i) std::this_thread::yield();
    }
    d.over.store(true);
    d.act(d.box.post(Request::Kick));
    receiver.join();
}

}  // namespace uc::stress
