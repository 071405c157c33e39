// SPDX-License-Identifier: MIT
#pragma once
// How a line editor learns what a word may become.

#include <string_view>

namespace uc {

/// Collects what a word may become.
class Candidates {
  public:
    /// Words that do not begin with what is there already are passed over. `word` must stay as it is until the editor
    /// has handled the key.
    virtual void add(std::string_view word) = 0;

  protected:
    ~Candidates() = default;
};

/// Knows the words.
class Completer {
  public:
    /// Offers words for the place after `before`, the finished words of the line to the left, each with spaces behind.
    virtual void complete(std::string_view before, Candidates& words) = 0;

  protected:
    ~Completer() = default;
};

}  // namespace uc
