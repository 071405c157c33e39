// SPDX-License-Identifier: MIT
#include "hv/guest_fdt.hpp"

#include <libfdt.h>

#include <algorithm>
#include <limits>

#include "emul/manager_registers.hpp"
#include "emul/plic.hpp"
#include "emul/syscon.hpp"
#include "hv/guest_layout.hpp"

namespace uc {

using namespace std::literals;

namespace {

// The machine of QEMU's `virt`: names and sizes, too, are what its users know.
constexpr u64 kUartSize = 0x100;
constexpr u64 kRtcSize = 0x1000;
constexpr u32 kUartClockHz = 3'686'400;
constexpr u32 kMachineExternal = 11;
constexpr u32 kSupervisorExternal = 9;

constexpr u32 kPlicPhandle = 1;
constexpr u32 kTestPhandle = 2;
constexpr u32 kFirstIntcPhandle = 3;

/// The room of `out` for libfdt, which counts in int.
int room(std::span<std::byte> out) {
    return static_cast<int>(std::min(out.size(), static_cast<usize>(std::numeric_limits<int>::max())));
}

/// `error` of libfdt's in writing a tree of at most `room` bytes.
std::unexpected<LoadError> writing_error(std::string_view what, int error, usize room) {
    if (error == -FDT_ERR_NOSPACE) return load_error(what, ": with its /chosen it does not fit into ", room, " bytes");
    return load_error(what, ": ", fdt_strerror(error));
}

/// libfdt's sequential writing. After the first error nothing more is written, and finish() returns it.
class Writer {
  public:
    explicit Writer(std::span<std::byte> out) : fdt_(out.data()), room_(out.size()) {
        call(fdt_create, room(out));
        call(fdt_finish_reservemap);
    }

    /// Writes a node, with what `body` writes inside.
    template <class Body>
    void node(std::string_view name, Body body) {
        const Text<40> terminated(name, '\0');
        call(fdt_begin_node, terminated.view().data());
        body();
        call(fdt_end_node);
    }
    void empty(const char* name) { call(fdt_property, name, nullptr, 0); }
    void cell(const char* name, u32 value) { call(fdt_property_u32, name, value); }
    void number(const char* name, u64 value) { call(fdt_property_u64, name, value); }
    void bytes(const char* name, Bytes value) {
        call(fdt_property, name, value.data(), static_cast<int>(value.size()));
    }
    /// Strings, each ended by a NUL.
    void list(const char* name, std::string_view strings) { bytes(name, std::as_bytes(std::span{strings})); }
    /// One string, of any length.
    void string(const char* name, std::string_view value) {
        void* place = nullptr;
        call(fdt_property_placeholder, name, static_cast<int>(value.size() + 1), &place);
        if (error_ == 0) *std::copy(value.begin(), value.end(), static_cast<char*>(place)) = '\0';
    }
    /// A reg of two cells for each number.
    void reg(Gpa base, u64 size) {
        const std::array<fdt64_t, 2> value = {cpu_to_fdt64(base.raw), cpu_to_fdt64(size)};
        bytes("reg", std::as_bytes(std::span{value}));
    }

    std::expected<usize, LoadError> finish() {
        call(fdt_finish);
        if (error_ != 0) return writing_error("device tree", error_, room_);
        return fdt_totalsize(fdt_);
    }

  private:
    /// libfdt's functions must not be called on a tree that was never begun.
    template <class Function, class... Arguments>
    void call(Function function, Arguments... arguments) {
        if (error_ == 0) error_ = function(fdt_, arguments...);
    }

