// SPDX-License-Identifier: MIT
#pragma once
// What a person sees on a VT100 of 80 columns.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "hv/log.hpp"

namespace uc::test {

/// Understands what the hypervisor uses; anything else fails the test.
class FakeScreen final : public TextSink {
  public:
    static constexpr usize kColumns = 80;

    void write(std::string_view text) override {
        for (const char c : text) put(c);
    }
    /// The row of the cursor, without the blanks at its end.
    [[nodiscard]] std::string row() const { return trimmed(rows_.back()); }
    [[nodiscard]] usize column() const { return column_; }
    /// All rows, each with a line feed, but the last.
    [[nodiscard]] std::string text() const {
        std::string all;
        for (usize i = 0; i < rows_.size(); ++i) all += (i == 0 ? "" : "\n") + trimmed(rows_[i]);
        return all;
    }
    unsigned bells = 0;

  private:
    static std::string trimmed(std::string row) {
        row.erase(row.find_last_not_of(' ') + 1);
        return row;
    }
    void put(char c) {
        if (!sequence_.empty() || c == '\x1b') return control(c);
        switch (c) {
            case '\r': column_ = 0; break;
            case '\n':
                rows_.emplace_back();
                column_ = 0;
                break;
            case '\a': ++bells; break;
            default:
                ASSERT_TRUE(c >= ' ' && c <= '~') << int{c};
                ASSERT_LT(column_, kColumns - 1) << "the last column, from which terminals wrap, is used";
                rows_.back().resize(std::max(rows_.back().size(), column_ + 1), ' ');
                rows_.back()[column_++] = c;
        }
    }
    void control(char c) {
        sequence_ += c;
        if (sequence_.size() < 3 || (c >= '0' && c <= '9')) return;
        const std::string done = std::exchange(sequence_, "").substr(2);
        if (done == "K") {
            rows_.back().resize(std::min(rows_.back().size(), column_));
        } else if (done == "H") {
            column_ = 0;
        } else if (done == "2J") {
            rows_.assign(1, "");
        } else {
            ASSERT_EQ(done.back(), 'C') << done;
            column_ += std::stoul(done);
            ASSERT_LT(column_, kColumns);
        }
    }

    std::vector<std::string> rows_ = std::vector<std::string>(1);
    usize column_ = 0;
    std::string sequence_;
};

}  // namespace uc::test
