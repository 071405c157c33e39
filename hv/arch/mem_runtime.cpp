// SPDX-License-Identifier: MIT
// The functions that the compiler and libfdt expect from a C library. Compiled with -fno-builtin so that none becomes a
// call to itself; memcpy and memset move eight bytes at a time where both ends allow it.

#include <cstddef>
#include <cstdint>

namespace {

using Word = std::uint64_t __attribute__((may_alias));

using HalfWord = std::uint32_t __attribute__((may_alias));

bool both_aligned(const void* a, const void* b, std::uintptr_t to = 8) {
    return ((reinterpret_cast<std::uintptr_t>(a) | reinterpret_cast<std::uintptr_t>(b)) & (to - 1)) == 0;
}

}  // namespace

extern "C" {

void* memcpy(void* to, const void* from, std::size_t n) {
    auto* d = static_cast<char*>(to);
    const auto* s = static_cast<const char*>(from);
    if (both_aligned(d, s)) {
        for (; n >= 8; n -= 8, d += 8, s += 8) *reinterpret_cast<Word*>(d) = *reinterpret_cast<const Word*>(s);
    } else if (both_aligned(d, s, 4)) {  // images in a FIT are aligned to four bytes
        for (; n >= 4; n -= 4, d += 4, s += 4) {
            *reinterpret_cast<HalfWord*>(d) = *reinterpret_cast<const HalfWord*>(s);
        }
    }
    while (n-- != 0) *d++ = *s++;
    return to;
}

void* memmove(void* to, const void* from, std::size_t n) {
    auto* d = static_cast<char*>(to);
    const auto* s = static_cast<const char*>(from);
    if (d <= s || d >= s + n) return memcpy(to, from, n);
    while (n-- != 0) d[n] = s[n];
    return to;
}

void* memset(void* to, int value, std::size_t n) {
    auto* d = static_cast<char*>(to);
    const auto byte = static_cast<unsigned char>(value);
    for (; n != 0 && !both_aligned(d, d); --n) *d++ = static_cast<char>(byte);
    const Word word = 0x0101'0101'0101'0101ull * byte;
    for (; n >= 64; n -= 64, d += 64) {
        auto* words = reinterpret_cast<Word*>(d);
        words[0] = words[1] = words[2] = words[3] = words[4] = words[5] = words[6] = words[7] = word;
    }
    for (; n >= 8; n -= 8, d += 8) *reinterpret_cast<Word*>(d) = word;
    while (n-- != 0) *d++ = static_cast<char>(byte);
    return to;
}

int memcmp(const void* a, const void* b, std::size_t n) {
    const auto* x = static_cast<const unsigned char*>(a);
    const auto* y = static_cast<const unsigned char*>(b);
    for (; n != 0; --n, ++x, ++y) {
        if (*x != *y) return *x < *y ? -1 : 1;
    }
    return 0;
}

void* memchr(const void* in, int value, std::size_t n) {
    const auto* p = static_cast<const unsigned char*>(in);
    for (; n != 0; --n, ++p) {
        if (*p == static_cast<unsigned char>(value)) return const_cast<unsigned char*>(p);
    }
    return nullptr;
}

std::size_t strnlen(const char* s, std::size_t max) {
    std::size_t n = 0;
    while (n < max && s[n] != 0) ++n;
    return n;
}

std::size_t strlen(const char* s) { return strnlen(s, SIZE_MAX); }

char* strchr(const char* s, int c) {
    for (;; ++s) {
        if (*s == static_cast<char>(c)) return const_cast<char*>(s);
        if (*s == 0) return nullptr;
    }
}

char* strrchr(const char* s, int c) {
    const char* last = nullptr;
    for (;; ++s) {
        if (*s == static_cast<char>(c)) last = s;
        if (*s == 0) return const_cast<char*>(last);
    }
}

int strcmp(const char* a, const char* b) {
    while (*a != 0 && *a == *b) ++a, ++b;
    return static_cast<unsigned char>(*a) - static_cast<unsigned char>(*b);
}

/// Decimal only: libfdt parses nothing else with it.
unsigned long strtoul(const char* s, char** end, int) {
    unsigned long value = 0;
    for (; *s >= '0' && *s <= '9'; ++s) value = value * 10 + static_cast<unsigned long>(*s - '0');
    if (end != nullptr) *end = const_cast<char*>(s);
    return value;
}

}  // extern "C"
