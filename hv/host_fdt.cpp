// SPDX-License-Identifier: MIT
#include "hv/host_fdt.hpp"

#include "hv/fdt_bus.hpp"

namespace uc {

namespace {

constexpr u32 kSupervisorExternal = 9;  ///< the number of that interrupt at a hart's own controller

bool wraps(const HostRange& range) { return range.base.raw + (range.size - 1) < range.base.raw; }

/// Adds every entry of a memory node's reg. Such a node says where memory is or must not be used: what cannot be
/// understood is an error.
template <usize N>
LoadStatus add_ranges(FdtNode node, FixedVector<HostRange, N>& ranges) {
    const std::optional<FdtProperty> reg = node.property("reg");
    if (!reg) return {};
    usize index = 0;
    for (std::optional<HostRange> range = fdt_reg(node, 0); range; range = fdt_reg(node, ++index)) {
        if (range->size == 0) continue;
        if (wraps(*range)) return load_error("device tree: ", node.name(), ": reg wraps around");
        if (!ranges.push(*range)) return load_error("device tree: ", node.name(), ": more than ", N, " ranges");
    }
    if (index == 0 && !reg->value.empty()) return load_error("device tree: ", node.name(), ": malformed reg");
    return {};
}

LoadStatus read_memory(FdtNode root, HostMachine& machine) {
    LoadStatus status = root.for_each_child([&](FdtNode node) -> LoadStatus {
        if (node.string("device_type") != "memory" || !node.enabled()) return {};
        return add_ranges(node, machine.memory);
    });
    if (status && machine.memory.empty()) return load_error("device tree: no memory");
    return status;
}

LoadStatus read_reserved(FdtNode root, HostMachine& machine) {
    const int entries = fdt_num_mem_rsv(root.fdt());
    for (int i = 0; i < entries; ++i) {
        u64 base = 0;
        u64 size = 0;
        if (fdt_get_mem_rsv(root.fdt(), i, &base, &size) != 0 || size == 0) continue;
        const HostRange range{Hpa{base}, size};
        if (wraps(range)) return load_error("device tree: memory reservation ", Hex{base}, " wraps around");
        if (!machine.reserved.push(range)) return load_error("device tree: too many memory reservations");
    }
    const std::optional<FdtNode> node = root.child("reserved-memory");
    if (!node) return {};
    return node->for_each_child([&](FdtNode child) { return add_ranges(child, machine.reserved); });
}

bool has_mmu(FdtNode cpu) {
    const std::optional<std::string_view> type = cpu.string("mmu-type");
    return type == "riscv,sv39" || type == "riscv,sv48" || type == "riscv,sv57";
}

/// The context of `plic` that raises the supervisor external interrupt at `cpu`: the index of that line in
/// interrupts-extended.
std::optional<u32> plic_context(FdtNode plic, FdtNode cpu) {
    const std::optional<FdtProperty> lines = plic.property("interrupts-extended");
    const std::optional<FdtNode> intc = cpu.child("interrupt-controller");
    const std::optional<u64> phandle = intc ? intc->number("phandle") : std::nullopt;
    if (!lines || !phandle) return std::nullopt;
    for (u32 i = 0; 2 * i + 1 < lines->cells(); ++i) {
        if (lines->cell_at(2 * i) == *phandle && lines->cell_at(2 * i + 1) == kSupervisorExternal) return i;
    }
    return std::nullopt;
}

HostHart read_hart(FdtNode cpu, u64 id, std::optional<FdtNode> plic) {
    HostHart hart;
    hart.id = id;
    hart.isa_text = cpu.string("riscv,isa").value_or("");
    const std::optional<FdtProperty> list = cpu.property("riscv,isa-extensions");
    const bool list_rules = list && cpu.string("riscv,isa-base") == "rv64i";
    hart.isa = list_rules ? parse_riscv_isa_extensions(*list) : parse_riscv_isa(hart.isa_text);
    hart.usable = cpu.enabled() && has_mmu(cpu) && hart.isa.has("i");
    if (plic) hart.plic_context = plic_context(*plic, cpu);
    hart.cbom_block_size = static_cast<u32>(cpu.number("riscv,cbom-block-size").value_or(0));
    hart.cboz_block_size = static_cast<u32>(cpu.number("riscv,cboz-block-size").value_or(0));
    return hart;
}

LoadStatus read_harts(FdtNode root, std::optional<FdtNode> plic, HostMachine& machine) {
    const std::optional<FdtNode> cpus = root.child("cpus");
    if (!cpus) return load_error("device tree: no /cpus");
    machine.timebase_hz = cpus->number("timebase-frequency").value_or(0);
    bool any_usable = false;
    const LoadStatus status = cpus->for_each_child([&](FdtNode cpu) -> LoadStatus {
        if (cpu.string("device_type") != "cpu") return {};
        const std::optional<HostRange> reg = fdt_reg(cpu, 0);
        if (!reg) return load_error("device tree: ", cpu.name(), ": malformed reg");
        const HostHart hart = read_hart(cpu, reg->base.raw, plic);
        if (machine.timebase_hz == 0) machine.timebase_hz = cpu.number("timebase-frequency").value_or(0);
        if (machine.harts.push(hart)) any_usable |= hart.usable;
        return {};
    });
    if (!status) return status;
    if (!any_usable) return load_error("device tree: no 64-bit hart with an MMU");
    if (machine.timebase_hz == 0) return load_error("device tree: no timebase-frequency");
    return {};
}

std::optional<HostConsole::Kind> console_kind(FdtNode node) {
    if (node.compatible("sifive,uart0")) return HostConsole::Kind::SifiveUart;
    for (const std::string_view name : {"ns16550a", "ns16550", "snps,dw-apb-uart"}) {
        if (node.compatible(name)) return HostConsole::Kind::Ns16550;
    }
    return std::nullopt;
}

/// `path` is the value of stdout-path: a path or alias, and options after a colon. Those are firmware's business: it
/// has set up the port already.
std::optional<HostConsole> read_console(FdtNode root, std::string_view path, std::optional<FdtNode> plic) {
    const std::optional<FdtNode> node = root.by_path(take_until(path, ':'));
    if (!node) return std::nullopt;
    const std::optional<HostConsole::Kind> kind = console_kind(*node);
    const std::optional<HostRange> range = fdt_registers(*node);
    const u64 shift = node->number("reg-shift").value_or(0);
    const u64 width = node->number("reg-io-width").value_or(1);
    const u64 offset = node->number("reg-offset").value_or(0);
    if (!kind || !range || shift > 3 || (width != 1 && width != 2 && width != 4) || offset >= range->size) {
        return std::nullopt;
    }
    return HostConsole{.kind = *kind,
                       .range = {range->base + offset, range->size - offset},
                       .irq = plic ? fdt_interrupt(*node, *plic).value_or(0) : 0,
                       .reg_shift = static_cast<u32>(shift),
                       .reg_io_width = static_cast<u32>(width)};
}

LoadStatus read_chosen(FdtNode root, std::optional<FdtNode> plic, HostMachine& machine) {
    const std::optional<FdtNode> chosen = root.child("chosen");
    if (!chosen) return {};
    machine.bootargs = chosen->string("bootargs").value_or("");
    if (const std::optional<FdtProperty> seed = chosen->property("rng-seed")) machine.rng_seed = seed->value;
    std::optional<std::string_view> path = chosen->string("stdout-path");
    if (!path) path = chosen->string("linux,stdout-path");
    if (path) machine.console = read_console(root, *path, plic);

    if (!chosen->has("linux,initrd-start")) return {};
    const std::optional<u64> start = chosen->number("linux,initrd-start");
    const std::optional<u64> end = chosen->number("linux,initrd-end");
    if (!start || !end || *end < *start) return load_error("device tree: malformed linux,initrd-start or -end");
    if (*end > *start) machine.initrd = HostRange{Hpa{*start}, *end - *start};
    return {};
}

std::optional<FdtNode> find_plic(FdtNode root) {
    std::optional<FdtNode> plic;
    root.for_each_below([&](FdtNode node) {
        if (plic || !node.enabled()) return;
        for (const std::string_view name : {"sifive,plic-1.0.0", "riscv,plic0", "thead,c900-plic"}) {
            if (node.compatible(name)) plic = node;
        }
    });
    return plic;
}

void read_devices(FdtNode root, std::optional<FdtNode> plic, HostMachine& machine) {
    if (const std::optional<HostRange> range = plic ? fdt_registers(*plic) : std::nullopt) {
        machine.plic = HostPlic{*range, static_cast<u32>(plic->number("riscv,ndev").value_or(0))};
    }
    root.for_each_below([&](FdtNode node) {
        if (!node.enabled()) return;
        if (!machine.rtc && node.compatible("google,goldfish-rtc")) machine.rtc = fdt_registers(node);
        if (!machine.test && (node.compatible("sifive,test0") || node.compatible("sifive,test1"))) {
            machine.test = fdt_registers(node);
        }
    });
}

}  // namespace

const HostHart* HostMachine::hart(u64 id) const {
    for (const HostHart& hart : harts) {
        if (hart.id == id) return &hart;
    }
    return nullptr;
}

LoadStatus read_host_fdt(Bytes fdt, HostMachine& machine) {
    const std::expected<FdtNode, LoadError> root = open_fdt(fdt, "device tree");
    if (!root) return std::unexpected(root.error());
    machine.model = root->string("model").value_or("");
    const std::optional<FdtNode> plic = find_plic(*root);
    read_devices(*root, plic, machine);
    LoadStatus status = read_memory(*root, machine);
    if (status) status = read_reserved(*root, machine);
    if (status) status = read_harts(*root, plic, machine);
    if (status) status = read_chosen(*root, plic, machine);
    return status;
}

}  // namespace uc
