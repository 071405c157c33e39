// SPDX-License-Identifier: MIT
// Harts that run vCPUs by way of scheduler and mailboxes, as the hypervisor does. Tokens wander from vCPU to vCPU by
// interrupts, and vCPUs take memory away from each other with fences.

#include <array>
#include <vector>

#include "tests/hv/lock_check.hpp"
#include "tests/tsan/stress.hpp"

namespace uc {

// As far as it matters here.
struct Vcpu {
    SchedEntity entity{this};
    Mailbox mailbox;
    unsigned id = 0;
    std::atomic<u32> inbox{0};  ///< tokens
    bool interrupted = false;   ///< its SSIP
    std::atomic<int> on{-1};    ///< the hart it runs on
    std::atomic<u64> entered{0};
};

namespace stress {

namespace {

constexpr unsigned kHarts = 4, kVcpus = 7;
constexpr u64 kSliceTicks = 300;
constexpr usize kFrames = 4;
constexpr u64 kFreed = 0xdead;

class FakeMachine {
  public:
    FakeMachine(unsigned tokens, bool everything, u64 hops) : everything_(everything), budget_(hops) {
        for (unsigned i = 0; i < kVcpus; ++i) {
            vcpus_[i].id = i;
            // The last is pinned to the last hart.
            const HartMask affinity = everything && i == kVcpus - 1 ? hart_bit(kHarts - 1) : 0;
            if (!scheduler_.add(vcpus_[i].entity, affinity, now())) fail("a vCPU has no hart");
        }
        for (unsigned i = 0; i < tokens; ++i) vcpus_[i % kVcpus].inbox.fetch_add(1);
    }

    void run(const char* name) {
        const test::CheckLocks check;
        const Watchdog watchdog(name, hops_);
        std::vector<std::thread> threads;
        for (unsigned h = 0; h < kHarts; ++h) threads.emplace_back([this, h] { HartLoop(*this, h).run(); });
        for (Vcpu& v : vcpus_) act(v, v.mailbox.post(Request::Interrupt));
        for (auto& t : threads) t.join();
    }

  private:
    /// What one hart does, and what it knows.
    class HartLoop {
      public:
        HartLoop(FakeMachine& machine, unsigned hart) : m_(machine), hart_(hart), random_(hart + 1) {
            tlb_.fill(kNone);
        }
        void run() {
            while (!m_.over_.load()) {
                const Pick pick = m_.scheduler_.pick(hart_, now());
                m_.kick(pick.kick);
                if (pick.entity != nullptr) {
                    run_vcpu(*pick.entity->vcpu(), pick.until);
                } else {
                    m_.harts_[hart_].wait(pick.until);
                    m_.harts_[hart_].take();
                }
            }
        }

      private:
        void run_vcpu(Vcpu& vcpu, u64 until) {
            if (vcpu.on.exchange(static_cast<int>(hart_)) != -1) fail("a vCPU runs on two harts");
            vcpu.mailbox.arrive(hart_);
            bool here = true;
            while (here && !m_.over_.load() && !m_.scheduler_.must_switch(hart_, now())) {
                if (const Requests requests = vcpu.mailbox.enter(); requests.any()) {
                    serve(vcpu, requests);
                    continue;
                }
                guest(vcpu, until);
                // What was sent is taken before looking for its reason.
                m_.harts_[hart_].take();
                vcpu.mailbox.leave();
                act_as_guest(vcpu);
                if (!vcpu.interrupted && random_() % 2 == 0) here = !sleep(vcpu);
            }
            if (here) vcpu.on.store(-1);
        }

        bool sleep(Vcpu& vcpu) {
            if (!vcpu.mailbox.sleep()) return false;
            vcpu.on.store(-1);
            const u64 alarm = m_.everything_ && random_() % 4 == 0 ? now() + random_() % 200 : Scheduler::kNever;
            if (m_.scheduler_.block(vcpu.entity, now(), alarm)) return true;
            vcpu.on.store(static_cast<int>(hart_));
            vcpu.mailbox.leave();
            return false;
        }

