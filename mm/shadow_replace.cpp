// SPDX-License-Identifier: MIT
// Instructions replaced: a supervisor executes a copy of its page in which those that trap are ecalls.
#include "mm/shadow.hpp"

#include <algorithm>

namespace uc {

/// The four bytes at `gpa`, which is even and in memory.
u32 Shadow::word_at(Gpa gpa) const {
    const u32 low = ram_.load_parcel(gpa).value_or(0);
    const u32 high = ram_.load_parcel(gpa + 2).value_or(0);
    return high << 16 | low;
}

/// Whether to copy a page that was copied before and then read or written by the guest. Where that goes on, code and
/// data share the page, and copying it ever again costs more than it saves: each 16 times halve what is tried.
bool Shadow::is_worth_copying(u64 frame) {
    constexpr unsigned kDropsPerStep = 16, kMostSteps = 16;
    const unsigned steps = std::min(tables_.copy_drops(frame) / kDropsPerStep, kMostSteps);
    return (++replace_tries_ & ((1u << steps) - 1)) == 0;
}

u32 Shadow::original(unsigned vcpu, Gva pc) {
    Vcpu& v = vcpus_[vcpu];
    if (pc.page_offset() > kLastOffset) return kEcall;  // nothing is replaced there
    const std::optional<Entry> leaf = running_leaf(v, pc);
    if (!leaf || !tables_.is_copy(leaf->pte)) return kEcall;
    const u32 insn = word_at(tables_.shown_by(leaf->pte) + pc.page_offset());
    v.sites[site_index(pc)] = {pc, site_stamp(v), insn};
    return insn;
}

/// Gives up the copy that `v` executes at `at` if it has another parcel there than the guest, and the hart has not
/// trapped on the guest's: it may have fetched that before it was replaced.
bool Shadow::undo_parcel(Vcpu& v, Gva at, u16 trapped, bool known, TlbFlush& flush) {
    const std::optional<Entry> leaf = running_leaf(v, at);
    if (!leaf || !tables_.is_copy(leaf->pte)) return false;
    const Gpa gpa = tables_.shown_by(leaf->pte) + at.page_offset();
    const u16 own = ram_.load_parcel(gpa).value_or(0);
    if (tables_.copied_parcel(gpa) == own || (known && trapped == own)) return false;
    drop_copy(gpa.frame(), flush);
    return true;
}

bool Shadow::undo_replacement(unsigned vcpu, Gva pc, u32 insn, TlbFlush& flush) {
    Vcpu& v = vcpus_[vcpu];
    const bool known = insn != 0;
    if (undo_parcel(v, pc, static_cast<u16>(insn), known, flush)) return true;
    const bool compressed = known && (insn & 3) != 3;
    return !compressed && undo_parcel(v, pc + sizeof(u16), static_cast<u16>(insn >> 16), known, flush);
}

TlbFlush Shadow::replace(unsigned vcpu, Gva pc, u32 insn) {
    if (!tables_.can_copy() || pc.page_offset() > kLastOffset) return TlbFlush::none();
    const std::optional<Entry> leaf = running_leaf(vcpus_[vcpu], pc);
    if (!leaf) return TlbFlush::none();
    const Gpa gpa = tables_.shown_by(leaf->pte) + (pc.raw & (level_size(leaf->level) - 1));
    // Another hart may have stored there since; then what trapped is not what is there.
    if (word_at(gpa) != insn) return TlbFlush::none();
    const u64 frame = gpa.frame();
    // Another hart that still executes the old word traps as before.
    TlbFlush flush = TlbFlush::local_fetch();
    if (!tables_.has_copy(frame)) {
        if (tables_.first_table(frame) != kNoPage || !is_worth_copying(frame)) return TlbFlush::none();
        tables_.make_copy(frame);
        ++stats_.copies;
        flush = TlbFlush::all_and_fetch();
    }
    tables_.replace(gpa);
    ++stats_.replacements;
    return flush;
}

void Shadow::drop_copy(u64 frame, TlbFlush& flush) {
    tables_.drop_copy(frame);
    tables_.count_drop(frame);
    ++stats_.copy_drops;
    flush.merge(TlbFlush::all());
}

}  // namespace uc
