// SPDX-License-Identifier: MIT
#include "emul/plic.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace uc {
namespace {

constexpr u64 priority(unsigned source) { return 4 * source; }
constexpr u64 pending(unsigned word) { return 0x1000 + 4 * word; }
constexpr u64 enable(unsigned context, unsigned word) { return 0x2000 + 0x80 * context + 4 * word; }
constexpr u64 threshold(unsigned context) { return 0x200000 + 0x1000 * context; }
constexpr u64 claim(unsigned context) { return threshold(context) + 4; }

/// Keeps the levels of SEIP and insists that it is told of changes only.
class Outputs final : public ExternalLine {
  public:
    std::map<unsigned, bool> seip;
    void set_seip(unsigned vcpu, bool level) override {
        EXPECT_NE(seip[vcpu], level);
        seip[vcpu] = level;
    }
};

struct PlicTest : testing::Test {
    Outputs out;
    Plic plic{2, out};

    u32 read(u64 offset) {
        const auto value = plic.read(offset, 4);
        EXPECT_TRUE(value.has_value());
        return static_cast<u32>(value.value_or(0));
    }
    void write(u64 offset, u32 value) { EXPECT_TRUE(plic.write(offset, 4, value)); }
    void enable_source(unsigned context, unsigned source, u32 prio) {
        write(priority(source), prio);
        write(enable(context, source / 32), read(enable(context, source / 32)) | 1u << source % 32);
    }
};

TEST_F(PlicTest, StartsSilent) {
    for (u64 offset = 0; offset < 0x4000; offset += 4) EXPECT_EQ(read(offset), 0u) << offset;
    EXPECT_TRUE(out.seip.empty());
}

TEST_F(PlicTest, PrioritiesKeepThreeBits) {
    for (unsigned source = 1; source < Plic::kSources; ++source) {
        write(priority(source), 0xffff'fff8 | (source % 8));
        EXPECT_EQ(read(priority(source)), source % 8);
    }
    write(priority(0), 7);
    EXPECT_EQ(read(priority(0)), 0u) << "source 0 does not exist";
    write(priority(Plic::kSources), 7);
    EXPECT_EQ(read(priority(Plic::kSources)), 0u);
}

TEST_F(PlicTest, EnablesAreEachContextsOwn) {
    for (unsigned word = 0; word < 3; ++word) {
        write(enable(1, word), ~0u);
        write(enable(3, word), 0x5555'5555);
        EXPECT_EQ(read(enable(1, word)), word == 0 ? ~1u : ~0u);
        EXPECT_EQ(read(enable(3, word)), word == 0 ? 0x5555'5554u : 0x5555'5555u);
    }
    write(enable(1, 3), ~0u);
    EXPECT_EQ(read(enable(1, 3)), 0u) << "sources 96 and up";
}

TEST_F(PlicTest, MachineAndAbsentContextsReadZero) {
    for (const unsigned context : {0u, 2u, 4u, 5u, 1023u}) {
        write(enable(context, 0), ~0u);
        write(threshold(context), 7);
        EXPECT_EQ(read(enable(context, 0)), 0u) << context;
        EXPECT_EQ(read(threshold(context)), 0u) << context;
        EXPECT_EQ(read(claim(context)), 0u) << context;
    }
}

TEST_F(PlicTest, ThresholdsKeepThreeBits) {
    write(threshold(1), 0xff);
    EXPECT_EQ(read(threshold(1)), 7u);
    EXPECT_EQ(read(threshold(3)), 0u);
}

TEST_F(PlicTest, TakesOnlyWords) {
    for (const unsigned width : {1u, 2u, 8u}) {
        EXPECT_FALSE(plic.read(priority(2), width).has_value());
        EXPECT_FALSE(plic.write(priority(2), width, 1));
    }
}

TEST_F(PlicTest, PendingIsReadOnlyAndShowsTheWire) {
    plic.set(33, true);
    EXPECT_EQ(read(pending(1)), 2u);
    write(pending(1), 0);
    write(pending(0), ~0u);
    EXPECT_EQ(read(pending(1)), 2u);
    EXPECT_EQ(read(pending(0)), 0u);
}

TEST_F(PlicTest, SourcesThatDoNotExistAreIgnored) {
    plic.set(0, true);
    plic.set(Plic::kSources, true);
    plic.set(~0u, true);
    for (unsigned word = 0; word < 3; ++word) EXPECT_EQ(read(pending(word)), 0u);
}

TEST_F(PlicTest, ClaimAndCompleteALevelThatGoesAway) {
    enable_source(1, 10, 1);
    plic.set(10, true);
    EXPECT_TRUE(out.seip[0]);
    EXPECT_FALSE(out.seip[1]);
    EXPECT_EQ(read(claim(1)), 10u);
    EXPECT_FALSE(out.seip[0]);
    EXPECT_EQ(read(pending(0)), 0u);
    EXPECT_EQ(read(claim(1)), 0u) << "in service: nothing to claim";
    plic.set(10, false);
    write(claim(1), 10);
    EXPECT_FALSE(out.seip[0]);
    plic.set(10, true);
    EXPECT_TRUE(out.seip[0]);
}

TEST_F(PlicTest, ALevelStillHighAtCompletionPendsAgain) {
    enable_source(1, 10, 1);
    plic.set(10, true);
    EXPECT_EQ(read(claim(1)), 10u);
    plic.set(10, false);
    plic.set(10, true);
    EXPECT_FALSE(out.seip[0]) << "the gateway is shut until completion";
    write(claim(1), 10);
    EXPECT_TRUE(out.seip[0]);
    EXPECT_EQ(read(claim(1)), 10u);
}

TEST_F(PlicTest, ARequestOutlivesItsWire) {
    enable_source(1, 10, 1);
    plic.set(10, true);
    plic.set(10, false);
    EXPECT_TRUE(out.seip[0]);
    EXPECT_EQ(read(claim(1)), 10u);
    write(claim(1), 10);
    EXPECT_EQ(read(claim(1)), 0u);
}

TEST_F(PlicTest, CompletionOfWhatIsNotEnabledIsIgnored) {
    enable_source(1, 10, 1);
    plic.set(10, true);
    EXPECT_EQ(read(claim(1)), 10u);
    write(claim(3), 10);
    for (const u32 id : {0u, 11u, 95u, 96u, 1024u, ~0u}) write(claim(1), id);
    EXPECT_FALSE(out.seip[0]) << "still in service";
    write(enable(1, 0), 0);
    write(claim(1), 10);
    write(enable(1, 0), 1u << 10);
    EXPECT_FALSE(out.seip[0]) << "was disabled at completion";
    write(claim(1), 10);
    EXPECT_TRUE(out.seip[0]);
}

TEST_F(PlicTest, HighestPriorityFirstThenLowestNumber) {
    enable_source(1, 3, 2);
    enable_source(1, 40, 5);
    enable_source(1, 70, 5);
    enable_source(1, 90, 0);
    for (const unsigned source : {3u, 40u, 70u, 90u}) plic.set(source, true);
    EXPECT_EQ(read(claim(1)), 40u);
    EXPECT_EQ(read(claim(1)), 70u);
    EXPECT_EQ(read(claim(1)), 3u);
    EXPECT_EQ(read(claim(1)), 0u) << "priority 0 never interrupts";
}

TEST_F(PlicTest, ThresholdMasksTheLineButNotClaims) {
    enable_source(1, 5, 3);
    plic.set(5, true);
    write(threshold(1), 3);
    EXPECT_FALSE(out.seip[0]);
    write(threshold(1), 2);
    EXPECT_TRUE(out.seip[0]);
    write(threshold(1), 7);
    EXPECT_EQ(read(claim(1)), 5u);
}

TEST_F(PlicTest, OneOfTwoHartsGetsTheSource) {
    enable_source(1, 5, 3);
    enable_source(3, 5, 3);
    plic.set(5, true);
    EXPECT_TRUE(out.seip[0]);
    EXPECT_TRUE(out.seip[1]);
    EXPECT_EQ(read(claim(3)), 5u);
    EXPECT_FALSE(out.seip[0]);
    EXPECT_FALSE(out.seip[1]);
    EXPECT_EQ(read(claim(1)), 0u);
}

TEST_F(PlicTest, ResetForgetsAllButTheWires) {
    enable_source(1, 5, 3);
    enable_source(1, 6, 3);
    plic.set(5, true);
    plic.set(6, true);
    EXPECT_EQ(read(claim(1)), 5u);
    plic.set(6, false);
    write(threshold(3), 1);
    plic.reset();
    EXPECT_FALSE(out.seip[0]);
    EXPECT_EQ(read(priority(5)), 0u);
    EXPECT_EQ(read(enable(1, 0)), 0u);
    EXPECT_EQ(read(threshold(3)), 0u);
    EXPECT_EQ(read(pending(0)), 1u << 5);
}

/// The specification once more, one source at a time and nothing clever.
struct Model {
    struct Source {
        u32 priority = 0;
        bool level = false, pending = false, in_service = false;
        std::array<bool, 2> enabled{};
    };
    std::array<Source, Plic::kSources> sources{};
    std::array<u32, 2> threshold{};

    void gateway(unsigned s) {
        if (s != 0 && sources[s].level && !sources[s].in_service) sources[s].pending = true;
    }
    unsigned best(unsigned vcpu) const {
        unsigned found = 0;
        for (unsigned s = 1; s < Plic::kSources; ++s) {
            if (sources[s].pending && sources[s].enabled[vcpu] && sources[s].priority > sources[found].priority)
                found = s;
        }
        return found;
    }
    unsigned claim(unsigned vcpu) {
        const unsigned s = best(vcpu);
        if (s != 0) {
            sources[s].pending = false;
            sources[s].in_service = true;
        }
        return s;
    }
    void complete(unsigned vcpu, unsigned s) {
        if (s >= Plic::kSources || !sources[s].enabled[vcpu] || !sources[s].in_service) return;
        sources[s].in_service = false;
        gateway(s);
    }
    bool seip(unsigned vcpu) const { return sources[best(vcpu)].priority > threshold[vcpu]; }
};

TEST_F(PlicTest, AgreesWithTheSpecificationOnRandomSequences) {
    std::mt19937_64 random{20240607};
    Model model;
    const auto upto = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
    for (int step = 0; step < 100'000; ++step) {
        const unsigned vcpu = upto(2);
        const unsigned context = 2 * vcpu + 1;
        // A few sources, so that they meet each other, and both ends of every word.
        static constexpr unsigned kInteresting[] = {1, 10, 31, 32, 33, 63, 64, 95};
        const unsigned source = kInteresting[upto(8)];
        switch (upto(6)) {
            case 0: {
                const bool level = upto(2);
                plic.set(source, level);
                model.sources[source].level = level;
                model.gateway(source);
                break;
            }
            case 1: {
                const u32 prio = upto(8);
                write(priority(source), prio);
                model.sources[source].priority = prio;
                break;
            }
            case 2: {
                const u32 bits = static_cast<u32>(random());
                const unsigned word = source / 32;
                write(enable(context, word), bits);
                for (unsigned i = 0; i < 32; ++i) {
                    if (32 * word + i != 0) model.sources[32 * word + i].enabled[vcpu] = bits >> i & 1;
                }
                break;
            }
            case 3:
                model.threshold[vcpu] = upto(8);
                write(threshold(context), model.threshold[vcpu]);
                break;
            case 4: ASSERT_EQ(read(claim(context)), model.claim(vcpu)); break;
            default:
                write(claim(context), source);
                model.complete(vcpu, source);
                break;
        }
        for (unsigned v = 0; v < 2; ++v) ASSERT_EQ(out.seip[v], model.seip(v)) << "step " << step;
        for (unsigned word = 0; word < 3; ++word) {
            u32 expected = 0;
            for (unsigned i = 0; i < 32; ++i) expected |= u32{model.sources[32 * word + i].pending} << i;
            ASSERT_EQ(read(pending(word)), expected) << "step " << step;
        }
    }
}

}  // namespace
}  // namespace uc
