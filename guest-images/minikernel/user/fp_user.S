// SPDX-License-Identifier: MIT
// fp_fill: register fn holds seed + n. fp_matches: whether all still do.

.option arch, +d
.globl fp_fill, fp_matches
fp_fill:
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    fmv.d.x f\n, a0
    addi a0, a0, 1
    .endr
    ret

fp_matches:
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    fmv.x.d t0, f\n
    bne t0, a0, 1f
    addi a0, a0, 1
    .endr
    li a0, 1
    ret
1:  li a0, 0
    ret
