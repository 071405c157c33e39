// SPDX-License-Identifier: MIT
// Boot order: what the machine is, memory, console, harts, guests; then the loop that runs them.

#include <bit>
#include <new>

#include "hv/arch/counter_costs.hpp"
#include "hv/arch/csr_access.hpp"
#include "hv/arch/hart.hpp"
#include "hv/arch/host_memory_map.hpp"
#include "hv/arch/host_uart.hpp"
#include "hv/arch/power.hpp"
#include "hv/arch/sbi_call.hpp"
#include "hv/arch/secondary.hpp"
#include "hv/arch/window.hpp"
#include "hv/host_fdt.hpp"
#include "hv/machine_view.hpp"
#include "hv/monitor.hpp"
#include "hv/payload.hpp"
#include "hv/version.hpp"

namespace uc {

/// Where a debugger finds the guests (tools/gdb).
[[gnu::used]] constinit Machine* the_machine = nullptr;

namespace {

using namespace arch;

constexpr u64 kMostFdt = 4 * kMiB;
constexpr u64 kLeastFdt = 40;  // its header
constexpr u64 kOpenSbi = 1;    // SBI implementation id
constexpr u64 kOpenSbiPrints =
    0x1'0006;  // from OpenSBI 1.6 on, illegal SYSTEM instructions that it bounces are reported

/// Everything that lives as long as the machine runs.
struct Hypervisor {
    u64 boot_hart = 0;
    Firmware firmware;
    HostRange fdt;
    HostMachine machine;
    HostMemory memory{0};
    HostMap map;
    HartAbilities abilities;  ///< that all harts have
    IsaSet isa;               ///< likewise
    Hart hart;                ///< the one that boots
    FixedVector<SecondaryHart*, kMaxHostHarts - 1> others;
    SbiTerminal sbi_terminal;
    Uart16550Terminal uart_16550;
    SifiveUartTerminal uart_sifive;
    std::optional<Console> console;
    std::optional<GoldfishClock> rtc;
    Boot boot;
    GuestEnvironment environment;
};

constinit Hypervisor hv;

[[noreturn]] void die(std::string_view line) {
    log_error("{}", line);
    power_off(true);
}

template <class T>
T must(std::expected<T, LoadError>&& result) {
    if (!result) die(result.error().text.view());
    if constexpr (!std::is_void_v<T>) return *result;
}

void use_terminal(Terminal& terminal) {
    hv.console.emplace(terminal);
    power.console = &*hv.console;
    the_log.set_sink(&hv.console->log_sink());
}

Bytes bytes_at(HostRange range) { return {reinterpret_cast<const std::byte*>(physmap(range.base).raw), range.size}; }

// What boot stages left for us must lie where the physmap shows it.
void require_reachable(std::string_view what, HostRange range) {
    if (range.base >= arch::window.physmap_base && range.end() <= physmap_end() && range.base <= range.end()) return;
    log_error("{} at {} to {} is out of reach: only {} to {} is mapped", what, range.base, range.end(),
              arch::window.physmap_base, physmap_end());
    power_off(true);
}

void read_machine(u64 fdt_address) {
    if (fdt_address == 0) die("firmware passed no device tree");
    require_reachable("the device tree", {Hpa{fdt_address}, kLeastFdt});
    // The header's second word is the length (Devicetree Specification 0.4, 5.2), big-endian.
    const auto* header = reinterpret_cast<const u32*>(physmap(Hpa{fdt_address}).raw);
    const u64 size = std::byteswap(header[1]);
    if (size < kLeastFdt || size > kMostFdt) die("what firmware passed is no device tree");
    hv.fdt = {Hpa{fdt_address}, size};
    must(read_host_fdt(bytes_at(hv.fdt), hv.machine));
}

void map_memory() {
    require_reachable("the device tree", hv.fdt);
    if (hv.machine.initrd) require_reachable("the payload", *hv.machine.initrd);
    hv.memory.set_view(physmap(Hpa{0}).raw);
    collect_memory(hv.machine, hv.fdt, hv.memory);
    if (!build_host_map(hv.machine, hv.fdt, hv.memory, hv.map))
        die("too little memory for the hypervisor's page tables");
    hv.map.install();
}

void find_devices() {
    if (hv.machine.test) power.test_device = hv.map.map_apart(hv.machine.test->base, hv.machine.test->size);
    if (hv.machine.rtc) {
        const Hva at = hv.map.map_apart(hv.machine.rtc->base, hv.machine.rtc->size);
        if (at.raw != 0) hv.rtc.emplace(at);
    }
}

// The UART that stdout-path names when it is one we can drive with interrupts; else what firmware offers.
void choose_terminal() {
    const auto& wanted = hv.machine.console;
    const HostHart* me = hv.machine.hart(hv.boot_hart);
    if (!wanted || wanted->irq == 0 || !hv.machine.plic || me == nullptr || !me->plic_context) return;
    const Hva uart = hv.map.map_apart(wanted->range.base, wanted->range.size);
    const Hva plic_base = hv.map.map_apart(hv.machine.plic->range.base, hv.machine.plic->range.size);
    if (uart.raw == 0 || plic_base.raw == 0) return;

    HostUart* terminal = nullptr;
    if (wanted->kind == HostConsole::Kind::Ns16550) {
        hv.uart_16550.init(uart, wanted->reg_shift, wanted->reg_io_width);
        terminal = &hv.uart_16550;
    } else {
        hv.uart_sifive.init(uart);
        terminal = &hv.uart_sifive;
    }
    use_terminal(*terminal);
    PlicContext plic;
    plic.init(plic_base, *me->plic_context, hv.machine.plic->sources);
    hv.hart.route_terminal(plic, wanted->irq, *hv.console);
    terminal->enable_interrupts();
}

std::string_view mode_name(SatpMode mode) {
    switch (mode) {
        case SatpMode::Sv57: return "Sv57";
        case SatpMode::Sv48: return "Sv48";
        case SatpMode::Sv39: return "Sv39";
        default: return "no translation";
    }
}

void log_machine() {
    const Firmware& f = hv.firmware;
    log_info("Undercroft {} on {}", kVersion, hv.machine.model);
    log_info("firmware: SBI {}.{}, implementation {} version {x}{}", f.spec_version >> 24 & 0x7f,
             f.spec_version & 0xff'ffff, f.impl_id, f.impl_version, f.dbcn ? ", DBCN" : "");
    if (f.impl_id == kOpenSbi && f.impl_version >= kOpenSbiPrints) {
        log_warn("this firmware prints a line for each sret, wfi and sfence.vma not replaced yet (docs/caveats.md)");
    }
    for (const HostHart& hart : hv.machine.harts) {
        log_info("hart {}: {}{}{}", hart.id, hart.isa_text, hart.usable ? "" : " (not usable)",
                 hart.id == hv.boot_hart ? " (boot)" : "");
    }
    const HartAbilities& a = hv.abilities;
    log_info("{} of {} harts run guests", 1 + hv.others.size(), hv.machine.harts.size());
    log_info("mmu: {}, {} ASID bits; timer: {}, {} Hz", mode_name(arch::window.mode), a.asid_bits,
             a.sstc ? "stimecmp" : "SBI", hv.hart.timebase_hz());
    if (!a.exact_stval) log_info("stval does not tell illegal instructions: each is fetched from the guest's memory");
    log_info("image at {}, window at {}", arch::window.image, arch::window.base);
    for (const HostRange& r : hv.memory.free_ranges()) {
        log_info("memory: {} to {} free, {} KiB", r.base, r.end(), r.size / kKiB);
    }
}

void probe_boot_hart(const Hart::Machine& common) {
    const HostHart* me = hv.machine.hart(hv.boot_hart);
    if (me == nullptr || !me->usable) die("the device tree does not list the boot hart as usable");
    hv.abilities = probe_hart(me->isa.has("sstc"));
    hv.isa = me->isa;
    hv.hart.init(hv.boot_hart, hv.abilities, common);
}

// A guest may find itself on any hart: it is given what all of them have.
void start_other_harts() {
    HartAbilities& all = hv.abilities;
    for (HostHart& host : hv.machine.harts) {
        if (!host.usable || host.id == hv.boot_hart) continue;
        SecondaryHart* hart = nullptr;
        if (hv.firmware.hsm && hv.firmware.ipi && hv.others.size() < kMaxHostHarts - 1) {
            hart = SecondaryHart::start(host, hv.map, hv.memory);
        }
        host.usable = hart != nullptr;
        if (hart == nullptr) continue;
        static_cast<void>(hv.others.push(hart));
        hv.isa.intersect(host.isa);
        const HartAbilities& its = hart->abilities();
        all.sstc = all.sstc && its.sstc;
        all.envcfg = all.envcfg && its.envcfg;
        all.fpu = all.fpu && its.fpu;
        all.vector = all.vector && its.vector && all.vlenb == its.vlenb;
        all.exact_stval = all.exact_stval && its.exact_stval;
        all.asid_bits = std::min(all.asid_bits, its.asid_bits);
        all.counters &= its.counters;
    }
    all.fpu = all.fpu && hv.isa.has("d");
    all.vector = all.vector && all.vlenb != 0 && hv.isa.has("v");
}

// The end of a hart: when the machine is over, the first to get here switches it off.
[[noreturn]] void leave() {
    if (the_machine != nullptr && the_machine->is_over()) {
        if (const auto end = the_machine->claim_end()) power_off(*end == MachineEnd::Failure);
    }
    csr_write<CsrNo::sie>(0);
    for (;;) wait_for_interrupt();
}

// The CPU a guest gets: the host's, less what is not virtualised.
void describe_guest_cpu() {
    const HostHart& host = *hv.machine.hart(hv.boot_hart);
    const IsaSet& isa = hv.isa;
    const HartAbilities& a = hv.abilities;
    const SatpMode host_mode = arch::window.mode;
    // One mode less than ours where there is one: then no guest address can name the window.
    const SatpMode guest_mode = host_mode == SatpMode::Sv57 ? SatpMode::Sv48 : SatpMode::Sv39;
    Features& f = hv.environment.features;
    f = {
        .max_mode = guest_mode,
        .asid_bits = a.asid_bits,
        .fpu = a.fpu,
        .vector = a.vector,
        .sstc = a.sstc,
        .svinval = isa.has("svinval"),
        .svadu_hw = !isa.has("svade"),
        .svpbmt = isa.has("svpbmt"),
        .svnapot = isa.has("svnapot"),
        .envcfg = a.envcfg,
        .zicbom = a.envcfg && isa.has("zicbom"),
        .zicboz = a.envcfg && isa.has("zicboz"),
        .counters = a.counters,
    };
    hv.environment.isa = guest_isa(isa, {
                                            .fpu = f.fpu,
                                            .vector = f.vector,
                                            .sstc = f.sstc,
                                            .svinval = f.svinval,
                                            .svnapot = f.svnapot,
                                            .svpbmt = f.svpbmt,
                                            .svadu = f.svadu_hw,
                                            .zicbom = f.zicbom,
                                            .zicboz = f.zicboz,
                                        });
    hv.environment.cbom_block_size = host.cbom_block_size;
    hv.environment.cboz_block_size = host.cboz_block_size;
}

void describe_environment() {
    GuestEnvironment& e = hv.environment;
    e.platform = &hv.hart;
    e.memory = &hv.memory;
    e.console = &*hv.console;
    e.wall_clock = hv.rtc ? &*hv.rtc : nullptr;
    e.timebase_hz = hv.hart.timebase_hz();
    e.mvendorid = hv.firmware.mvendorid;
    e.marchid = hv.firmware.marchid;
    e.mimpid = hv.firmware.mimpid;
    e.misaligned_delegated = hv.firmware.misaligned_delegated;
    e.rng_seed = hv.machine.rng_seed;
    e.host_asid_bits = hv.abilities.asid_bits;
    e.vlenb = hv.abilities.vector ? hv.abilities.vlenb : 0;
    const auto entries = hv.map.window_entries();
    e.window = {arch::window.mode, hv.map.window_slot(), static_cast<unsigned>(entries.size()), entries.data()};
    describe_guest_cpu();
}

void start_trace(Machine& machine) {
    const TraceMode mode = hv.boot.options.trace;
    if (mode == TraceMode::Off) return;
    const CounterCosts costs = measure_counters(hv.abilities.counters, hv.hart.timebase_hz());
    const ExitClock clock = choose_exit_clock(mode, costs, hv.hart.timebase_hz());
    if (!machine.start_trace(hv.memory, clock)) return log_warn("too little memory to trace exits");
    hv.hart.use_exit_counter(clock.counter);
    for (SecondaryHart* hart : hv.others) hart->hart().use_exit_counter(clock.counter);
    log_info("trace: {} exits for each hart, {}", ExitTrace::kRecords, describe(clock, mode, costs).view());
}

void create_guests(Machine& machine) {
    if (!hv.machine.initrd) die("no payload: pass a kernel or an image tree as initrd");
    must(read_payload(bytes_at(*hv.machine.initrd), hv.machine.bootargs, hv.boot));
    the_log.set_level(hv.boot.options.loglevel);
    hv.environment.replace = hv.boot.options.replace;
    must(check_harts(hv.boot.config, hv.machine));
    must(check_supported(hv.boot.config, arch::window.mode));
    hv.environment.guests = static_cast<unsigned>(hv.boot.config.guests.size());
    start_trace(machine);
    for (const GuestConfig& config : hv.boot.config.guests) {
        Guest* guest = must(Guest::create(config, hv.environment, static_cast<unsigned>(machine.guests().size())));
        if (!machine.add(*guest)) panic("a guest was checked, and has no hart");
        log_info("guest {}: {} MiB, {} vCPU{}", guest->name(), config.memory / kMiB, config.vcpus,
                 config.vcpus == 1 ? "" : "s");
    }
}

}  // namespace

extern "C" [[noreturn, gnu::visibility("hidden")]] void uc_main(u64 hart_id, u64 fdt_address) {
    hv.boot_hart = hart_id;
    if constexpr (kCheckLocks) {
        the_lock_hooks.context = [] { return Hart::current() == nullptr ? nullptr : &Hart::current()->locks(); };
        the_lock_hooks.violated = [](LockRank, u32) {
            the_lock_hooks = {};
            panic("locks are taken out of order");
        };
    }
    hv.firmware = probe_firmware();
    hv.sbi_terminal.init(hv.firmware.dbcn);
    use_terminal(hv.sbi_terminal);
    read_machine(fdt_address);
    map_memory();
    const Hart::Machine common{hv.firmware.time, hv.machine.timebase_hz, hv.map.satp()};
    probe_boot_hart(common);
    start_other_harts();
    find_devices();
    choose_terminal();
    log_machine();

    describe_environment();
    Machine machine(hv.hart, *hv.console, hv.boot.options, static_cast<unsigned>(1 + hv.others.size()));
    the_machine = &machine;
    hv.environment.keeper = &machine;
    Runner runner(machine, hv.hart, 0, hart_id);
    machine.add(runner);
    for (SecondaryHart* hart : hv.others) {
        machine.add(hart->emplace_runner(machine, static_cast<unsigned>(machine.runners().size())));
    }
    create_guests(machine);
    MachineView view(machine, hv.memory);
    Monitor monitor(view, hv.console->prompt_sink());
    machine.set_monitor(monitor);
    if (!machine.start()) panic("guests were checked, and one has no hart");
    for (SecondaryHart* hart : hv.others) hart->release(common);
    hv.hart.start();
    runner.run();
    leave();
}

extern "C" [[noreturn, gnu::visibility("hidden")]] void uc_secondary_main(SecondaryHart* hart) {
    hart->main();
    leave();
}

}  // namespace uc
