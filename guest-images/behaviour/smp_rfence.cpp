// SPDX-License-Identifier: MIT
// Remote fences: once one has returned, no hart that it named uses the old translation or the old code, though it has
// been using them until then (SBI 2.0, chapter 8).

#include "guest-images/behaviour/rt/smp.hpp"
#include "guest-images/behaviour/rt/space.hpp"

using namespace uc;
using namespace uc::rt;
using sbi::rfence::Fid;

SNIPPET(do_load, "ld a1, 0(a0)");

namespace {

constexpr u64 kVa = 0x21'0000'0000;      // for S
constexpr u64 kUserVa = 0x22'0000'0000;  // for U
constexpr u64 kPoison = 0xdead;
constexpr u64 kAsid = 1;
constexpr u64 kChanges = 60;
constexpr u64 kForms = 5;
constexpr u64 kAsked = 5;

Space* space;
u64 pages[2];
volatile u64& at(u64 pa) { return *reinterpret_cast<volatile u64*>(pa); }

std::atomic<u64> done;
std::atomic<u64> looks[kMaxHarts];

/// Waits until each other hart has looked again: so they are in the middle of it when the next change comes.
bool all_have_looked(u64 hart) {
    for (u64 other = 0; other < hart_count(); ++other) {
        if (other == hart) continue;
        const u64 before = looks[other];
        if (!wait_until([=] { return looks[other] > before + 1 || failed(); })) fail("a hart hangs: ", other);
    }
    return !failed();
}

u64 load(Priv priv) {
    if (priv == Priv::S) return at(kVa);
    const Frame frame = call(user(do_load), Priv::U, {kUserVa});
    return frame.completed() ? frame.x[a1] : kPoison;
}

/// The forms in which a fence can be asked for; what they leave out must not matter.
void fence(u64 form, u64 mask) {
    const u64 size = 2 * kPageSize;
    sbi::Ret ret;
    switch (form % kForms) {
        case 0: ret = sbi_call(sbi::Ext::Rfence, Fid::SfenceVma, mask, 0, 0, 0); break;
        case 1: ret = sbi_call(sbi::Ext::Rfence, Fid::SfenceVma, mask, 0, 0, ~0ull); break;
        case 2: ret = sbi_call(sbi::Ext::Rfence, Fid::SfenceVmaAsid, mask, 0, 0, 0, kAsid); break;
        case 3:
            sbi_call(sbi::Ext::Rfence, Fid::SfenceVma, mask, 0, kVa, size);
            ret = sbi_call(sbi::Ext::Rfence, Fid::SfenceVma, mask, 0, kUserVa, size);
            break;
        default:
            sbi_call(sbi::Ext::Rfence, Fid::SfenceVmaAsid, mask, 0, kVa, size, kAsid);
            ret = sbi_call(sbi::Ext::Rfence, Fid::SfenceVmaAsid, mask, 0, kUserVa, size, kAsid);
    }
    if (ret.error != sbi::Error::Success) fail("fence: ", static_cast<u64>(ret.error));
}

void map_both(u64 page) {
    space->map(kVa, page, kRw);
    space->map(kUserVa, page, kRw | kU);
}

/// The others look all the time. A page that was replaced is poisoned as soon as the fence has returned.
void change_pages(u64 hart) {
    space->enter(kAsid);
    meet();
    if (hart == hart_id) {
        for (u64 change = 0; change < kChanges && !failed(); ++change) {
            const u64 page = pages[change % 2];
            at(page) = change;
            map_both(page);
            fence(change, change % 3 == 0 ? all_harts() : others(hart));
            if (change % 3 != 0) sfence();
            at(pages[(change + 1) % 2]) = kPoison;
            if (at(kVa) != change) fail("the hart that asked for it sees the old page in change ", change);
            if (change % 15 == 0 && !all_have_looked(hart)) break;
        }
        done = 1;
    } else {
        for (u64 look = 0; done == 0; ++look) {
            if (load(look % 2 ? Priv::U : Priv::S) == kPoison) return fail("old page seen in look ", look);
            ++looks[hart];
        }
    }
    meet();
    leave_space();
}

std::atomic<u64> answers;
std::atomic<u64> questions[kMaxHarts];  // to each hart: what it has to see; 0 if there is none

bool ask(u64 hart, u64 value) {
    const u64 before = answers;
    questions[hart] = value;
    send_ipi(1ull << hart);
    return sleep_until([=] { return answers == before + 1; });
}

void answer(u64 hart) {
    std::atomic<u64>& question = questions[hart];
    while (sleep_until([&] { return question != 0 || done != 0; })) {
        if (done != 0) return;
        const u64 value = question.exchange(0);
        if (load(Priv::S) != value || load(Priv::U) != value) return fail("old page seen, question ", value);
        ++answers;
        send_ipi(1ull << hart_id);
    }
    fail("no question after ", answers);
}

/// One hart at a time is fenced, asked, and has to know.
void one_by_one(u64 hart) {
    space->enter(kAsid);
    load(Priv::S);
    meet();
    if (hart == hart_id) {
        for (u64 number = 1; number <= kForms * kAsked && !failed(); ++number) {
            at(pages[number % 2]) = number;
            map_both(pages[number % 2]);
            for (u64 other = 0; other < hart_count(); ++other) {
                if (other == hart) continue;
                fence(number, 1ull << other);
                if (!ask(other, number)) fail("no answer to ", number);
            }
        }
        done = 1;
        send_ipi(others(hart));
    } else {
        answer(hart);
    }
    meet();
    leave_space();
}

u32* code;  // li a0, N; ret
constexpr u32 li_a0(u64 value) { return static_cast<u32>(value << 20) | a0 << 7 | 0x13; }

u64 execute() {
    u64 value;
    asm volatile("jalr ra, %1\n mv %0, a0" : "=r"(value) : "r"(code) : "ra", "a0", "memory");
    return value;
}

/// One hart rewrites what all of them execute. Meanwhile the others keep away: QEMU before 8.1 may translate the old
/// code while it is stored to, and keep that, whatever the fences.
void change_code(u64 hart) {
    execute();
    meet();
    for (u64 change = 1; change <= kChanges && !failed(); ++change) {
        if (hart == hart_id) {
            *static_cast<volatile u32*>(code) = li_a0(change);
            const u64 mask = change % 2 ? all_harts() : others(hart);
            if (sbi_call(sbi::Ext::Rfence, Fid::FenceI, mask, 0).error != sbi::Error::Success) fail("fence.i");
            if (change % 2 == 0) fence_i();
        }
        meet();
        const u64 value = execute();
        if (value != change) fail(hart == hart_id ? "old code at the hart that asked: " : "old code: ", value);
        meet();
    }
}

}  // namespace

GUEST(smp_rfence) {
    say("harts ", hart_count());
    Space shared(SatpMode::Sv39);
    space = &shared;
    for (u64& page : pages) page = new_page();
    space->map_snippets();
    map_both(pages[0]);
    code = reinterpret_cast<u32*>(new_page());
    code[0] = li_a0(0);
    code[1] = 0x00008067;
    fence_i();
    if (together(change_pages)) say("pages: changes ", kChanges);
    done = 0;
    if (together(one_by_one)) say("asked: answers ", answers.load());
    expect(answers == (hart_count() - 1) * kForms * kAsked, "answers");
    if (together(change_code)) say("code: changes ", kChanges);
}
