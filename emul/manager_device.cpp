// SPDX-License-Identifier: MIT
#include "emul/manager_device.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace uc {
namespace {

constexpr unsigned kWidth = sizeof(u64);

/// Which of `count` doublewords from `first` on is at `offset`.
[[nodiscard]] constexpr std::optional<usize> index_in(u64 offset, u64 first, u64 count) {
    if (offset < first || offset - first >= count * kWidth) return std::nullopt;
    return (offset - first) / kWidth;
}

[[nodiscard]] constexpr std::optional<usize> argument_at(u64 offset) {
    return index_in(offset, manager::kArgumentRegisters, manager::kArguments);
}

[[nodiscard]] constexpr std::optional<usize> data_at(u64 offset) {
    return index_in(offset, manager::kData, manager::kDataSize / kWidth);
}

}  // namespace

std::optional<u64> ManagerDevice::read(u64 offset, unsigned width) {
    if (width != kWidth) return std::nullopt;
    if (const auto n = argument_at(offset)) return call_.arguments[*n];
    if (const auto n = data_at(offset)) {
        u64 value = 0;
        std::memcpy(&value, &data_[*n * kWidth], kWidth);
        return value;
    }
    switch (offset) {
        case manager::kIdRegister: return manager::kId;
        case manager::kFunctionRegister: return call_.function;
        case manager::kErrorRegister: return static_cast<u64>(result_.error);
        case manager::kValueRegister: return result_.value;
        default: return 0;
    }
}

bool ManagerDevice::write(u64 offset, unsigned width, u64 value) {
    if (width != kWidth) return false;
    if (const auto n = argument_at(offset)) {
        call_.arguments[*n] = value;
    } else if (const auto m = data_at(offset)) {
        std::memcpy(&data_[*m * kWidth], &value, kWidth);
    } else if (offset == manager::kFunctionRegister) {
        call_.function = value;
        called_ = true;
    }
    return true;
}

std::optional<ManagerCall> ManagerDevice::take_call() {
    if (!std::exchange(called_, false)) return std::nullopt;
    return call_;
}

void ManagerDevice::read_data(u64 offset, std::span<u8> bytes) const {
    std::copy_n(&data_[offset], bytes.size(), bytes.begin());
}

void ManagerDevice::write_data(u64 offset, std::span<const u8> bytes) {
    std::copy(bytes.begin(), bytes.end(), &data_[offset]);
}

}  // namespace uc
