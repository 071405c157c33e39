// SPDX-License-Identifier: MIT
// The C library functions that the compiler and libfdt call.

#include "isa/types.hpp"

// Without this the compiler turns each loop below into a call of the function it is in.
#pragma GCC optimize("no-tree-loop-distribute-patterns")

extern "C" {

void* memcpy(void* to, const void* from, std::size_t size) {
    auto* t = static_cast<unsigned char*>(to);
    const auto* f = static_cast<const unsigned char*>(from);
    // Most copies here are of whole pages.
    if (((reinterpret_cast<std::uintptr_t>(t) | reinterpret_cast<std::uintptr_t>(f)) & 7) == 0) {
        for (; size >= 8; size -= 8, t += 8, f += 8)
            __builtin_memcpy(__builtin_assume_aligned(t, 8), __builtin_assume_aligned(f, 8), 8);
    }
    while (size-- != 0) *t++ = *f++;
    return to;
}

void* memmove(void* to, const void* from, std::size_t size) {
    auto* t = static_cast<unsigned char*>(to);
    const auto* f = static_cast<const unsigned char*>(from);
    if (t <= f) return memcpy(to, from, size);
    while (size-- != 0) t[size] = f[size];
    return to;
}

void* memset(void* to, int value, std::size_t size) {
    auto* t = static_cast<unsigned char*>(to);
    const std::uint64_t word = 0x0101'0101'0101'0101u * static_cast<unsigned char>(value);
    for (; size >= 8 && (reinterpret_cast<std::uintptr_t>(t) & 7) == 0; size -= 8, t += 8)
        __builtin_memcpy(__builtin_assume_aligned(t, 8), &word, 8);
    while (size-- != 0) *t++ = static_cast<unsigned char>(value);
    return to;
}

int memcmp(const void* a, const void* b, std::size_t size) {
    const auto* x = static_cast<const unsigned char*>(a);
    const auto* y = static_cast<const unsigned char*>(b);
    for (; size != 0; --size, ++x, ++y)
        if (*x != *y) return *x - *y;
    return 0;
}

void* memchr(const void* in, int c, std::size_t size) {
    const auto* p = static_cast<const unsigned char*>(in);
    for (; size != 0; --size, ++p)
        if (*p == static_cast<unsigned char>(c)) return const_cast<unsigned char*>(p);
    return nullptr;
}

std::size_t strnlen(const char* s, std::size_t most) {
    std::size_t n = 0;
    while (n < most && s[n] != '\0') ++n;
    return n;
}

std::size_t strlen(const char* s) { return strnlen(s, SIZE_MAX); }

char* strchr(const char* s, int c) { return static_cast<char*>(memchr(s, c, strlen(s) + 1)); }

char* strrchr(const char* s, int c) {
    for (std::size_t n = strlen(s) + 1; n-- != 0;)
        if (s[n] == static_cast<char>(c)) return const_cast<char*>(s + n);
    return nullptr;
}

/// For libfdt's overlay code, which is linked but not used: decimal only, `base` is ignored.
unsigned long strtoul(const char* s, char** end, int) {
    unsigned long value = 0;
    for (; *s >= '0' && *s <= '9'; ++s) value = value * 10 + static_cast<unsigned long>(*s - '0');
    if (end != nullptr) *end = const_cast<char*>(s);
    return value;
}

/// libfdt is compiled with stack protectors.
extern constinit const std::uintptr_t __stack_chk_guard = 0x6d69'6e69'6b65'726e;
[[noreturn]] void __stack_chk_fail() { __builtin_trap(); }

}  // extern "C"
