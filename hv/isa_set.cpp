// SPDX-License-Identifier: MIT
#include "hv/isa_set.hpp"

#include <iterator>

namespace uc {

namespace {

struct Extension {
    std::string_view name;
    bool (*allowed)(const GuestCpu&);  ///< whether a guest on such a CPU may have it
};

constexpr bool yes(const GuestCpu&) { return true; }
constexpr bool no(const GuestCpu&) { return false; }
constexpr bool fpu(const GuestCpu& cpu) { return cpu.fpu; }
constexpr bool vector(const GuestCpu& cpu) { return cpu.vector; }
constexpr bool both(const GuestCpu& cpu) { return cpu.fpu && cpu.vector; }

// In canonical order: single letters, then Z by category (its second letter, ordered as the single letters are), then
// S. Allowed is what runs in user mode without the privileged architecture's help, or is emulated. Left out, and so
// never allowed: what brings supervisor state of its own (Smaia, Ssdbltrp, Zicfiss, Zcmt, ...) or lets out more than it
// should (Zkr).
constexpr Extension kExtensions[] = {
    {"i", yes},
    {"m", yes},
    {"a", yes},
    {"f", fpu},
    {"d", fpu},
    {"c", yes},
    {"b", yes},
    {"v", vector},
    {"h", no},
    {"zic64b", yes},
    {"zicbom", [](const GuestCpu& cpu) { return cpu.zicbom; }},
    {"zicbop", yes},
    {"zicboz", [](const GuestCpu& cpu) { return cpu.zicboz; }},
    {"ziccamoa", yes},
    {"ziccif", yes},
    {"zicclsm", yes},
    {"ziccrse", yes},
    {"zicntr", yes},
    {"zicond", yes},
    {"zicsr", yes},
    {"zifencei", yes},
    {"zihintntl", yes},
    {"zihintpause", yes},
    {"zihpm", yes},
    {"zimop", yes},
    {"zmmul", yes},
    {"za128rs", yes},
    {"za64rs", yes},
    {"zaamo", yes},
    {"zabha", yes},
    {"zacas", yes},
    {"zalrsc", yes},
    {"zama16b", yes},
    {"zawrs", yes},
    {"zfa", fpu},
    {"zfbfmin", fpu},
    {"zfh", fpu},
    {"zfhmin", fpu},
    {"zca", yes},
    {"zcb", yes},
    {"zcd", fpu},
    {"zcmop", yes},
    {"zba", yes},
    {"zbb", yes},
    {"zbc", yes},
    {"zbkb", yes},
    {"zbkc", yes},
    {"zbkx", yes},
    {"zbs", yes},
    {"zkn", yes},
    {"zknd", yes},
    {"zkne", yes},
    {"zknh", yes},
    {"zks", yes},
    {"zksed", yes},
    {"zksh", yes},
    {"zkt", yes},
    {"zvbb", vector},
    {"zvbc", vector},
    {"zve32f", both},
    {"zve32x", vector},
    {"zve64d", both},
    {"zve64f", both},
    {"zve64x", vector},
    {"zvfbfmin", both},
    {"zvfbfwma", both},
    {"zvfh", both},
    {"zvfhmin", both},
    {"zvkb", vector},
    {"zvkg", vector},
    {"zvkn", vector},
    {"zvknc", vector},
    {"zvkned", vector},
    {"zvkng", vector},
    {"zvknha", vector},
    {"zvknhb", vector},
    {"zvks", vector},
    {"zvksc", vector},
    {"zvksed", vector},
    {"zvksg", vector},
    {"zvksh", vector},
    {"zvkt", vector},
    {"zvl128b", vector},
    {"zvl256b", vector},
    {"zvl512b", vector},
    {"zvl1024b", vector},
    {"ssaia", no},
    {"ssccptr", yes},
    {"sscofpmf", no},
    {"sstc", [](const GuestCpu& cpu) { return cpu.sstc; }},
    {"sstvala", yes},
    {"sstvecd", yes},
    {"svade", [](const GuestCpu& cpu) { return !cpu.svadu; }},
    {"svadu", [](const GuestCpu& cpu) { return cpu.svadu; }},
    {"svbare", yes},
    {"svinval", [](const GuestCpu& cpu) { return cpu.svinval; }},
    {"svnapot", [](const GuestCpu& cpu) { return cpu.svnapot; }},
    {"svpbmt", [](const GuestCpu& cpu) { return cpu.svpbmt; }},
    {"svvptc", yes},
};
constexpr usize kCount = std::size(kExtensions);
static_assert(kCount <= 128, "IsaSet has 128 bits");
static_assert(
    [] {
        usize length = 4;
        for (const Extension& extension : kExtensions) length += extension.name.size() + 1;
        return length;
    }() <= IsaSet::Line::capacity(),
    "IsaSet::Line holds all of them");

/// Two names that stand for others (ISA manual: G; Scalar Cryptography: Zk).
constexpr std::string_view kG[] = {"i", "m", "a", "f", "d", "zicsr", "zifencei"};
constexpr std::string_view kZk[] = {"zkn", "zkt"};
/// Part of the base when riscv,isa was defined, later extensions of their own.
constexpr std::string_view kOnceInBase[] = {"zicsr", "zifencei", "zicntr", "zihpm"};

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Removes "2", "2p0" from the end of a name of several letters.
std::string_view without_version(std::string_view name) {
    const auto strip_digits = [](std::string_view text) {
        while (!text.empty() && is_digit(text.back())) text.remove_suffix(1);
        return text;
    };
    const std::string_view stem = strip_digits(name);
    if (stem.size() == name.size() || !stem.ends_with('p')) return stem;
    const std::string_view major = stem.substr(0, stem.size() - 1);
    return strip_digits(major).size() == major.size() ? stem : strip_digits(major);
}

/// Removes the version after a single letter from the beginning of what follows it.
void skip_version(std::string_view& rest) {
    const auto skip_digits = [&rest] {
        while (!rest.empty() && is_digit(rest.front())) rest.remove_prefix(1);
    };
    if (rest.empty() || !is_digit(rest.front())) return;
    skip_digits();
    if (rest.size() >= 2 && rest[0] == 'p' && is_digit(rest[1])) {
        rest.remove_prefix(1);
        skip_digits();
    }
}

template <class Names>
void add_all(IsaSet& set, const Names& names) {
    for (const std::string_view name : names) set.add(name);
}

}  // namespace

bool IsaSet::add_to(Bits& bits, std::string_view extension) {
    for (usize i = 0; i < kCount; ++i) {
        if (kExtensions[i].name != extension) continue;
        bits[i / 64] |= 1ull << i % 64;
        return true;
    }
    return false;
}

bool IsaSet::has(std::string_view extension) const {
    Bits wanted{};
    return add_to(wanted, extension) &&
           ((wanted[0] & (stated_[0] | implied_[0])) | (wanted[1] & (stated_[1] | implied_[1]))) != 0;
}

IsaSet::Line IsaSet::riscv_isa() const {
    Line line("rv64");
    for (usize i = 0; i < kCount; ++i) {
        if ((stated_[i / 64] >> i % 64 & 1) == 0) continue;
        const std::string_view name = kExtensions[i].name;
        line.add(name.size() == 1 ? "" : "_").add(name);
    }
    return line;
}

IsaSet::Line IsaSet::riscv_isa_extensions() const {
    Line line;
    for (usize i = 0; i < kCount; ++i) {
        if (((stated_[i / 64] | implied_[i / 64]) >> i % 64 & 1) != 0) line.add(kExtensions[i].name).add('\0');
    }
    return line;
}

void IsaSet::intersect(const IsaSet& other) {
    for (usize i = 0; i < stated_.size(); ++i) {
        // An extension may be named for the one and part of `i` for the other.
        const u64 both = (stated_[i] | implied_[i]) & (other.stated_[i] | other.implied_[i]);
        stated_[i] &= both;
        implied_[i] &= both;
    }
}

IsaSet parse_riscv_isa(std::string_view text) {
    IsaSet set;
    if (!text.starts_with("rv64")) return set;
    text.remove_prefix(4);
    while (!text.empty()) {
        const char letter = text.front();
        // Early trees name the modes: "rv64imafdcsu".
        if (letter == 'x' || letter == 'z' || (letter == 's' && !text.starts_with("su"))) {
            const std::string_view name = without_version(take_until(text, '_'));
            if (name == "zk") add_all(set, kZk);
            set.add(name);
            continue;
        }
        text.remove_prefix(1);
        if (letter == 'g') add_all(set, kG);
        set.add({&letter, 1});
        skip_version(text);
    }
    if (set.has("i")) {
        for (const std::string_view name : kOnceInBase) IsaSet::add_to(set.implied_, name);
    }
    return set;
}

IsaSet parse_riscv_isa_extensions(const FdtProperty& list) {
    IsaSet set;
    std::string_view rest{reinterpret_cast<const char*>(list.value.data()), list.value.size()};
    while (!rest.empty()) {
        const std::string_view name = take_until(rest, '\0');
        if (name == "zk") add_all(set, kZk);
        set.add(name);
    }
    return set;
}

IsaSet guest_isa(const IsaSet& host, const GuestCpu& cpu) {
    IsaSet guest = host;
    for (usize i = 0; i < kCount; ++i) {
        if (kExtensions[i].allowed(cpu)) continue;
        guest.stated_[i / 64] &= ~(1ull << i % 64);
        guest.implied_[i / 64] &= ~(1ull << i % 64);
    }
    return guest;
}

}  // namespace uc
