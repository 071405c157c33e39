// SPDX-License-Identifier: MIT
// The way in and out of U-mode. Offsets are those of struct Frame: 8 * n for register xn, then pc, status, cause, tval.

.macro registers op, base       // all but sp and the base register's own slot, which is the caller's business
    \op x1, 8(\base)
    \op x3, 24(\base)
    \op x4, 32(\base)
    .irp n, 5,6,7,8,9,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    \op x\n, 8*\n(\base)
    .endr
.endm

.macro callee_saved op
    \op ra, 0(sp)
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11
    \op s\n, 8+8*\n(sp)
    .endr
.endm

.macro save_trap base           // clobbers t0
    csrr t0, sepc
    sd t0, 256(\base)
    csrr t0, sstatus
    sd t0, 264(\base)
    csrr t0, scause
    sd t0, 272(\base)
    csrr t0, stval
    sd t0, 280(\base)
.endm

.text

// void enter_user(Frame*): to the process and, when it traps, back to our caller as if it were a function call.
.globl enter_user
enter_user:
    addi sp, sp, -112
    callee_saved sd
    sd sp, 0(a0)
    csrw sscratch, a0
    ld t0, 256(a0)
    csrw sepc, t0
    ld t0, 264(a0)
    csrw sstatus, t0
    registers ld, a0
    ld sp, 16(a0)
    ld a0, 80(a0)
    sret

// sscratch tells who trapped: the running process's frame, or zero for the kernel.
.balign 4
.globl trap_entry
trap_entry:
    csrrw sp, sscratch, sp
    beqz sp, from_kernel
    registers sd, sp
    sd a0, 80(sp)
    csrrw t0, sscratch, zero
    sd t0, 16(sp)
    save_trap sp
    ld sp, 0(sp)
    callee_saved ld
    addi sp, sp, 112
    ret

from_kernel:
    csrrw sp, sscratch, sp
    addi sp, sp, -288
    registers sd, sp
    sd a0, 80(sp)
    addi t0, sp, 288
    sd t0, 16(sp)
    save_trap sp
    mv a0, sp
    call kernel_trap
    ld t0, 256(sp)
    csrw sepc, t0
    ld t0, 264(sp)
    csrw sstatus, t0
    registers ld, sp
    ld a0, 80(sp)
    addi sp, sp, 288
    sret

// bool copy_user(to, from, size). kernel_trap knows the two labels: a fault that cannot be repaired goes on at
// copy_user_fault.
.globl copy_user, copy_user_end, copy_user_fault
copy_user:
    li t1, 1 << 18              // SUM
    csrs sstatus, t1
1:  beqz a2, 2f
    lb t0, 0(a1)
    sb t0, 0(a0)
    addi a0, a0, 1
    addi a1, a1, 1
    addi a2, a2, -1
    j 1b
2:  li a0, 1
    j 3f
copy_user_end:
copy_user_fault:
    li a0, 0
    li t1, 1 << 18
3:  csrc sstatus, t1
    ret

.option push
.option arch, +d
.globl fp_save, fp_restore
fp_save:
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    fsd f\n, 8*\n(a0)
    .endr
    frcsr t0
    sd t0, 256(a0)
    ret

fp_restore:
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    fld f\n, 8*\n(a0)
    .endr
    ld t0, 256(a0)
    fscsr t0
    ret
.option pop
