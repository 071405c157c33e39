// SPDX-License-Identifier: MIT
#include "guest-images/behaviour/rt/machine.hpp"

#include "guest-images/behaviour/rt/rt.hpp"

namespace uc::rt {

namespace {

u32 be32(u64 at) {
    const auto* byte = reinterpret_cast<const volatile u8*>(at);  // volatile, or it becomes a call into libgcc
    return static_cast<u32>(byte[0]) << 24 | static_cast<u32>(byte[1]) << 16 | static_cast<u32>(byte[2]) << 8 | byte[3];
}

bool starts_with(u64 at, const char* prefix) {
    const auto* text = reinterpret_cast<const char*>(at);
    while (*prefix != 0) {
        if (*text++ != *prefix++) return false;
    }
    return true;
}

}  // namespace

// Devicetree specification 0.3, 5.4: tokens of 32 bits, big endian, names and values padded to four bytes.
u64 ram_end() {
    enum Token : u32 { BeginNode = 1, EndNode = 2, Property = 3, Nop = 4 };
    const u64 strings = device_tree + be32(device_tree + 12);
    bool in_memory = false;
    for (u64 at = device_tree + be32(device_tree + 8);;) {
        const u32 token = be32(at);
        at += 4;
        if (token == BeginNode) {
            in_memory = starts_with(at, "memory@");
            while (*reinterpret_cast<const char*>(at) != 0) ++at;
            at = align_up(at + 1, 4);
        } else if (token == Property) {
            const u32 length = be32(at);
            const u64 name = strings + be32(at + 4);
            at += 8;
            // Two cells of address and two of size, here as on every 64-bit machine.
            if (in_memory && starts_with(name, "reg") && length >= 16) {
                const u64 base = static_cast<u64>(be32(at)) << 32 | be32(at + 4);
                return base + (static_cast<u64>(be32(at + 8)) << 32 | be32(at + 12));
            }
            at = align_up(at + length, 4);
        } else if (token != EndNode && token != Nop) {
            return 0;
        }
    }
}

}  // namespace uc::rt
