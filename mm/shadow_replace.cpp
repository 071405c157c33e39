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

// Harts fetch parcels of 16 bits. One that executes where an instruction is being replaced may put together one half of
// it and the other of an ecall, in either order, whatever the order of our stores, until it has done fence.i. All that
// is replaced are SYSTEM instructions, so either half as it was leaves one of these:
//
// - ecall's first, its own second: funct3 and rd are 0, and the CSR's number stands where funct12 does. That may be
//   what S-mode alone may execute, which is illegal here, or means nothing, which is illegal as well; an ecall, where
//   the own half is the same; but also ebreak, and wfi (CSR 0x105 is stvec), which a user may execute. Those two are
//   avoided.
// - its own first, ecall's second: an access to CSR 0, of a user's trap that no hart has any more; or what has rs1
//   alone of all operands, which means nothing.
//
// What is illegal traps, and is neither the guest's nor ours: undo_replacement() has the guest try again. An ecall is
// looked up by its address and found as well.

namespace {

constexpr u32 kHalf = 0xffff, kEbreak = 0x0010'0073, kSret = 0x1020'0073, kWfi = 0x1050'0073;

/// Whether `insn` may be replaced where other harts may be executing it.
bool may_replace_live(u32 insn) {
    constexpr u32 kOpcode = 0x7f, kSystem = 0x73;
    const u32 mixed = (insn & ~kHalf) | (kEcall & kHalf);
    return (insn & kOpcode) == kSystem && (mixed == insn || (mixed != kEbreak && mixed != kWfi));
}

/// Whether `insn` may be made of halves of two.
bool may_be_mixed(u32 insn) {
    if ((insn & ~kHalf) == (kEcall & ~kHalf)) return true;
    return (insn & kHalf) == (kEcall & kHalf) && insn != kSret && insn != kWfi;
}

}  // namespace

/// Whether the hart has trapped on a parcel that is not the guest's. If what it executes at `at` is a copy in which the
/// parcel was replaced, that is given up. `trapped`, if known, may also be what was there before it was replaced, which
/// is the guest's own. `mixed`: it may have been half replaced; then it is not the guest's unless it is found there.
/// Another hart may have given up the copy since.
bool Shadow::undo_parcel(Vcpu& v, Gva at, std::optional<u16> trapped, bool mixed, TlbFlush& flush) {
    const std::optional<Entry> leaf = running_leaf(v, at);
    if (!leaf) return mixed;
    const Gpa gpa = tables_.shown_by(leaf->pte) + (at.raw & (level_size(leaf->level) - 1));
    const u16 own = ram_.load_parcel(gpa).value_or(0);
    if (trapped == own) return false;
    if (!tables_.is_copy(leaf->pte) || tables_.copied_parcel(gpa) == own) return mixed;
    drop_copy(gpa.frame());
    flush.merge(TlbFlush::all());
    return true;
}

bool Shadow::undo_replacement(unsigned vcpu, Gva pc, u32 insn, TlbFlush& flush) {
    Vcpu& v = vcpus_[vcpu];
    const bool known = insn != 0;
    const bool mixed = known && is_smp() && may_be_mixed(insn);
    const auto half = [&](unsigned shift) {
        return known ? std::optional{static_cast<u16>(insn >> shift)} : std::nullopt;
    };
    if (undo_parcel(v, pc, half(0), mixed, flush)) return true;
    const bool compressed = known && (insn & 3) != 3;
    return !compressed && undo_parcel(v, pc + sizeof(u16), half(16), mixed, flush);
}

TlbFlush Shadow::replace(unsigned vcpu, Gva pc, u32 insn) {
    if (!tables_.can_copy() || pc.page_offset() > kLastOffset) return TlbFlush::none();
    const std::optional<Entry> leaf = running_leaf(vcpus_[vcpu], pc);
    if (!leaf) return TlbFlush::none();
    const Gpa gpa = tables_.shown_by(leaf->pte) + (pc.raw & (level_size(leaf->level) - 1));
    // Another hart may have stored there since; then what trapped is not what is there.
    if (word_at(gpa) != insn) return TlbFlush::none();
    const u64 frame = gpa.frame();
    if (!tables_.has_copy(frame)) {
        if (tables_.first_table(frame) != kNoPage || !is_worth_copying(frame)) return TlbFlush::none();
        return replace_in_new_copy(pc, gpa, insn);
    }
    if (is_smp() && !may_replace_live(insn)) return TlbFlush::none();
    tables_.replace(gpa);
    ++stats_.replacements;
    // Another hart that still executes the old word traps as before. So may this one, if it has yet to hear of the
    // copy.
    TlbFlush flush = TlbFlush::local_fetch();
    if (is_smp()) flush.merge(TlbFlush::local_page(pc));
    return flush;
}

/// Copies the page of `gpa`, where `insn` stands, which is executed at `pc`.
TlbFlush Shadow::replace_in_new_copy(Gva pc, Gpa gpa, u32 insn) {
    const u64 frame = gpa.frame();
    TlbFlush flush;
    tables_.begin_copy(frame);
    flush_everywhere(flush);
    // Nobody stores to the page any more, nor executes what the place of the copy held before.
    if (is_smp() && word_at(gpa) != insn) {
        tables_.drop_copy(frame);
        return flush;
    }
    tables_.fill_copy(frame);
    tables_.replace(gpa);
    ++stats_.copies;
    ++stats_.replacements;
    if (is_smp()) {
        options_.flusher->flush_now(TlbFlush::fetch_everywhere());
        flush = TlbFlush::local_page(pc);
    } else {
        flush = TlbFlush::all_and_fetch();
    }
    // Harts that do not hear of it execute the page itself, as before.
    tables_.publish_copy(frame);
    return flush;
}

/// Gives up a copy because of the guest. Owes a flush of everything.
void Shadow::drop_copy(u64 frame) {
    tables_.drop_copy(frame);
    tables_.count_drop(frame);
    ++stats_.copy_drops;
}

}  // namespace uc