        void serve(Vcpu& vcpu, Requests requests) {
            if (requests.has(Request::Fence)) tlb_.fill(kNone);
            if (requests.has(Request::Interrupt)) vcpu.interrupted = true;
        }

        // Inside: until an interrupt, the end of the slice, or something it does itself.
        void guest(Vcpu& vcpu, u64 until) {
            vcpu.entered.fetch_add(1, std::memory_order_relaxed);
            const bool computes = m_.everything_ && random_() % 4 == 0;
            do {
                u8& entry = tlb_[vcpu.id];
                if (entry == kNone) entry = m_.mapped_.load(std::memory_order_acquire);
                if (m_.frames_[entry] == kFreed) fail("a guest reads memory that was taken from it");
                if (vcpu.interrupted) return;
                std::this_thread::yield();
            } while (!m_.harts_[hart_].pending() && now() < until && (computes || random_() % 8 != 0));
        }

        void act_as_guest(Vcpu& vcpu) {
            if (vcpu.interrupted) {
                vcpu.interrupted = false;
                for (u32 n = vcpu.inbox.exchange(0); n != 0; --n) pass_on(vcpu);
            }
            if (!m_.everything_) return;
            if (random_() % 8 == 0) m_.remap(vcpu);
            if (random_() % 8 == 0) m_.fence_all(vcpu, Request::FenceI);
        }

        void pass_on(Vcpu& from) {
            Vcpu& to = m_.vcpus_[(from.id + 1 + random_() % (kVcpus - 1)) % kVcpus];
            to.inbox.fetch_add(1);
            m_.act(to, to.mailbox.post(Request::Interrupt));
            if (m_.budget_.spent(m_.hops_.fetch_add(1) + 1)) m_.end();
        }

        static constexpr u8 kNone = 0xff;
        FakeMachine& m_;
        unsigned hart_;
        std::minstd_rand random_;
        std::array<u8, kVcpus> tlb_;  ///< per vCPU what this hart takes to be mapped
    };

    void kick(HartMask harts) {
        for (unsigned h = 0; h < kHarts; ++h) {
            if ((harts >> h & 1) != 0) harts_[h].send();
        }
    }
    void act(Vcpu& to, const Posted& posted) {
        if (posted.then == Posted::Then::Interrupt) harts_[posted.hart].send();
        if (posted.then == Posted::Then::Wake) kick(scheduler_.wake(to.entity, now()));
    }
    void end() {
        over_.store(true);
        kick(hart_bit(kHarts) - 1);
    }

    void fence_all(Vcpu& from, Request request) {
        std::array<u64, kVcpus> tickets{};
        for (Vcpu& v : vcpus_) {
            const Posted posted = v.mailbox.post(request);
            act(v, posted);
            if (&v != &from) tickets[v.id] = posted.ticket;
        }
        for (Vcpu& v : vcpus_) v.mailbox.await(tickets[v.id], [] { std::this_thread::yield(); });
    }

    // Maps another frame and frees the old one, under a lock that vCPUs Outside may be waiting for.
    void remap(Vcpu& from) {
        shadow_lock_.lock([] { std::this_thread::yield(); });
        const u8 old = mapped_.load(std::memory_order_relaxed);
        const u8 next = (old + 1) % kFrames;
        frames_[next] = 0;
        mapped_.store(next, std::memory_order_release);
        fence_all(from, Request::Fence);
        frames_[old] = kFreed;
        shadow_lock_.unlock();
    }

    bool everything_;
    Budget budget_;
    Scheduler scheduler_{hart_bit(kHarts) - 1, kSliceTicks};
    std::array<FakeHart, kHarts> harts_;
    std::array<Vcpu, kVcpus> vcpus_;
    std::atomic<u64> hops_{0};
    std::atomic<bool> over_{false};
    SpinLock shadow_lock_{LockRank::Shadow};
    std::atomic<u8> mapped_{0};
    std::array<u64, kFrames> frames_{};  ///< not atomic: fences alone order the accesses
};

}  // namespace

void run_machine(const char* name, unsigned tokens, bool everything, u64 hops) {
    FakeMachine(tokens, everything, hops).run(name);
}

}  // namespace stress
}  // namespace uc
