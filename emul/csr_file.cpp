// SPDX-License-Identifier: MIT
#include "emul/csr_file.hpp"

#include <array>
#include <cstddef>

// Section numbers are those of Privileged 1.12.

namespace uc {
namespace {

using Kind = Effect::Kind;
using enum CsrNo;

constexpr u64 kLcofi = irq_bit(Irq::LCOFI);
constexpr u64 kInterrupts = irq_bit(Irq::SSI) | irq_bit(Irq::STI) | irq_bit(Irq::SEI) | kLcofi;
constexpr u64 kUxl64 = 2ull << Sstatus::UXL.lsb;  // UXLEN is 64, unchangeably (4.1.1.1)
constexpr u64 kSstatus = Sstatus::SIE.mask | Sstatus::SPIE.mask | Sstatus::SPP.mask | Sstatus::VS.mask |
                         Sstatus::FS.mask | Sstatus::SUM.mask | Sstatus::MXR.mask;
constexpr u64 kSenvcfg = Senvcfg::FIOM.mask | Senvcfg::CBIE.mask | Senvcfg::CBCFE.mask | Senvcfg::CBZE.mask;

constexpr u64 unless(bool condition, u64 bits) { return condition ? 0 : bits; }
constexpr bool is(u64 field, ExtState state) { return field == static_cast<u64>(state); }

// sstatus (4.1.1). SD is derived: some extension's state is dirty.
u64 read_sstatus(const CsrContext& c, CsrNo) {
    const Sstatus s = c.hart.sstatus;
    const bool dirty = is(s.get(Sstatus::FS), ExtState::Dirty) || is(s.get(Sstatus::VS), ExtState::Dirty);
    return s.raw | kUxl64 | unless(!dirty, Sstatus::SD.mask);
}

// Called where every instruction counts, hence inline, and no look at the features before it matters.
[[gnu::always_inline]] inline Kind write_sstatus(const CsrContext& c, CsrNo, u64 value) {
    const u64 old = c.hart.sstatus.raw;
    u64 now = value;
    if (((old ^ now) & (Sstatus::FS.mask | Sstatus::VS.mask)) != 0)
        now &= ~(unless(c.features.fpu, Sstatus::FS.mask) | unless(c.features.vector, Sstatus::VS.mask));
    c.hart.sstatus.raw = now;
    return Kind::None;
}

// sie and sip (4.1.3). The timer and external bits of sip are inputs.
Kind write_sie(const CsrContext& c, CsrNo, u64 value) {
    c.hart.sie.raw = value & ~unless(c.features.sscofpmf, kLcofi);
    return Kind::None;
}

u64 read_sip(const CsrContext& c, CsrNo) { return c.hart.sip.raw | c.lines; }

Kind write_sip(const CsrContext& c, CsrNo, u64 value) {
    c.hart.sip.raw = value & ~unless(c.features.sscofpmf, kLcofi);
    return Kind::None;
}

// stvec (4.1.2): a reserved mode makes the write void, as on QEMU.
Kind write_stvec(const CsrContext& c, CsrNo, u64 value) {
    const Stvec now{{value}};
    if (now.get(Stvec::MODE) <= Stvec::kVectored) c.hart.stvec = now;
    return Kind::None;
}

Kind write_scounteren(const CsrContext& c, CsrNo, u64 value) {
    c.hart.scounteren.raw = value & c.features.counters;
    return Kind::None;
}

// senvcfg (4.1.10): CBIE = 2 is reserved and leaves that field as it was.
Kind write_senvcfg(const CsrContext& c, CsrNo, u64 value) {
    constexpr u64 kReservedCbie = 2;
    Senvcfg now{{value & ~(unless(c.features.zicbom, Senvcfg::CBIE.mask | Senvcfg::CBCFE.mask) |
                           unless(c.features.zicboz, Senvcfg::CBZE.mask))}};
    if (now.get(Senvcfg::CBIE) == kReservedCbie) now.set(Senvcfg::CBIE, c.hart.senvcfg.get(Senvcfg::CBIE));
    c.hart.senvcfg = now;
    return Kind::None;
}

// satp (4.1.11): a write with an unsupported MODE has no effect at all. Bare keeps whatever its other fields are given.
Kind write_satp(const CsrContext& c, CsrNo, u64 value) {
    Satp now{{value}};
    const SatpMode mode = now.mode();
    if (mode != SatpMode::Bare && (mode < SatpMode::Sv39 || mode > c.features.max_mode)) return Kind::None;
    now.set(Satp::ASID, now.get(Satp::ASID) & ((1ull << c.features.asid_bits) - 1));
    c.hart.satp = now;
    return Kind::Satp;
}

// Counters (4.1.5): of those that exist, U-mode reads the ones that scounteren opens.
bool counter_open(const CsrContext& c, CsrNo number) {
    const u64 bit = 1ull << (static_cast<unsigned>(number) - static_cast<unsigned>(cycle));
    return (c.features.counters & bit) != 0 && (c.hart.priv == Priv::S || (c.hart.scounteren.raw & bit) != 0);
}
u64 read_time(const CsrContext& c, CsrNo) { return c.host.time(); }
u64 read_counter(const CsrContext& c, CsrNo number) {
    return c.hart.counters.value(static_cast<unsigned>(number) - static_cast<unsigned>(cycle), c.host.counter(number));
}

// The CSRs of F and V live in the hardware. They are illegal while their state is Off, and dirty it when written
// (3.1.6.6).
bool fp_on(const CsrContext& c, CsrNo) { return c.features.fpu && !is(c.hart.sstatus.get(Sstatus::FS), ExtState::Off); }
bool vector_on(const CsrContext& c, CsrNo) {
    return c.features.vector && !is(c.hart.sstatus.get(Sstatus::VS), ExtState::Off);
}
u64 read_user(const CsrContext& c, CsrNo number) { return c.host.read_user_csr(number); }
Kind write_fp(const CsrContext& c, CsrNo number, u64 value) {
    c.host.write_user_csr(number, value);
    c.hart.sstatus.set(Sstatus::FS, static_cast<u64>(ExtState::Dirty));
    return Kind::None;
}
Kind write_vector(const CsrContext& c, CsrNo number, u64 value) {
    c.host.write_user_csr(number, value);
    c.hart.sstatus.set(Sstatus::VS, static_cast<u64>(ExtState::Dirty));
    return Kind::None;
}

bool has_envcfg(const CsrContext& c, CsrNo) { return c.features.envcfg; }
bool has_sstc(const CsrContext& c, CsrNo) { return c.features.sstc; }

using Present = decltype(Csr::present);
using Read = decltype(Csr::read);
using Write = decltype(Csr::write);

// The two families that U-mode reaches: registers of F and V, which without `write` are read-only, and counters.
constexpr Csr user_csr(std::string_view name, CsrNo number, u64 mask, Present present, Write write) {
    return {.name = name,
            .first = number,
            .lowest = Priv::U,
            .read_mask = mask,
            .write_mask = write == nullptr ? 0 : mask,
            .present = present,
            .read = read_user,
            .write = write};
}
constexpr Csr counter(std::string_view name, CsrNo first, CsrNo last, Read read) {
    return {.name = name,
            .first = first,
            .last = last,
            .lowest = Priv::U,
            .write_mask = 0,
            .present = counter_open,
            .read = read};
}

constexpr auto kTable = std::to_array<Csr>({
    user_csr("fflags", fflags, 0x1f, fp_on, write_fp),
    user_csr("frm", frm, 0x7, fp_on, write_fp),
    user_csr("fcsr", fcsr, 0xff, fp_on, write_fp),
    user_csr("vstart", vstart, ~0ull, vector_on, write_vector),
    user_csr("vxsat", vxsat, 0x1, vector_on, write_vector),
    user_csr("vxrm", vxrm, 0x3, vector_on, write_vector),
    user_csr("vcsr", vcsr, 0x7, vector_on, write_vector),
    {.name = "sstatus",
     .first = sstatus,
     .slot = offsetof(GuestHart, sstatus),
     .read_mask = kSstatus | kUxl64 | Sstatus::SD.mask,
     .write_mask = kSstatus,
     .read = read_sstatus,
     .write = write_sstatus},
    {.name = "sie",
     .first = sie,
     .slot = offsetof(GuestHart, sie),
     .read_mask = kInterrupts,
     .write_mask = kInterrupts,
     .write = write_sie},
    {.name = "stvec", .first = stvec, .slot = offsetof(GuestHart, stvec), .write = write_stvec},
    {.name = "scounteren",
     .first = scounteren,
     .slot = offsetof(GuestHart, scounteren),
     .read_mask = 0xffff'ffff,
     .write_mask = 0xffff'ffff,
     .write = write_scounteren},
    {.name = "senvcfg",
     .first = senvcfg,
     .slot = offsetof(GuestHart, senvcfg),
     .read_mask = kSenvcfg,
     .write_mask = kSenvcfg,
     .present = has_envcfg,
     .write = write_senvcfg},
    {.name = "sscratch", .first = sscratch, .slot = offsetof(GuestHart, sscratch)},
    {.name = "sepc", .first = sepc, .slot = offsetof(GuestHart, sepc), .read_mask = ~1ull, .write_mask = ~1ull},
    {.name = "scause", .first = scause, .slot = offsetof(GuestHart, scause)},
    {.name = "stval", .first = stval, .slot = offsetof(GuestHart, stval)},
    {.name = "sip",
     .first = sip,
     .slot = offsetof(GuestHart, sip),
     .read_mask = kInterrupts,
     .write_mask = Sip::SSIP.mask | kLcofi,
     .read = read_sip,
     .write = write_sip},
    {.name = "stimecmp",
     .first = stimecmp,
     .effect = Kind::Timer,
     .slot = offsetof(GuestHart, stimecmp),
     .present = has_sstc},
    {.name = "satp", .first = satp, .slot = offsetof(GuestHart, satp), .write = write_satp},
    counter("cycle", cycle, cycle, read_counter),
    counter("time", time, time, read_time),
    counter("instret", instret, instret, read_counter),
    counter("hpmcounter", hpmcounter3, hpmcounter31, read_counter),
    user_csr("vl", vl, ~0ull, vector_on, nullptr),
    user_csr("vtype", vtype, ~0ull, vector_on, nullptr),
    user_csr("vlenb", vlenb, ~0ull, vector_on, nullptr),
});

constexpr usize kNumbers = 4096;
constexpr u8 kAbsent = 0xff;

// Row of each CSR number, so that finding one is a single load.
constexpr auto kIndex = [] {
    std::array<u8, kNumbers> index{};
    index.fill(kAbsent);
    for (usize row = 0; row < kTable.size(); ++row)
        for (auto n = static_cast<unsigned>(kTable[row].first); n <= static_cast<unsigned>(kTable[row].last); ++n)
            index[n] = static_cast<u8>(row);
    return index;
}();

inline const Csr* row(CsrNo number) {
    const u8 row = kIndex[static_cast<unsigned>(number) % kNumbers];
    return row == kAbsent ? nullptr : &kTable[row];
}

// The row of a CSR that exists and that the hart's privilege reaches, else null (2.1).
inline const Csr* find(const CsrContext& c, CsrNo number) {
    const Csr* csr = row(number);
    if (csr == nullptr || c.hart.priv < csr->lowest) return nullptr;
    return csr->present == nullptr || csr->present(c, number) ? csr : nullptr;
}

inline bool is_read_only(CsrNo number) { return static_cast<unsigned>(number) >> 10 == 3; }

inline u64& slot(const CsrContext& c, const Csr& csr) {
    return *reinterpret_cast<u64*>(reinterpret_cast<std::byte*>(&c.hart) + csr.slot);
}

inline u64 read(const CsrContext& c, const Csr& csr, CsrNo number) {
    return (csr.read != nullptr ? csr.read(c, number) : slot(c, csr)) & csr.read_mask;
}

inline Kind write(const CsrContext& c, const Csr& csr, CsrNo number, u64 value) {
    if (csr.write != nullptr) return csr.write(c, number, value & csr.write_mask);
    slot(c, csr) = value & csr.write_mask;
    return csr.effect;
}

// What an instruction does to the CSR: the low bits of its funct3, or nothing but reading.
enum class Op : u8 { Read = 0, Write = 1, Set = 2, Clear = 3 };

struct Operation {
    Op op;
    u8 rd;
    CsrNo number;
    u64 operand;
};

inline Operation decode(const GuestHart& hart, u32 insn) {
    const unsigned source = insn >> 15 & 31;  // rs1, or an immediate by bit 14
    const auto op = static_cast<Op>(insn >> 12 & 3);
    return {
        // The register number decides, not its value: csrrs and csrrc with x0 or 0 do not write at all (Zicsr).
        .op = op != Op::Write && source == 0 ? Op::Read : op,
        .rd = static_cast<u8>(insn >> 7 & 31),
        .number = static_cast<CsrNo>(insn >> 20),
        .operand = (insn >> 14 & 1) != 0 ? source : hart.get_x(source),
    };
}

// csrrw to x0 must not read (Zicsr), but no read here has an effect that could tell.
template <class Read, class Write>
inline Step perform(const CsrContext& c, const Operation& o, Read read, Write write) {
    const u64 old = read();
    Step step{Outcome::advance(4), {}};
    if (o.op != Op::Read) {
        u64 value = o.operand;
        if (o.op == Op::Set) value = old | o.operand;
        if (o.op == Op::Clear) value = old & ~o.operand;
        step.effect.kind = write(value);
    }
    c.hart.set_x(o.rd, old);
    return step;
}

// Any CSR. Out of line, so that the paths of execute_csr() that call nothing need no stack frame.
[[gnu::noinline]] Step execute_any(const CsrContext& c, u32 insn) {
    const Operation o = decode(c.hart, insn);
    const Csr* csr = find(c, o.number);
    if (csr == nullptr || (o.op != Op::Read && is_read_only(o.number))) return {Outcome::illegal(insn), {}};
    return perform(
        c, o, [&] { return read(c, *csr, o.number); }, [&](u64 value) { return write(c, *csr, o.number, value); });
}

}  // namespace

std::span<const Csr> csr_table() { return kTable; }

std::expected<u64, Illegal> csr_read(const CsrContext& context, CsrNo number) {
    const Csr* csr = find(context, number);
    if (csr == nullptr) return std::unexpected(Illegal{});
    return read(context, *csr, number);
}

std::expected<Effect::Kind, Illegal> csr_write(const CsrContext& context, CsrNo number, u64 value) {
    const Csr* csr = find(context, number);
    if (csr == nullptr || is_read_only(number)) return std::unexpected(Illegal{});
    return write(context, *csr, number, value);
}

Step execute_csr(const CsrContext& context, u32 insn) {
    // What kernels do most: sstatus, then the supervisor's plain registers.
    if (context.hart.priv == Priv::S) {
        const Operation o = decode(context.hart, insn);
        if (o.number == sstatus)
            return perform(
                context, o, [&] { return read_sstatus(context, sstatus); },
                [&](u64 value) { return write_sstatus(context, sstatus, value & kSstatus); });
        if (const Csr* csr = row(o.number); csr != nullptr && csr->is_plain())
            return perform(
                context, o, [&] { return slot(context, *csr) & csr->read_mask; },
                [&](u64 value) {
                    slot(context, *csr) = value & csr->write_mask;
                    return csr->effect;
                });
    }
    return execute_any(context, insn);
}

}  // namespace uc
