/* SPDX-License-Identifier: MIT */
/* The way into a guest and back. uc_enter_guest() looks like an ordinary call to C++: it loads the guest's registers, drops to
 * U-mode, and returns after a trap behind which the guest may not just go on. tp holds the hypervisor's hart. sscratch holds
 * the VcpuFrame while a guest runs and zero while the hypervisor does, so one vector tells a guest's trap from our own. */
#include "hv/arch/frame_offsets.h"

#define CALLEE_SAVED_BYTES 112

    /* Stores the interrupted x1..x31 at a0; a0 itself waits in sscratch, which becomes zero. Clobbers t0. */
    .macro save_registers
    sd ra, FRAME_X(1)(a0)
    sd sp, FRAME_X(2)(a0)
    sd gp, FRAME_X(3)(a0)
    sd tp, FRAME_X(4)(a0)
    sd t0, FRAME_X(5)(a0)
    sd t1, FRAME_X(6)(a0)
    sd t2, FRAME_X(7)(a0)
    sd s0, FRAME_X(8)(a0)
    sd s1, FRAME_X(9)(a0)
    sd a1, FRAME_X(11)(a0)
    sd a2, FRAME_X(12)(a0)
    sd a3, FRAME_X(13)(a0)
    sd a4, FRAME_X(14)(a0)
    sd a5, FRAME_X(15)(a0)
    sd a6, FRAME_X(16)(a0)
    sd a7, FRAME_X(17)(a0)
    sd s2, FRAME_X(18)(a0)
    sd s3, FRAME_X(19)(a0)
    sd s4, FRAME_X(20)(a0)
    sd s5, FRAME_X(21)(a0)
    sd s6, FRAME_X(22)(a0)
    sd s7, FRAME_X(23)(a0)
    sd s8, FRAME_X(24)(a0)
    sd s9, FRAME_X(25)(a0)
    sd s10, FRAME_X(26)(a0)
    sd s11, FRAME_X(27)(a0)
    sd t3, FRAME_X(28)(a0)
    sd t4, FRAME_X(29)(a0)
    sd t5, FRAME_X(30)(a0)
    sd t6, FRAME_X(31)(a0)
    csrrw t0, sscratch, zero
    sd t0, FRAME_X(10)(a0)
    .endm

    .section .text.entry, "ax"

    /* void uc_enter_guest(VcpuFrame* frame)
     * Runs the guest, and uc_after_trap() at each trap, until that returns false. Expects sstatus.SPP = 0 and
     * sstatus.SIE = 0; FS and VS as the guest shall see them. */
    .globl uc_enter_guest
    .type uc_enter_guest, @function
uc_enter_guest:
    addi sp, sp, -CALLEE_SAVED_BYTES
    sd ra, 0(sp)
    sd s0, 8(sp)
    sd s1, 16(sp)
    sd s2, 24(sp)
    sd s3, 32(sp)
    sd s4, 40(sp)
    sd s5, 48(sp)
    sd s6, 56(sp)
    sd s7, 64(sp)
    sd s8, 72(sp)
    sd s9, 80(sp)
    sd s10, 88(sp)
    sd s11, 96(sp)
    sd sp, FRAME_HOST_SP(a0)
    sd tp, FRAME_HOST_TP(a0)
