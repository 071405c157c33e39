// SPDX-License-Identifier: MIT
#pragma once
// The hypervisor's calls for looking after guests, made through the registers of the management device.

#include <bit>
#include <cstring>
#include <expected>
#include <optional>
#include <string_view>
#include <type_traits>

#include "emul/manager_registers.hpp"

namespace uc::ucctl {

/// The device's doublewords, by offset (emul/manager_registers.hpp). Nobody else uses them meanwhile.
class Registers {
  public:
    [[nodiscard]] virtual u64 load(u64 offset) = 0;
    virtual void store(u64 offset, u64 value) = 0;

  protected:
    ~Registers() = default;
};

/// A guest, as the calls know it.
struct GuestInfo {
    u64 number = 0;
    sbi::undercroft::GuestRecord record;

    [[nodiscard]] std::string_view name() const {
        return {record.name.data(), ::strnlen(record.name.data(), record.name.size())};
    }
};

class Manager {
  public:
    explicit Manager(Registers& registers) : registers_(registers) {}

    /// Whether the registers are those of the device, in a layout that is known here.
    [[nodiscard]] bool is_there() { return registers_.load(manager::kIdRegister) == manager::kId; }
    /// Calls function `function`, a sbi::undercroft::Fid.
    [[nodiscard]] sbi::Ret call(u64 function, u64 a0 = 0, u64 a1 = 0, u64 a2 = 0);

    /// How many guests there are, or why that is not told.
    [[nodiscard]] std::expected<u64, sbi::Error> count();
    /// What is told of the guest `number`.
    [[nodiscard]] std::expected<GuestInfo, sbi::Error> look(u64 number);
    /// How often `guest` has trapped for reason `kind`; InvalidParam: there are no more.
    [[nodiscard]] std::expected<sbi::undercroft::GuestExitsRecord, sbi::Error> exits(u64 guest, u64 kind) {
        return record<sbi::undercroft::GuestExitsRecord>(call(sbi::undercroft::GuestExits, guest, kind));
    }
    [[nodiscard]] std::expected<sbi::undercroft::GuestMemoryRecord, sbi::Error> guest_memory(u64 guest) {
        return record<sbi::undercroft::GuestMemoryRecord>(call(sbi::undercroft::GuestMemory, guest));
    }
    [[nodiscard]] std::expected<sbi::undercroft::MachineMemoryRecord, sbi::Error> machine_memory() {
        return record<sbi::undercroft::MachineMemoryRecord>(call(sbi::undercroft::MachineMemory));
    }

  private:
    /// What a call that returned `ret` has written to the beginning of the device's memory.
    template <class Record>
    [[nodiscard]] std::expected<Record, sbi::Error> record(const sbi::Ret& ret) {
        static_assert(std::is_trivially_copyable_v<Record> && sizeof(Record) % sizeof(u64) == 0);
        static_assert(sizeof(Record) <= manager::kDataSize);
        if (ret.error != sbi::Error::Success) return std::unexpected(ret.error);
        std::array<u64, sizeof(Record) / sizeof(u64)> words;
        for (u64 n = 0; n < words.size(); ++n) words[n] = registers_.load(manager::kData + n * sizeof(u64));
        return std::bit_cast<Record>(words);
    }

    Registers& registers_;
};

}  // namespace uc::ucctl
