// SPDX-License-Identifier: MIT
// Whole machines under threads: run loop, guests, console, monitor. Arguments: rounds, seed, the beginning of a
// scene's name; or UC_MACHINE_ROUNDS.

#include "tests/tsan/thread_machine.hpp"

namespace uc::stress {

namespace {

struct Scene {
    const char* name;
    std::vector<Part> cast;
    bool quit;
};

const std::vector<Scene>& scenes() {
    static const std::vector<Scene> kScenes{
        {"one guest, which has the terminal", {{"alone", Role::Noise, 3, 0, 4000}}, false},
        {"relays that float and one that is pinned",
         {{"a", Role::Relay, 3, 0, 600}, {"b", Role::Relay, 2, 0, 600}, {"c", Role::Relay, 3, 4, 600}},
         false},
        {"a manager and its wards",
         {{"manager", Role::Manager, 2, 0, 1500},
          {"ward1", Role::Noise, 2, 0, 1500},
          {"ward2", Role::Relay, 2, 0, 300},
          {"other", Role::Noise, 2, 0, 1500}},
         false},
        {"wards that are paused all the time",
         {{"manager", Role::Manager, 2, 0, 4000},
          {"ward1", Role::Relay, 2, 0, 1000},
          {"ward2", Role::Relay, 2, 0, 1000}},
         false},
        {"brief lives among others",
         {{"brief", Role::Brief, 2, 0, 12, 12}, {"pinned", Role::Brief, 1, 4, 12, 12}, {"a", Role::Relay, 3, 0, 300}},
         false},
        {"all is ended by hand",
         {{"a", Role::Noise, 3, 0, ~u64{0}}, {"b", Role::Relay, 2, 2, ~u64{0}}, {"c", Role::Noise, 1, 0, ~u64{0}}},
         true},
    };
    return kScenes;
}

}  // namespace

}  // namespace uc::stress

int main(int argc, char** argv) {
    using namespace uc::stress;
    const char* const wish = std::getenv("UC_MACHINE_ROUNDS");
    const uc::u64 rounds = std::strtoull(argc > 1 ? argv[1] : wish != nullptr ? wish : "4", nullptr, 10);
    const uc::u64 seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
    const std::string_view only = argc > 3 ? argv[3] : "";
    for (uc::u64 round = 0; round < rounds; ++round) {
        for (const auto& scene : scenes()) {
            if (!std::string_view(scene.name).starts_with(only)) continue;
            ThreadMachine(scene.cast, seed + round).run(scene.name, scene.quit);
        }
    }
}
