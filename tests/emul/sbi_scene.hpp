// SPDX-License-Identifier: MIT
#pragma once
// A supervisor that makes SBI calls.

#include <gtest/gtest.h>

#include "emul/sbi_server.hpp"
#include "tests/emul/fake_sbi_backend.hpp"

namespace uc::test {

using sbi::Error;
using sbi::Ext;
using Event = FakeSbiBackend::Event;
using Kind = Event::Kind;

inline constexpr unsigned kA0 = 10, kA1 = 11, kA6 = 16, kA7 = 17;
inline constexpr u64 kRam = FakeSbiBackend::kRam;
inline constexpr u64 kRamEnd = kRam + FakeSbiBackend::kRamSize;
inline constexpr u64 kUntouched = 0x5a5a'5a5a'0000'0011;  ///< of a1, where it was not an argument

struct SbiTest : testing::Test {
    FakeSbiBackend backend;
    GuestHart hart;
    unsigned self = 0;

    /// Makes the call and checks that registers other than a0 and a1 are as before.
    Outcome raw_call(u64 eid, u64 fid, std::initializer_list<u64> args) {
        for (unsigned r = 1; r < 32; ++r) hart.set_x(r, 0x5a5a'5a5a'0000'0006 + r);
        unsigned reg = kA0;
        for (const u64 arg : args) hart.set_x(reg++, arg);
        hart.set_x(kA6, fid);
        hart.set_x(kA7, eid);
        hart.pc = kRam;
        const GuestHart before = hart;
        const Outcome outcome = sbi_call(hart, self, backend);
        for (unsigned r = 0; r < 32; ++r) {
            if (r == kA0 || r == kA1) continue;
            EXPECT_EQ(hart.get_x(r), before.get_x(r)) << "x" << r;
        }
        EXPECT_EQ(hart.pc, before.pc) << "pc is commit()'s";
        return outcome;
    }
    /// A call that returns.
    sbi::Ret call(Ext eid, u64 fid, std::initializer_list<u64> args = {}) {
        return call(static_cast<u64>(eid), fid, args);
    }
    sbi::Ret call(u64 eid, u64 fid, std::initializer_list<u64> args = {}) {
        EXPECT_EQ(raw_call(eid, fid, args), Outcome::advance(4));
        return {static_cast<Error>(hart.get_x(kA0)), hart.get_x(kA1)};
    }
    /// A legacy call that returns: a0, and a1 must be as it was.
    i64 legacy(Ext eid, std::initializer_list<u64> args = {}) {
        EXPECT_EQ(raw_call(static_cast<u64>(eid), 0xdead, args), Outcome::advance(4));
        EXPECT_EQ(hart.get_x(kA1), args.size() > 1 ? args.begin()[1] : kUntouched);
        return static_cast<i64>(hart.get_x(kA0));
    }
    std::vector<Event> on(Kind kind, std::initializer_list<u64> vcpus) {
        std::vector<Event> result;
        for (const u64 v : vcpus) result.push_back({kind, v});
        return result;
    }
    std::vector<Event> sfences(std::initializer_list<u64> vcpus, SfenceRange range) {
        std::vector<Event> result;
        for (const u64 v : vcpus) result.push_back({Kind::Sfence, v, 0, 0, range});
        return result;
    }
};

inline constexpr sbi::Ret fails(Error error) { return {error, 0}; }
inline constexpr sbi::Ret gives(u64 value) { return {Error::Success, value}; }

}  // namespace uc::test
