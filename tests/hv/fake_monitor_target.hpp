// SPDX-License-Identifier: MIT
#pragma once
// A machine for the monitor to look at.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "hv/monitor_target.hpp"

namespace uc::test {

/// A machine that remembers what was asked of it.
struct FakeMonitorTarget : MonitorTarget {
    std::vector<MonitorGuest> all{{"alpha", "running", true, 256 * kMiB, 2}, {"beta", "stopped", false, 64 * kMiB, 1}};
    std::optional<usize> owner = 0;
    std::string asked;
    std::string problem;  ///< what every request answers; empty: success
    MonitorStats counts{};
    MemoryAccount machine_memory;
    GuestAccount guest_memory{64 * kMiB, 3 * kMiB, 5, 512, 2, 1, 9};
    std::vector<TracedExit> exits;
    GuestHart hart;
    MonitorWalk translation;
    LogLevel level = LogLevel::Info;
    bool ended = false;

    MonitorStatus status() const {
        if (problem.empty()) return {};
        return std::unexpected(MonitorError(std::string_view(problem)));
    }
    usize guest_count() override { return all.size(); }
    MonitorGuest guest(usize number) override { return all.at(number); }
    MonitorVcpu vcpu(usize guest, unsigned number) override {
        EXPECT_LT(number, all.at(guest).vcpus);
        if (guest == 0) return {"running", 3, 12345, 0xffff'ffff'8000'0000, Priv::S};
        return {"stopped", std::nullopt, 0, 0x1234, Priv::U, 2};
    }
    std::optional<usize> attached() override { return owner; }
    void attach(usize guest) override { owner = guest; }
    MonitorStatus act(usize guest, GuestAction action) override {
        asked += std::to_string(guest) + ":" + std::to_string(static_cast<int>(action)) + " ";
        return status();
    }
    MemoryAccount memory() override { return machine_memory; }
    GuestAccount account(usize) override { return guest_memory; }
    MonitorStats stats(usize guest) override { return guest == 0 ? counts : MonitorStats{}; }
    std::span<const TracedExit> trace() override { return exits; }
    std::expected<GuestHart, MonitorError> registers(usize guest, unsigned vcpu) override {
        asked += std::to_string(guest) + "." + std::to_string(vcpu);
        if (const auto ok = status(); !ok) return std::unexpected(ok.error());
        return hart;
    }
    std::expected<MonitorWalk, MonitorError> walk(usize, unsigned, Gva) override {
        if (const auto ok = status(); !ok) return std::unexpected(ok.error());
        return translation;
    }
    bool read(usize, Gpa address, std::span<u8> bytes) override {
        if (address.raw < 0x8000'0000 || address.raw + bytes.size() > 0x8000'1000) return false;
        for (usize i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<u8>(address.raw + i);
        return true;
    }
    void set_log_level(LogLevel wanted) override { level = wanted; }
    void quit() override { ended = true; }
};

}  // namespace uc::test