    void* fdt_;
    usize room_;
    int error_ = 0;
};

const char* mmu_type(SatpMode mode) {
    switch (mode) {
        case SatpMode::Sv39: return "riscv,sv39";
        case SatpMode::Sv48: return "riscv,sv48";
        case SatpMode::Sv57: return "riscv,sv57";
        default: return "riscv,none";
    }
}

/// "serial@10000000": a node's name with its unit address.
Text<31> unit(std::string_view name, Gpa address) { return Text<31>(name, '@', Digits{address.raw}); }

void write_cells(Writer& w, u32 address_cells, u32 size_cells) {
    w.cell("#address-cells", address_cells);
    w.cell("#size-cells", size_cells);
}

void write_chosen(Writer& w, const GuestMachine& m) {
    w.node("chosen", [&] {
        if (!m.bootargs.empty()) w.string("bootargs", m.bootargs);
        w.string("stdout-path", Text<40>("/soc/", unit("serial", kGuestUart).view()).view());
        if (m.initrd.size != 0) {
            w.number("linux,initrd-start", m.initrd.base.raw);
            w.number("linux,initrd-end", m.initrd.end().raw);
        }
        w.bytes("rng-seed", m.rng_seed);
    });
}

void write_cpu(Writer& w, const GuestMachine& m, u32 id) {
    w.node(Text<16>("cpu@", Digits{id}).view(), [&] {
        w.string("device_type", "cpu");
        w.cell("reg", id);
        w.string("status", "okay");
        w.string("compatible", "riscv");
        w.string("riscv,isa", m.isa.riscv_isa().view());
        w.string("riscv,isa-base", "rv64i");
        w.list("riscv,isa-extensions", m.isa.riscv_isa_extensions().view());
        if (m.isa.has("zicbom") && m.cbom_block_size != 0) w.cell("riscv,cbom-block-size", m.cbom_block_size);
        if (m.isa.has("zicboz") && m.cboz_block_size != 0) w.cell("riscv,cboz-block-size", m.cboz_block_size);
        w.string("mmu-type", mmu_type(m.mmu));
        w.node("interrupt-controller", [&] {
            w.cell("#interrupt-cells", 1);
            w.empty("interrupt-controller");
            w.string("compatible", "riscv,cpu-intc");
            w.cell("phandle", kFirstIntcPhandle + id);
        });
    });
}

void write_cpus(Writer& w, const GuestMachine& m) {
    w.node("cpus", [&] {
        write_cells(w, 1, 0);
        // One cell where it fits, as everyone writes it.
        if (m.timebase_hz <= std::numeric_limits<u32>::max()) {
            w.cell("timebase-frequency", static_cast<u32>(m.timebase_hz));
        } else {
            w.number("timebase-frequency", m.timebase_hz);
        }
        for (u32 id = 0; id < m.vcpus; ++id) write_cpu(w, m, id);
    });
}

void write_plic(Writer& w, const GuestMachine& m) {
    // Two contexts for each hart, as on `virt`; the machine-mode one is never raised.
    std::array<fdt32_t, 4 * kMaxVcpus> lines;
    usize count = 0;
    for (u32 id = 0; id < m.vcpus; ++id) {
        for (const u32 line : {kMachineExternal, kSupervisorExternal}) {
            lines[count++] = cpu_to_fdt32(kFirstIntcPhandle + id);
            lines[count++] = cpu_to_fdt32(line);
        }
    }
    w.node(unit("plic", kGuestPlic).view(), [&] {
        w.list("compatible", "sifive,plic-1.0.0\0riscv,plic0\0"sv);
        w.reg(kGuestPlic, Plic::kSize);
        w.cell("#address-cells", 0);
        w.cell("#interrupt-cells", 1);
        w.empty("interrupt-controller");
        w.bytes("interrupts-extended", std::as_bytes(std::span{lines}.first(count)));
        w.cell("riscv,ndev", Plic::kSources - 1);
        w.cell("phandle", kPlicPhandle);
    });
}

void write_interrupt(Writer& w, u32 source) {
    w.cell("interrupt-parent", kPlicPhandle);
    w.cell("interrupts", source);
}

void write_soc(Writer& w, const GuestMachine& m) {
    w.node("soc", [&] {
        write_cells(w, 2, 2);
        w.string("compatible", "simple-bus");
        w.empty("ranges");
        w.node(unit("test", kGuestSyscon).view(), [&] {
            w.list("compatible", "sifive,test1\0sifive,test0\0syscon\0"sv);
            w.reg(kGuestSyscon, Syscon::kSize);
            w.cell("phandle", kTestPhandle);
        });
        if (m.rtc) {
            w.node(unit("rtc", kGuestRtc).view(), [&] {
                w.string("compatible", "google,goldfish-rtc");
                w.reg(kGuestRtc, kRtcSize);
                write_interrupt(w, kGuestRtcIrq);
            });
        }
        if (m.manager) {
            w.node(unit("management", kGuestManager).view(), [&] {
                w.string("compatible", "undercroft,management");
                w.reg(kGuestManager, manager::kSize);
            });
        }
        write_plic(w, m);
        w.node(unit("serial", kGuestUart).view(), [&] {
            w.string("compatible", "ns16550a");
            w.reg(kGuestUart, kUartSize);
            w.cell("clock-frequency", kUartClockHz);
            write_interrupt(w, kGuestUartIrq);
        });
    });
}

/// A node that tells the kernel what to write to the test device.
void write_syscon(Writer& w, const char* name, const char* compatible, u32 value) {
    w.node(name, [&] {
        w.string("compatible", compatible);
        w.cell("regmap", kTestPhandle);
        w.cell("offset", 0);
        w.cell("value", value);
    });
}

int set_string(void* fdt, int node, const char* name, std::string_view value) {
    void* place = nullptr;
    const int error = fdt_setprop_placeholder(fdt, node, name, static_cast<int>(value.size() + 1), &place);
    if (error != 0) return error;
    *std::copy(value.begin(), value.end(), static_cast<char*>(place)) = '\0';
    return 0;
}

/// Offset of /chosen, which is made when it is missing; negative: libfdt's error.
int chosen_node(void* fdt) {
    const int chosen = fdt_subnode_offset(fdt, 0, "chosen");
    return chosen == -FDT_ERR_NOTFOUND ? fdt_add_subnode(fdt, 0, "chosen") : chosen;
}

int set_chosen(void* fdt, const GuestMachine& m) {
    const int chosen = chosen_node(fdt);
    if (chosen < 0) return chosen;
    int error = 0;
    if (!m.bootargs.empty()) error = set_string(fdt, chosen, "bootargs", m.bootargs);
    if (error == 0 && m.initrd.size != 0) {
        error = fdt_setprop_u64(fdt, chosen, "linux,initrd-start", m.initrd.base.raw);
        if (error == 0) error = fdt_setprop_u64(fdt, chosen, "linux,initrd-end", m.initrd.end().raw);
    }
    if (error == 0 && !FdtNode{fdt, chosen}.has("rng-seed")) {
        error = fdt_setprop(fdt, chosen, "rng-seed", m.rng_seed.data(), static_cast<int>(m.rng_seed.size()));
    }
    return error;
}

}  // namespace

std::expected<usize, LoadError> build_guest_fdt(const GuestMachine& machine, std::span<std::byte> out) {
    Writer w(out);
    w.node("", [&] {
        write_cells(w, 2, 2);
        w.string("compatible", "riscv-virtio");
        w.string("model", "riscv-virtio,undercroft");
        write_chosen(w, machine);
        write_cpus(w, machine);
        w.node(unit("memory", machine.ram.base).view(), [&] {
            w.string("device_type", "memory");
            w.reg(machine.ram.base, machine.ram.size);
        });
        write_soc(w, machine);
        write_syscon(w, "poweroff", "syscon-poweroff", Syscon::kPoweroff);
        write_syscon(w, "reboot", "syscon-reboot", Syscon::kReboot);
    });
    return w.finish();
}

std::expected<usize, LoadError> adapt_guest_fdt(Bytes given, const GuestMachine& machine, std::span<std::byte> out) {
    if (given.size() > out.size()) {
        return load_error("fdt: ", given.size(), " bytes do not fit into ", out.size());
    }
    // In an image tree it is 4-byte aligned; libfdt wants more.
    std::copy(given.begin(), given.end(), out.begin());
    const std::expected<FdtNode, LoadError> tree = open_fdt(out.first(given.size()), "fdt");
    if (!tree) return std::unexpected(tree.error());
    int error = fdt_open_into(out.data(), out.data(), room(out));
    if (error == 0) error = set_chosen(out.data(), machine);
    if (error == 0) error = fdt_pack(out.data());
    if (error != 0) return writing_error("fdt", error, out.size());
    return fdt_totalsize(out.data());
}

}  // namespace uc
