// SPDX-License-Identifier: MIT
#include "tests/tsan/thread_machine.hpp"

#include "hv/glance.hpp"

namespace uc::stress {

namespace {

// What the hypervisor knows of it, for people.
std::string describe(const Vcpu& vcpu) {
    const auto word = [](std::string_view name, u64 value) {
        return " " + std::string(name) + " " + std::to_string(value);
    };
    const GuestHart hart = glance(vcpu.hart());
    return "  vCPU " + std::to_string(vcpu.id) + ":" + word("state", static_cast<u64>(vcpu.state.load())) +
           word("site", site_at(hart.pc)) + word("sip", hart.sip.raw) + word("sie", hart.sie.raw) +
           (glance(vcpu.waiting) ? " waiting" : "") + (vcpu.mailbox.any() ? " asked" : "") + "\n";
}

}  // namespace

ThreadMachine::ThreadMachine(std::span<const Part> cast, u64 seed) : random_(static_cast<unsigned>(seed + 1)) {
    memory_.add({kBase, kMemory});
    for (unsigned i = 0; i < kHarts; ++i) platforms_.emplace_back(*this, i);
    ThreadPlatform& house = platforms_.front();
    terminal_.emplace(house);
    console_.emplace(*terminal_);
    house.set_terminal(*console_);
    the_log.set_sink(&console_->log_sink());
    the_log.set_level(LogLevel::Info);

    options_.stats = seed % 2 == 0;
    options_.watch = seed / 2 % 2;  // who looks often mends what was forgotten
    machine_.emplace(house, *console_, options_, kHarts);
    environment_.platform = &house;
    environment_.memory = &memory_;
    environment_.console = &*console_;
    environment_.wall_clock = &clock_;
    environment_.features = {.max_mode = SatpMode::Sv39, .asid_bits = 16, .sstc = true, .counters = 7};
    environment_.isa = parse_riscv_isa("rv64imac_zicsr_zifencei_sstc");
    environment_.timebase_hz = ThreadPlatform::kHz;
    environment_.window = {SatpMode::Sv48, 300, 1, &window_};
    environment_.host_asid_bits = seed % 3 == 0 ? 4 : 16;
    environment_.guests = static_cast<unsigned>(cast.size());
    environment_.keeper = &*machine_;

    unsigned number = 0;
    for (ThreadPlatform& platform : platforms_) {
        machine_->add(runners_.emplace_back(*machine_, platform, number, number));
        ++number;
    }
    if (!machine_->start_trace(memory_, {ExitCounter::Cycle, 1'000'000'000})) fail("no memory for traces");
    view_.emplace(*machine_, memory_);
    monitor_.emplace(*view_, console_->prompt_sink());
    machine_->set_monitor(*monitor_);

    HartMask reserved = 0;
    for (const Part& part : cast) reserved |= part.harts;
    for (const Part& part : cast) {
        add(part, part.harts != 0 ? part.harts : (hart_bit(kHarts) - 1) & ~reserved, seed);
    }
    // The manager may have whom nobody else looks after.
    std::vector<std::pair<unsigned, PlayedGuest*>> wards;
    for (unsigned i = 0; i < played_.size(); ++i) {
        if (played_[i]->part().name.starts_with("ward")) wards.emplace_back(i, played_[i].get());
    }
    for (auto& guest : played_) {
        if (guest->part().role == Role::Manager) guest->set_wards(wards);
    }
}

void ThreadMachine::add(const Part& part, HartMask may_have, u64 seed) {
    GuestConfig& config = configs_.emplace_back();
    config.name = part.name;
    config.memory = 4 * kMiB;
    config.vcpus = part.vcpus;
    config.kernel.data = kernel_;
    config.manager = part.role == Role::Manager;
    config.restarts = part.restarts;
    for (unsigned hart = 0; hart < kHarts; ++hart) {
        if ((part.harts >> hart & 1) != 0) static_cast<void>(config.harts.push(hart));
    }
    const auto number = static_cast<unsigned>(played_.size());
    played_.push_back(std::make_unique<PlayedGuest>(part, may_have, seed * 8 + number, progress_));
    const auto guest = Guest::create(config, environment_, number);
    if (!guest) fail(std::string(guest.error().text.view()));
    if (!machine_->add(**guest)) fail("a guest has no hart");
}

void ThreadMachine::run(const char* name, bool quit) {
    {
        const Watchdog watchdog(name, progress_, [this] { return describe(); });
        if (!machine_->start()) fail("guests do not fit onto the harts");
        std::vector<std::thread> threads;
        for (Runner& runner : runners_) {
            threads.emplace_back([this, &runner] {
                runner.run();
                left_.fetch_add(1);
            });
        }
        threads.emplace_back([this, quit] { type(quit); });
        for (auto& thread : threads) thread.join();
    }
    the_log.set_sink(nullptr);
    if (!machine_->is_over() || !machine_->claim_end() || machine_->claim_end()) fail("an end is claimed once");
    for (const auto& guest : played_) guest->check_tokens();
    for (const Guest* guest : machine_->guests()) {
        // One that was asked to start when all was over stays as it is.
        if (!quit && guest->lasts()) fail(std::string(guest->name()) + " has not ended\n" + describe());
    }
}

u64 ThreadMachine::done() const {
    u64 sum = 0;
    for (const auto& guest : played_) sum += guest->done();
    return sum;
}

// Ctrl-D leaves the prompt if it is open; else it is for a guest, as the keys of a command may be.
void ThreadMachine::command(std::string_view text) { terminal_->type("\x04\x1d" + std::string(text) + "\r"); }

std::string ThreadMachine::random_command() {
    const auto below = [this](u64 n) { return random_() / 7 % n; };
    const Part& part = played_[below(played_.size())]->part();
    const std::string name(part.name), vcpu = std::to_string(below(part.vcpus));
    const bool ward = name.starts_with("ward"), manager = part.role == Role::Manager;
    switch (below(21)) {
        case 0: return "guests";
        case 1: return "vcpus " + name;
        case 2: return "vcpus";
        case 3: return "console " + name;
        case 4: return "stats " + name;
        case 5: return "stats -w";
        case 6: return "trace 20 " + name;
        case 7: return below(4) == 0 ? "trace dump" : "trace";
        case 8: return "pt " + name + " 0x80200000 " + vcpu;
        case 9: return "pt " + name + " 0x80300000 " + vcpu;
        case 10: return "regs " + name + " " + vcpu;
        case 11: return "mem " + name + " 0x80200000";
        case 12: return below(2) == 0 ? "loglevel debug" : "loglevel info";
        case 13: return ward ? "help" : "pause " + name;
        case 14: return ward ? "quit" : "resume " + name;
        case 15: return ward || manager ? "guests" : "reset " + name;
        case 16: return ward || manager || below(4) != 0 ? "vcpus" : "stop " + name;
        // A pinned one would leave its hart to others.
        case 17: return ward || manager || part.harts != 0 || below(4) != 0 ? "memory" : "destroy " + name;
        case 18: return ward ? "memory" : "create " + name;
        case 19: return "stats";
        default: return ward || manager ? "xyzzy" : "start " + name;
    }
}

// Nothing that is typed ends well for sure but `resume`, so in the end that is typed until all is over.
void ThreadMachine::type(bool quit) {
    constexpr unsigned kCommands = 120;
    for (unsigned n = 0; left_.load() != kHarts; ++n) {
        if (n < kCommands) {
            command(random_command());
        } else if (quit) {
            command("quit\rquit");
        } else {
            for (const auto& guest : played_) {
                if (!guest->part().name.starts_with("ward")) command("resume " + std::string(guest->part().name));
            }
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(1 + random_() % (n < kCommands ? 20 : 100)));
    }
}

// The harts may be anywhere, even in the middle of what is read here.
std::string ThreadMachine::describe() {
    std::string text =
        "over " + std::to_string(machine_->is_over()) + ", harts that have left " + std::to_string(left_.load()) + "\n";
    for (const Runner& runner : runners_) {
        const Vcpu* const vcpu = runner.current();
        text += "hart " + std::to_string(runner.number()) +
                (machine_->is_unsettled(runner.number()) ? ", has something to settle: " : ": ") +
                (vcpu == nullptr ? "nothing" : std::string(vcpu->guest->name()) + ":" + std::to_string(vcpu->id)) +
                "\n";
    }
    for (Guest* guest : machine_->guests()) {
        text += std::string(name(guest->state())) + " " + played_[guest->number()]->describe() + "\n";
        for (const Vcpu& vcpu : guest->all_vcpus()) text += stress::describe(vcpu);
    }
    return text + "the terminal's end:\n" + terminal_->output() + "\n";
}

}  // namespace uc::stress
