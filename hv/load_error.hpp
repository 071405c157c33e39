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

/// An error of the given parts: texts, characters, numbers and Hex numbers.
template <class... Parts>
[[nodiscard]] std::unexpected<LoadError> load_error(const Parts&... parts) {
    return std::unexpected(LoadError{Text<200>(parts...)});
}

}  // namespace uc
