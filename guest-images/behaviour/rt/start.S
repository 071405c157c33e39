// SPDX-License-Identifier: MIT
// Entry, and the one way into and out of the code under test: run() is a context switch whose other end is any trap.

#define FRAME_PC 256
#define FRAME_STATUS 264
#define FRAME_CAUSE 272
#define FRAME_TVAL 280

.macro each_register op
    .irp n, 1,2,3,4,5,6,7,8,9,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    \op x\n, (8 * \n)(a0)
    .endr
.endm

.macro each_saved op
    \op ra, 0(sp)
    \op gp, 8(sp)
    \op tp, 16(sp)
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11
    \op s\n, (24 + 8 * \n)(sp)
    .endr
.endm

    .section .text.start, "ax"
    .globl _start
_start:
    // OpenSBI 1.1 may bring here a hart that was to start elsewhere: it says that the hart is starting before it has noted
    // where. So only the first boots. (A hart that starts again may come in where it last did, likewise, but where that
    // code has run before the moment is too short to be met.)
    la      t0, boot_taken
    li      t1, 1
    amoswap.w t1, t1, (t0)
    bnez    t1, 2f
    la      t0, bss_start
    la      t1, bss_end
1:  sd      zero, 0(t0)
    addi    t0, t0, 8
    bltu    t0, t1, 1b
    la      sp, stack_top
    csrw    sscratch, zero
    la      t0, trap_entry
    csrw    stvec, t0
    call    rt_main             // never returns
2:  la      t0, hart_starts
    slli    t1, a0, 4
    add     t0, t0, t1
    ld      a1, 8(t0)
    ld      t0, 0(t0)
3:  beqz    t0, 3b              // not by start_hart()
    jr      t0

    .data
    .balign 4
boot_taken:
    .word 0

    .text
// void run(Frame&): enters the frame with sret; returns when it traps.
    .globl run
run:
    addi    sp, sp, -128
    each_saved sd
    sd      sp, 0(a0)           // x0's place keeps our stack pointer
    csrw    sscratch, a0
    ld      t0, FRAME_STATUS(a0)
    csrw    sstatus, t0
    ld      t0, FRAME_PC(a0)
    csrw    sepc, t0
    each_register ld
    ld      a0, 80(a0)
    sret

// A multiple of 256 bytes: also serves where stvec is vectored at its own base.
    .balign 256
    .globl trap_entry
trap_entry:
    csrrw   a0, sscratch, a0
    beqz    a0, unexpected
    each_register sd
    csrrw   t0, sscratch, zero
    sd      t0, 80(a0)
    csrr    t0, sepc
    sd      t0, FRAME_PC(a0)
    csrr    t0, sstatus
    sd      t0, FRAME_STATUS(a0)
    csrr    t0, scause
    sd      t0, FRAME_CAUSE(a0)
    csrr    t0, stval
    sd      t0, FRAME_TVAL(a0)
    ld      sp, 0(a0)
    each_saved ld
    addi    sp, sp, 128
    ret

unexpected:                     // a trap in the runtime itself: a broken guest or a broken hart
    la      sp, stack_top
    csrr    a0, scause
    csrr    a1, stval
    csrr    a2, sepc
    csrw    satp, zero
    sfence.vma
    call    rt_unexpected