go_on:
    ld t0, FRAME_PC(a0)
    csrw sepc, t0
    csrw sscratch, a0
    ld ra, FRAME_X(1)(a0)
    ld sp, FRAME_X(2)(a0)
    ld gp, FRAME_X(3)(a0)
    ld tp, FRAME_X(4)(a0)
    ld t0, FRAME_X(5)(a0)
    ld t1, FRAME_X(6)(a0)
    ld t2, FRAME_X(7)(a0)
    ld s0, FRAME_X(8)(a0)
    ld s1, FRAME_X(9)(a0)
    ld a1, FRAME_X(11)(a0)
    ld a2, FRAME_X(12)(a0)
    ld a3, FRAME_X(13)(a0)
    ld a4, FRAME_X(14)(a0)
    ld a5, FRAME_X(15)(a0)
    ld a6, FRAME_X(16)(a0)
    ld a7, FRAME_X(17)(a0)
    ld s2, FRAME_X(18)(a0)
    ld s3, FRAME_X(19)(a0)
    ld s4, FRAME_X(20)(a0)
    ld s5, FRAME_X(21)(a0)
    ld s6, FRAME_X(22)(a0)
    ld s7, FRAME_X(23)(a0)
    ld s8, FRAME_X(24)(a0)
    ld s9, FRAME_X(25)(a0)
    ld s10, FRAME_X(26)(a0)
    ld s11, FRAME_X(27)(a0)
    ld t3, FRAME_X(28)(a0)
    ld t4, FRAME_X(29)(a0)
    ld t5, FRAME_X(30)(a0)
    ld t6, FRAME_X(31)(a0)
    ld a0, FRAME_X(10)(a0)
    sret
    .size uc_enter_guest, . - uc_enter_guest

    /* The trap vector, direct mode: 4-byte aligned (Privileged 1.12, 4.1.2). */
    .balign 4
    .globl uc_trap_entry
    .type uc_trap_entry, @function
uc_trap_entry:
    csrrw a0, sscratch, a0
    beqz a0, uc_host_trap
    save_registers
    csrr t1, sepc
    sd t1, FRAME_PC(a0)
    ld sp, FRAME_HOST_SP(a0)
    ld tp, FRAME_HOST_TP(a0)
    mv s0, a0
    call uc_after_trap
    mv t0, a0
    mv a0, s0
    bnez t0, go_on
    ld ra, 0(sp)
    ld s0, 8(sp)
    ld s1, 16(sp)
    ld s2, 24(sp)
    ld s3, 32(sp)
    ld s4, 40(sp)
    ld s5, 48(sp)
    ld s6, 56(sp)
    ld s7, 64(sp)
    ld s8, 72(sp)
    ld s9, 80(sp)
    ld s10, 88(sp)
    ld s11, 96(sp)
    addi sp, sp, CALLEE_SAVED_BYTES
    ret
    .size uc_trap_entry, . - uc_trap_entry

    /* A trap taken in the hypervisor itself: a bug of ours (or a stack that met its guard page). Registers are saved on a
     * stack of their own and reported. sscratch holds the interrupted a0. */
    .type uc_host_trap, @function
uc_host_trap:
    /* The first hart reports; others, which may have met the same, leave it the stack. A nonzero word: the address. */
    lla a0, uc_host_trap_taken
    amoswap.w.aq a0, a0, (a0)
    bnez a0, 1f
    lla a0, uc_trap_again
    csrw stvec, a0
    lla a0, uc_emergency_stack_top - 256
    save_registers
    mv sp, a0
    call uc_report_host_trap
1:  wfi
    j 1b
    .size uc_host_trap, . - uc_host_trap

    /* A trap while one is being reported: nothing can be trusted any more but the firmware. SRST: shutdown, system failure. */
    .balign 4
uc_trap_again:
    li a7, 0x53525354
    li a6, 0
    li a0, 0
    li a1, 1
    ecall
1:  wfi
    j 1b

    .section .bss
    .balign 4
uc_host_trap_taken:
    .skip 4

    .section .stacks, "aw", @nobits
    .balign 4096
    .globl uc_boot_stack_guard
uc_boot_stack_guard:
    .skip 4096
    .skip 8 * 4096
    .globl uc_boot_stack_top
uc_boot_stack_top:
    .globl uc_emergency_stack_guard
uc_emergency_stack_guard:
    .skip 4096
    .skip 2 * 4096
    .globl uc_emergency_stack_top
uc_emergency_stack_top:
    .section .note.GNU-stack, "", @progbits
