// SPDX-License-Identifier: MIT
#include "emul/syscon.hpp"

namespace uc {
namespace {

[[nodiscard]] constexpr bool takes(unsigned width) { return width == 2 || width == 4; }

}  // namespace

std::optional<u64> Syscon::read(u64 /*offset*/, unsigned width) {
    if (!takes(width)) return std::nullopt;
    return 0;
}

bool Syscon::write(u64 offset, unsigned width, u64 value) {
    if (!takes(width)) return false;
    if (offset != 0) return true;
    switch (value & 0xffff) {
        case kFail: line_.request_reset({ResetRequest::Kind::Fail, static_cast<u16>(value >> 16)}); break;
        case kPoweroff: line_.request_reset({ResetRequest::Kind::Poweroff}); break;
        case kReboot: line_.request_reset({ResetRequest::Kind::Reboot}); break;
        default: break;
    }
    return true;
}

}  // namespace uc
