// SPDX-License-Identifier: MIT
#pragma once
// Exits as text: for people, and for tools/trace2perfetto.

#include "hv/exit_history.hpp"
#include "hv/text_row.hpp"
#include "isa/cause.hpp"

namespace uc {

/// "store page fault".
[[nodiscard]] Text<24> cause_text(Scause cause);

/// What stands above exit_row()s.
[[nodiscard]] TextRow exit_heading();
/// An exit of a guest called `guest`: when in seconds of `time`, where, why, and for how many ns.
[[nodiscard]] TextRow exit_row(const TracedExit& exit, std::string_view guest);

/// Lines of a dump, which docs/debugging.md describes. Each ends with its checksum and can be told from other text.
class DumpLine {
  public:
    [[nodiscard]] static DumpLine begin(usize records) { return DumpLine("b 1 ", u64{records}); }
    [[nodiscard]] static DumpLine guest(usize number, std::string_view name) {
        return DumpLine("g ", u64{number}, ' ', name);
    }
    [[nodiscard]] static DumpLine exit(const TracedExit& exit);
    [[nodiscard]] static DumpLine end(usize records) { return DumpLine("e ", u64{records}); }

    [[nodiscard]] std::string_view view() const { return text_.view(); }

  private:
    template <class... Parts>
    explicit DumpLine(const Parts&... parts) : text_("uct:", parts...) {
        seal();
    }
    void seal();

    Text<192> text_;
};

}  // namespace uc
