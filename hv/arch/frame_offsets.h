/* SPDX-License-Identifier: MIT */
/* Offsets into uc::VcpuFrame, shared by entry.S and the static_asserts in hart.cpp. */
#ifndef UC_HV_ARCH_FRAME_OFFSETS_H
#define UC_HV_ARCH_FRAME_OFFSETS_H

#define FRAME_X(n) ((n) * 8)
#define FRAME_PC 256
#define FRAME_HOST_SP 408
#define FRAME_HOST_TP 416

#endif
