// SPDX-License-Identifier: MIT
#pragma once
// The guest's CSRs: one table of what each is, and how reads and writes go through it.

#include <expected>
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

/// A row of the table.
struct Csr {
    using Present = bool (*)(const CsrContext&, CsrNo);
    using Read = u64 (*)(const CsrContext&, CsrNo);
    using Write = Effect::Kind (*)(const CsrContext&, CsrNo, u64 value);

    std::string_view name;
    CsrNo first;
    CsrNo last;           ///< same as `first` but for the counters
    u16 slot;             ///< byte offset in GuestHart; used where a hook is null
    Priv lowest;          ///< privilege that may access it
    Effect::Kind effect;  ///< of a write; used where the write hook is null
    u64 read_mask;
    u64 write_mask;
    Present present;  ///< null: always there
    Read read;
    Write write;
};

[[nodiscard]] std::expected<u64, Illegal> csr_read(const CsrContext& context, CsrNo number);
[[nodiscard]] std::expected<Effect::Kind, Illegal> csr_write(const CsrContext& context, CsrNo number, u64 value);

}  // namespace uc
