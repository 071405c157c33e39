// SPDX-License-Identifier: MIT
#pragma once
// Where things are: typed addresses, the direct map, and the symbols of minikernel.ld.

#include "isa/types.hpp"

namespace uc::mini {

using Pa = Addr<struct PhysicalTag>;  ///< physical address
using Va = Addr<struct VirtualTag>;   ///< virtual address, of the kernel or of a process

/// All of RAM is mapped at its physical address plus this, the lowest address of Sv39's upper half, which is canonical
/// in Sv48 and Sv57 as well. minikernel.ld links the kernel into this map and boot.S sets up its first part.
inline constexpr u64 kDirectMap = 0xffff'ffc0'0000'0000;

/// The kernel's view of physical memory.
template <class T>
[[nodiscard]] T* direct(Pa pa) {
    return reinterpret_cast<T*>(pa.raw + kDirectMap);
}
[[nodiscard]] inline Pa physical(const void* kernel_pointer) {
    return Pa{reinterpret_cast<u64>(kernel_pointer) - kDirectMap};
}
[[nodiscard]] inline Va virtual_of(const void* pointer) { return Va{reinterpret_cast<u64>(pointer)}; }

extern "C" {
extern char kernel_start[], kernel_rodata[], kernel_data[], kernel_end[];
}

}  // namespace uc::mini
