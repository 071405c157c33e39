// SPDX-License-Identifier: MIT
// A process starts with its stack pointer set and its argument in a0.

.globl _start
_start:
    call program
    li a7, 0                    // Call::Exit, with the result in a0
    ecall
