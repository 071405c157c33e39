// SPDX-License-Identifier: MIT
// ucctl: looks after the other guests of the machine, from a Linux guest that its image tree allows
// (docs/management.md).

#include "guest-images/linux/ucctl/commands.hpp"

int main(int argc, char** argv) {
    using namespace uc::ucctl;
    PhysicalDevice device;
    const auto count = static_cast<std::size_t>(argc > 0 ? argc - 1 : 0);
    const Status status = run({argv + (argc > 0 ? 1 : 0), count}, device, stdout, stderr);
    const bool written = std::fflush(stdout) == 0;
    return static_cast<int>(written || status != Status::Done ? status : Status::Failed);
}
