/* SPDX-License-Identifier: MIT */
/* Offsets into uc::arch::HartEntry, shared by boot.S and the static_asserts in secondary.cpp. */
#ifndef UC_HV_ARCH_HART_ENTRY_H
#define UC_HV_ARCH_HART_ENTRY_H

#define ENTRY_SATP 0
#define ENTRY_CONTINUE 8
#define ENTRY_STACK 16
#define ENTRY_ARGUMENT 24
#define ENTRY_REFUSED 32
#define ENTRY_HART 40

#endif
