// SPDX-License-Identifier: MIT
#pragma once
// Guests that threads play.

#include <memory>
#include <vector>

#include "hv/machine.hpp"
#include "tests/tsan/guest_program.hpp"
#include "tests/tsan/thread_platform.hpp"

namespace uc::stress {

/// What a guest is there for.
enum class Role : u8 {
    Relay,    ///< its vCPUs hand a token on by IPIs, and nothing but these wakes them: one that is lost ends all
    Noise,    ///< does anything at all
    Manager,  ///< and looks after other guests besides
    Brief,    ///< fails as soon as it has started, and is started again
};

struct Part {
    std::string_view name;
    Role role;
    u32 vcpus;
    HartMask harts;  ///< pinned to these; 0: it floats
    u64 goal;        ///< things to do before it ends
    u32 restarts = 0;
};

/// A guest as its own kernel sees it, and what the test knows about it. What is not atomic is touched by whoever runs
/// the vCPU, as the hypervisor promises that one at a time does.
class PlayedGuest {
  public:
    PlayedGuest(const Part& part, HartMask may_have, u64 seed, std::atomic<u64>& progress);

    void enter(Vcpu& vcpu, unsigned hart);
    void leave(Vcpu& vcpu);
    [[nodiscard]] TrapInfo play(Vcpu& vcpu);

    [[nodiscard]] const Part& part() const { return part_; }
    /// Guests that a Manager may freeze: nobody else pauses or resumes them.
    void set_wards(std::vector<std::pair<unsigned, PlayedGuest*>> wards) { wards_ = std::move(wards); }
    /// Everything it knows, for people.
    [[nodiscard]] std::string describe() const;
    /// After the end of all: whether no token was lost or doubled.
    void check_tokens() const;
    [[nodiscard]] u64 done() const { return done_.load(); }

  private:
    struct Cpu {
        std::atomic<int> on{-1};      ///< the hart it runs on
        std::atomic<u32> inbox{0};    ///< tokens handed to it
        std::atomic<bool> up{false};  ///< can be handed tokens
        std::atomic<u32> tokens{0};   ///< that it has; its own
        std::minstd_rand random;
        unsigned to_start = 0;  ///< vCPU 0: the next to be started
        unsigned frozen = 0;    ///< a Manager's: steps until the ward is let go
        u32 claimed = 0;        ///< from the PLIC
        bool asked = false;     ///< a Manager's last call was to pause the ward
        usize ward = 0;
    };

    [[nodiscard]] u64 below(Cpu& cpu, u64 n) { return cpu.random() / 7 % n; }
    void begin_life();
    void prepare(Vcpu& vcpu, Cpu& cpu, Site site);
    [[nodiscard]] TrapInfo trap(Vcpu& vcpu, Cpu& cpu, Site site);
    [[nodiscard]] Site choose(Vcpu& vcpu, Cpu& cpu);
    [[nodiscard]] std::optional<Site> relay(Vcpu& vcpu, Cpu& cpu);
    [[nodiscard]] std::optional<Site> manage(Vcpu& vcpu, Cpu& cpu);
    [[nodiscard]] std::optional<Site> end(Vcpu& vcpu, Cpu& cpu);
    [[nodiscard]] Site noise(Vcpu& vcpu, Cpu& cpu);
    [[nodiscard]] Site call(Vcpu& vcpu, Cpu& cpu);
    [[nodiscard]] Site device(Vcpu& vcpu, Cpu& cpu);
    void compute(Vcpu& vcpu, Cpu& cpu);
    [[nodiscard]] bool alone() const;
    void progress();

    const Part part_;
    const HartMask may_have_;
    std::atomic<u64>& progress_;
    std::unique_ptr<Cpu[]> cpus_;
    std::atomic<u64> done_{0};
    std::atomic<u64> lives_{0};
    std::atomic<bool> frozen_{false};  ///< it was paused, whoever did that was told so, and nobody has resumed it
    std::vector<std::pair<unsigned, PlayedGuest*>> wards_;
};

}  // namespace uc::stress
