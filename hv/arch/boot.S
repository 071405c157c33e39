/* SPDX-License-Identifier: MIT */
/* First instructions. The image starts with the header of a RISC-V Linux Image (Linux, Documentation/arch/riscv/boot-image-header)
 * so that U-Boot's booti takes it; firmware enters at the same place with a0 = hart id, a1 = device tree, the MMU off. The
 * image runs where it was loaded until a translation mode is found, then at its place in the window. */
#include "hv/arch/hart_entry.h"

    .section .head, "ax"
    .option push
    .option norvc
    .option norelax
    .globl _start
_start:
    j uc_start
    .word 0
    .dword 0x200000             /* text_offset: 2 MiB above the start of memory, after the firmware */
    .dword uc_image_bytes
    .dword 0                    /* flags: little-endian */
    .word 0x2                   /* header version 0.2 */
    .word 0
    .dword 0
    .ascii "RISCV\0\0\0"
    .ascii "RSC\x05"
    .word 0
    .option pop

    .section .text.boot, "ax"
    /* A further hart comes here from firmware (SBI 2.0, 9.1), the MMU off; or to uc_start, see there. So a1 says nothing: the
     * hart must be the one that is waited for. As below, satp unmaps this very code, and the fetch fault leads to stvec, in
     * the window. */
    .globl uc_secondary_start
uc_secondary_start:
    csrw sie, zero
    csrw sscratch, zero
    fence rw, rw                /* what it was started with is there, whatever firmware fenced */
    lla s0, uc_expected_entry
    ld s0, (s0)
    beqz s0, 1f
    ld t0, ENTRY_HART(s0)
    bne t0, a0, 1f
    ld t0, ENTRY_SATP(s0)
    ld t1, ENTRY_CONTINUE(s0)
    ld sp, ENTRY_STACK(s0)
    ld a0, ENTRY_ARGUMENT(s0)
    csrw stvec, t1
    sfence.vma
    csrw satp, t0
    /* Only a hart that lacks this translation mode goes on here. */
    li t0, 1
    sd t0, ENTRY_REFUSED(s0)
    fence rw, rw
1:  li a7, 0x48534D             /* back to the firmware: sbi_hart_stop() */
    li a6, 1
    ecall
2:  wfi
    j 2b

    .balign 4
    .globl uc_secondary_continue
uc_secondary_continue:
    lla t0, uc_trap_entry
    csrw stvec, t0
    li tp, 0
    call uc_secondary_main
1:  wfi
    j 1b

uc_start:
    /* The first hart boots. Another may come here too: OpenSBI 1.1 marks a hart as starting before it has noted where
     * (sbi_hsm_hart_start()), and one that looks at that moment goes where the machine boots. */
    lla t0, uc_boot_taken
    li t1, 1
    amoswap.w t1, t1, (t0)
    bnez t1, uc_secondary_start
    csrw sie, zero
    csrw sscratch, zero
    mv s0, a0
    mv s1, a1
    lla t0, uc_bss_start
    lla t1, uc_bss_end
1:  sd zero, 0(t0)
    addi t0, t0, 8
    bltu t0, t1, 1b
    lla sp, uc_boot_stack_top

    /* Try the translation modes from the largest to the smallest. Writing an unsupported satp.MODE has no effect
     * (Privileged 1.12, 4.1.11), so control falls through to the next; a supported one unmaps this very code, and the
     * fetch fault lands at stvec: the same code in the window. */
    li s2, 10                   /* Sv57, Sv48, Sv39 */
    li s3, 8
2:  mv a0, s2
    mv a1, s1
    call uc_prepare_window      /* a0 = satp, a1 = virtual address of _start */
    lla t0, 3f
    lla t1, _start
    sub t0, t0, t1
    add t0, t0, a1
    csrw stvec, t0
    sfence.vma
    csrw satp, a0
    addi s2, s2, -1
    bgeu s2, s3, 2b
    j uc_die_without_mmu

    .balign 4
3:  lla t0, uc_trap_entry
    csrw stvec, t0
    lla sp, uc_boot_stack_top
    li tp, 0
    mv a0, s0
    mv a1, s1
    mv a2, s2
    call uc_main
4:  wfi
    j 4b

    .section .data.boot, "aw"
    .balign 8
    /* Physical address of the HartEntry of the hart that firmware is asked for; 0: of none. */
    .globl uc_expected_entry
uc_expected_entry:
    .dword 0
uc_boot_taken:
    .word 0                     /* not in .bss: the hart that boots clears that */

    .section .note.GNU-stack, "", @progbits
