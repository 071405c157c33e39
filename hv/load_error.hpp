// SPDX-License-Identifier: MIT
#pragma once
// Why something could not be loaded: one line that names what and where.

#include <expected>

#include "hv/text.hpp"

namespace uc {

struct LoadError {
    Text<200> text;
};

using LoadStatus = std::expected<void, LoadError>;

/// An error of the given parts, as Text takes them. Names come from files that may be hostile: what is not printable
/// ASCII becomes '?'.
template <class... Parts>
[[nodiscard]] std::unexpected<LoadError> load_error(const Parts&... parts) {
    const Text<200> raw(parts...);
    LoadError error;
    for (const char c : raw.view()) error.text.add(c >= ' ' && c <= '~' ? c : '?');
    return std::unexpected(error);
}

}  // namespace uc
