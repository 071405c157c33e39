// SPDX-License-Identifier: MIT
#include "guest-images/minikernel/console.hpp"

#include "guest-images/minikernel/layout.hpp"
#include "guest-images/minikernel/sbi.hpp"

#include <algorithm>

namespace uc::mini {

namespace {
constinit bool has_dbcn = false;
}

void console_init() { has_dbcn = sbi_has(sbi::Ext::Dbcn); }

void console_write(std::string_view text) {
    while (has_dbcn && !text.empty()) {
        // May write less than asked (SBI 2.0, 12.1).
        const auto ret = sbi_call(sbi::Ext::Dbcn, sbi::dbcn::Write, text.size(), physical(text.data()).raw, 0);
        if (ret.error != sbi::Error::Success) {
            has_dbcn = false;
            break;
        }
        text.remove_prefix(std::min<usize>(ret.value, text.size()));
    }
    for (const char c : text) sbi_call(sbi::Ext::LegacyPutchar, 0, static_cast<u8>(c));
}

void Line::add(std::string_view text) {
    const usize n = std::min(text.size(), sizeof(buffer_) - length_);
    std::copy_n(text.data(), n, buffer_ + length_);
    length_ += n;
}

void Line::add_number(u64 value, unsigned base) {
    char digits[20];
    unsigned n = 0;
    do {
        digits[n++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    if (base == 16) add("0x");
    std::reverse(digits, digits + n);
    add(std::string_view{digits, n});
}

void panic(std::string_view why) {
    print("minikernel: panic: ", why);
    finish(false);
}

}  // namespace uc::mini
