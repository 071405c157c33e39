// SPDX-License-Identifier: MIT
#pragma once
// The machine's boot arguments: options for the hypervisor, and what is the guest's.

#include <optional>
#include <string_view>

#include "hv/exit_clock.hpp"
#include "hv/load_error.hpp"
#include "hv/log.hpp"
#include "isa/csr.hpp"

namespace uc {

/// What stands before ` -- `.
struct Options {
    LogLevel loglevel = LogLevel::Info;  ///< undercroft.loglevel=error|warn|info|debug
    bool stats = false;                  ///< undercroft.stats: print the exit counts at the end
    bool replace = true;                 ///< undercroft.replace=on|off: privileged instructions (docs/replacing.md)
    TraceMode trace = TraceMode::On;     ///< undercroft.trace=off|untimed|on|timed
    u32 watch = 10;                      ///< undercroft.watch=SECONDS|off: what is stuck so long is told; 0: off
    std::optional<u32> vcpus;            ///< vcpus=N, of the only guest
    std::optional<SatpMode> mmu;         ///< mmu=sv39|sv48|sv57, the largest mode offered to the only guest
    std::optional<u64> memory;           ///< memory=SIZE in bytes, K, M or G, of the only guest
};

/// Boot arguments cut at the first ` -- `. Without one, there is no `before`: all of them are the guest's.
struct BootArgs {
    std::optional<std::string_view> before;
    std::string_view guest;
};

[[nodiscard]] BootArgs split_bootargs(std::string_view bootargs);

/// Reads options separated by spaces. Errors name the option that is unknown or has no sensible value.
[[nodiscard]] std::expected<Options, LoadError> parse_options(std::string_view text);

}  // namespace uc
