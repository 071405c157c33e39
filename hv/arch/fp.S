/* SPDX-License-Identifier: MIT */
/* The guest's f registers, which stay in the hart while its vCPU is loaded. sstatus.FS is on when these are called. */
    .option push
    .option norvc
    .option arch, +d
    .section .text, "ax"

    /* u64 uc_read_fp(u64 reg): raw bits of f[reg], reg = 0..31. Each entry of the table is two instructions. */
    .globl uc_read_fp
uc_read_fp:
    lla t0, 1f
    slli a0, a0, 3
    add t0, t0, a0
    jr t0
1:
    .altmacro
    .macro read_fp n
    fmv.x.d a0, f\n
    ret
    .endm
    .set i, 0
    .rept 32
    read_fp %i
    .set i, i + 1
    .endr

    /* void uc_write_fp(u64 reg, u64 bits) */
    .globl uc_write_fp
uc_write_fp:
    lla t0, 1f
    slli a0, a0, 3
    add t0, t0, a0
    jr t0
1:
    .macro write_fp n
    fmv.d.x f\n, a1
    ret
    .endm
    .set i, 0
    .rept 32
    write_fp %i
    .set i, i + 1
    .endr
    .option pop
    .section .note.GNU-stack, "", @progbits
