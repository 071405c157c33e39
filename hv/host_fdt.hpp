// SPDX-License-Identifier: MIT
#pragma once
// What the machine says about itself: its device tree, read once at boot into plain data.

#include <optional>
#include <span>
#include <string_view>

#include "hv/fdt_view.hpp"
#include "hv/fixed_vector.hpp"
#include "hv/host_range.hpp"
#include "hv/isa_set.hpp"
#include "hv/load_error.hpp"
#include "isa/types.hpp"

namespace uc {

inline constexpr usize kMaxHarts = 64;

struct HostHart {
    u64 id = 0;                 ///< mhartid, the number SBI knows it by
    std::string_view isa_text;  ///< riscv,isa as it stands, for the log; empty when the tree has only the list
    IsaSet isa;
    bool usable = false;              ///< enabled, 64-bit, with an MMU (monitor cores have none)
    std::optional<u32> plic_context;  ///< the PLIC context that drives this hart's supervisor external interrupt
    u32 cbom_block_size = 0;          ///< bytes; 0: not said
    u32 cboz_block_size = 0;
};

struct HostConsole {
    enum class Kind : u8 { Ns16550, SifiveUart };
    Kind kind = Kind::Ns16550;
    HostRange range;       ///< registers; reg-offset is applied
    u32 irq = 0;           ///< source at the PLIC; 0: none, poll
    u32 reg_shift = 0;     ///< register n is at n << reg_shift
    u32 reg_io_width = 1;  ///< bytes per access: 1, 2 or 4
};

struct HostPlic {
    HostRange range;
    u32 sources = 0;  ///< riscv,ndev: sources 1 to this
};

/// Texts point into the device tree, which must stay in place.
struct HostMachine {
    std::string_view model;
    FixedVector<HostRange, 32> memory;
    FixedVector<HostRange, 64> reserved;     ///< /reserved-memory and the reservation block: firmware's own among them
    FixedVector<HostHart, kMaxHarts> harts;  ///< the first, when the tree has more
    u64 timebase_hz = 0;
    std::optional<HostConsole> console;  ///< what /chosen/stdout-path names, when it is a UART known here
    std::optional<HostPlic> plic;
    std::optional<HostRange> rtc;   ///< google,goldfish-rtc
    std::optional<HostRange> test;  ///< sifive,test0 or sifive,test1
    std::optional<HostRange> initrd;
    std::string_view bootargs;
    Bytes rng_seed;

    [[nodiscard]] const HostHart* hart(u64 id) const;
};

/// Reads `fdt`, which may be corrupt or end early, into `machine`. Errors: not a device tree, no memory, no usable
/// hart, no timebase, more reserved ranges than can be kept.
[[nodiscard]] LoadStatus read_host_fdt(Bytes fdt, HostMachine& machine);

}  // namespace uc
