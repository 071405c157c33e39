// SPDX-License-Identifier: MIT
#pragma once
// The guest's CSRs: one table of what each is, and how reads and writes go through it.

#include <expected>
#include <span>
#include <string_view>

#include "emul/features.hpp"
#include "emul/guest_hart.hpp"
#include "emul/host.hpp"
#include "emul/outcome.hpp"

namespace uc {

/// Everything a CSR access may depend on.
struct CsrContext {
    GuestHart& hart;
    const Features& features;
    Host& host;
    u64 lines = 0;  ///< STIP and SEIP as timer and PLIC drive them now
};

/// The access is an illegal instruction: no such CSR, too little privilege, or a write to a read-only one.
struct Illegal {
    friend constexpr bool operator==(Illegal, Illegal) = default;
};

/// A row of the table. The defaults describe a supervisor register of 64 plain bits that is always there.
struct Csr {
    std::string_view name;
    CsrNo first;
    CsrNo last = first;                                   ///< differs from `first` for the hpmcounters only
    Priv lowest = Priv::S;                                ///< least privilege that may access it
    Effect::Kind effect = Effect::Kind::None;             ///< of a write without hook
    u16 slot = 0;                                         ///< byte offset in GuestHart, for accesses without hook
    u64 read_mask = ~0ull;                                ///< bits that can ever read as 1
    u64 write_mask = ~0ull;                               ///< bits a write can ever change
    bool (*present)(const CsrContext&, CsrNo) = nullptr;  ///< null: always
    u64 (*read)(const CsrContext&, CsrNo) = nullptr;      ///< null: from `slot`
    /// Stores the nearest legal value (WARL) to `value`, which is masked already. Null: `value` itself, to `slot`.
    Effect::Kind (*write)(const CsrContext&, CsrNo, u64 value) = nullptr;

    [[nodiscard]] constexpr bool is_plain() const { return present == nullptr && read == nullptr && write == nullptr; }
};

/// Every CSR that some guest may have, by number.
[[nodiscard]] std::span<const Csr> csr_table();

[[nodiscard]] std::expected<u64, Illegal> csr_read(const CsrContext& context, CsrNo number);
[[nodiscard]] std::expected<Effect::Kind, Illegal> csr_write(const CsrContext& context, CsrNo number, u64 value);

/// Executes csrrw, csrrs, csrrc or an immediate form of them: `insn` has opcode SYSTEM and funct3 other than 0 and 4.
[[nodiscard]] Step execute_csr(const CsrContext& context, u32 insn);

}  // namespace uc
