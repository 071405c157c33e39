// SPDX-License-Identifier: MIT
#pragma once
// Symbols of the linker script and of the assembly. Hidden, so that code reaches them relative to the pc wherever it
// runs.

#pragma GCC visibility push(hidden)
extern "C" {
extern char _start[];
extern char uc_image_start[], uc_image_end[];
extern char uc_text_end[], uc_rodata_end[];
extern char uc_rela_start[], uc_rela_end[];
extern char uc_boot_stack_guard[], uc_emergency_stack_guard[];
extern char uc_trap_entry[];
extern char uc_secondary_start[], uc_secondary_continue[];
extern volatile unsigned long uc_expected_entry;
}
#pragma GCC visibility pop
