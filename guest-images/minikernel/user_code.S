// SPDX-License-Identifier: MIT
// Pieces of code that checks run in U-mode, copied into a page of their own. They trap at their first instruction.

.section .rodata
.balign 8
.globl user_code, user_code_end
.macro piece name
.balign 4
.globl \name
\name:
.endm

.option norvc
user_code:
piece user_ecall
    ecall
piece user_ebreak
    ebreak
piece user_illegal
    .word 0xffffffff
piece user_csr
    csrr a0, sstatus
piece user_sret
    sret
piece user_sfence
    sfence.vma
piece user_load
    ld a0, (a0)
piece user_store
    sd a0, (a0)
piece user_jump
    jr a0
piece user_spin
    j user_spin
user_code_end:
