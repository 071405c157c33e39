// SPDX-License-Identifier: MIT
#include "guest-images/linux/ucctl/manager.hpp"

namespace uc::ucctl {

sbi::Ret Manager::call(u64 function, u64 a0, u64 a1, u64 a2) {
    u64 offset = manager::kArgumentRegisters;
    for (const u64 argument : {a0, a1, a2}) {
        registers_.store(offset, argument);
        offset += sizeof argument;
    }
    registers_.store(manager::kFunctionRegister, function);
    return {static_cast<sbi::Error>(registers_.load(manager::kErrorRegister)),
            registers_.load(manager::kValueRegister)};
}

std::expected<u64, sbi::Error> Manager::count() {
    const sbi::Ret ret = call(sbi::undercroft::GuestCount);
    if (ret.error != sbi::Error::Success) return std::unexpected(ret.error);
    return ret.value;
}

std::expected<GuestInfo, sbi::Error> Manager::look(u64 number) {
    const auto found = record<sbi::undercroft::GuestRecord>(call(sbi::undercroft::GuestInfo, number));
    if (!found) return std::unexpected(found.error());
    return GuestInfo{number, *found};
}

}  // namespace uc::ucctl
