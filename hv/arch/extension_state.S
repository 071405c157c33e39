/* SPDX-License-Identifier: MIT */
/* Saving and loading a vCPU's f and v registers (hv/extension_state.hpp). FS and VS are on when these are called. */
#define FCSR 256
#define VSTART 0
#define VCSR 8
#define VL 16
#define VTYPE 24
#define V_BYTES 32

    .option push
    .option norvc
    .option arch, +d
    .section .text, "ax"
    .altmacro

    .macro save_f n
    fsd f\n, (8 * \n)(a0)
    .endm
    .macro load_f n
    fld f\n, (8 * \n)(a0)
    .endm

    /* void uc_save_fp(FpRegisters*) */
    .globl uc_save_fp
uc_save_fp:
    .set i, 0
    .rept 32
    save_f %i
    .set i, i + 1
    .endr
    frcsr t0
    sd t0, FCSR(a0)
    ret

    /* void uc_load_fp(const FpRegisters*) */
    .globl uc_load_fp
uc_load_fp:
    .set i, 0
    .rept 32
    load_f %i
    .set i, i + 1
    .endr
    ld t0, FCSR(a0)
    fscsr t0
    ret
    .option pop

    .option push
    .option arch, +v

    /* void uc_save_vector(VectorRegisters*) */
    .globl uc_save_vector
uc_save_vector:
    csrr t0, vstart
    sd t0, VSTART(a0)
    csrr t0, vcsr
    sd t0, VCSR(a0)
    csrr t0, vl
    sd t0, VL(a0)
    csrr t0, vtype
    sd t0, VTYPE(a0)
    csrw vstart, zero           /* stores of whole registers begin there */
    ld t1, V_BYTES(a0)
    csrr t0, vlenb
    slli t0, t0, 3
    vs8r.v v0, (t1)
    add t1, t1, t0
    vs8r.v v8, (t1)
    add t1, t1, t0
    vs8r.v v16, (t1)
    add t1, t1, t0
    vs8r.v v24, (t1)
    ret

    /* void uc_load_vector(const VectorRegisters*) */
    .globl uc_load_vector
uc_load_vector:
    csrw vstart, zero
    ld t1, V_BYTES(a0)
    csrr t0, vlenb
    slli t0, t0, 3
    vl8re8.v v0, (t1)
    add t1, t1, t0
    vl8re8.v v8, (t1)
    add t1, t1, t0
    vl8re8.v v16, (t1)
    add t1, t1, t0
    vl8re8.v v24, (t1)
    ld t0, VL(a0)
    ld t1, VTYPE(a0)
    vsetvl zero, t0, t1         /* an illegal type stays one */
    ld t0, VCSR(a0)
    csrw vcsr, t0
    ld t0, VSTART(a0)
    csrw vstart, t0
    ret
    .option pop
    .section .note.GNU-stack, "", @progbits
