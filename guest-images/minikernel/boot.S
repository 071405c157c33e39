// SPDX-License-Identifier: MIT
// The first instructions. The contract with whoever starts us, firmware or hypervisor: S-mode, satp = 0, a0 = hart id,
// a1 = physical address of the device tree.

.section .text.boot, "ax"
.globl _start
_start:
    csrci sstatus, 2            // SIE: no interrupts until there is a trap handler
    csrw sie, zero

    la t0, bss_start
    la t1, bss_end
1:  sd zero, (t0)
    addi t0, t0, 8
    bltu t0, t1, 1b

    la t0, boot_root
    srli t0, t0, 12
    li t1, 8                    // satp.MODE = Sv39
    slli t1, t1, 60
    or t0, t0, t1
    ld t1, high_address         // link-time address: where this code is mapped, not where it runs now
    sfence.vma
    csrw satp, t0
    sfence.vma
    jr t1

high:                           // from here on pc-relative addresses are those of the direct map
    la sp, boot_stack_top
    la t0, trap_entry
    csrw stvec, t0
    csrw sscratch, zero         // zero: traps come from the kernel
    call kernel_main
1:  wfi
    j 1b

.balign 8
high_address: .dword high

// Sv39 root for the way up: one gigapage where we run, and RAM's first four GiB in the direct map. paging.cpp replaces it.
.set GIGAPAGE, 1 << 28          // one GiB as a PTE counts it: bits 53:28 are PPN[2]
.set RWX_AD, 0xcf               // V R W X A D
.section .data
.balign 4096
boot_root:
    .fill 2, 8, 0
    .dword 2 * GIGAPAGE + RWX_AD
    .fill 255, 8, 0
    .dword 2 * GIGAPAGE + RWX_AD, 3 * GIGAPAGE + RWX_AD, 4 * GIGAPAGE + RWX_AD, 5 * GIGAPAGE + RWX_AD
    .fill 250, 8, 0

.section .bss
.balign 16
    .skip 16384
boot_stack_top:
