// SPDX-License-Identifier: MIT
#include "hv/payload.hpp"

#include <memory>

#include "tests/hv/dts.hpp"

namespace uc {
namespace {

const std::string kImageTree = R"(/ {
    images { k { type = "kernel"; data = "kernel"; }; };
    configurations { one { kernel = "k"; }; two { kernel = "k"; }; };
};)";

std::string linux_image() { return std::string(0x38, '\0') + "RSC\x05" + std::string(100, '\0'); }

TEST(Payload, SniffsByMagic) {
    EXPECT_EQ(sniff(compile_dts(kImageTree).bytes()), PayloadKind::Fit);
    EXPECT_EQ(sniff(Blob(linux_image()).bytes()), PayloadKind::LinuxImage);
    EXPECT_EQ(sniff(Blob("\x7f"
                         "ELF")
                        .bytes()),
              PayloadKind::Elf);
    EXPECT_EQ(sniff(Blob("\x7f"
                         "EL")
                        .bytes()),
              PayloadKind::Raw);
    EXPECT_EQ(sniff({}), PayloadKind::Raw);
}

TEST(Payload, KernelBecomesTheOnlyGuest) {
    const Blob kernel(linux_image());
    Boot boot;
    ASSERT_EQ(error_of(read_payload(kernel.bytes(), "console=ttyS0 vcpus=7", boot)), "");
    ASSERT_EQ(boot.config.guests.size(), 1u);
    const GuestConfig& guest = boot.config.guests[0];
    EXPECT_EQ(guest.name, "guest0");
    EXPECT_EQ(guest.bootargs, "console=ttyS0 vcpus=7");
    EXPECT_EQ(guest.vcpus, 1u);
    EXPECT_EQ(guest.memory, kDefaultGuestMemory);
    EXPECT_EQ(guest.kernel.data.data(), kernel.bytes().data());
    EXPECT_EQ(guest.kernel.data.size(), kernel.bytes().size());
}

TEST(Payload, OptionsOfTheOnlyGuest) {
    const Blob kernel("raw");
    Boot boot;
    ASSERT_EQ(error_of(read_payload(kernel.bytes(), "undercroft.loglevel=debug vcpus=2 memory=512M -- quiet", boot)),
              "");
    EXPECT_EQ(boot.options.loglevel, LogLevel::Debug);
    EXPECT_EQ(boot.config.guests[0].vcpus, 2u);
    EXPECT_EQ(boot.config.guests[0].memory, 512 * kMiB);
    EXPECT_EQ(boot.config.guests[0].bootargs, "quiet");
    EXPECT_EQ(error_of(read_payload(kernel.bytes(), "quiet -- quiet", boot)), "option quiet: unknown");
}

TEST(Payload, ImageTreeTakesOnlyOptionsOfTheHypervisor) {
    const Blob fit = compile_dts(kImageTree);
    const auto read = [&](const char* bootargs) {
        auto boot = std::make_unique<Boot>();
        const std::string error = error_of(read_payload(fit.bytes(), bootargs, *boot));
        EXPECT_EQ(boot->config.guests.size(), error.empty() ? 2u : 0u);
        return error + (boot->options.stats ? "+stats" : "");
    };
    EXPECT_EQ(read(""), "");
    EXPECT_EQ(read("undercroft.stats"), "+stats");
    EXPECT_EQ(read("undercroft.stats -- "), "+stats");
    EXPECT_EQ(read("console=ttyS0"), "option console=ttyS0: unknown");
    EXPECT_EQ(read("vcpus=2"), "option vcpus: belongs into the image tree");
    EXPECT_EQ(read("memory=64M -- "), "option memory: belongs into the image tree");
    EXPECT_EQ(read("undercroft.stats -- quiet"),
              "boot arguments: what follows \" -- \" belongs into the image tree, as bootargs");
}

TEST(Payload, RefusesNothingAndOtherTrees) {
    Boot boot;
    EXPECT_EQ(error_of(read_payload({}, "", boot)), "the payload is empty");
    EXPECT_EQ(error_of(read_payload(compile_dts("/ { };").bytes(), "", boot)),
              "device tree without /images: not an image tree");
    const std::string fit = compile_dts(kImageTree).string();
    EXPECT_EQ(error_of(read_payload(Blob(fit.substr(0, 100)).bytes(), "", boot)),
              "image tree: cut off: 100 of " + std::to_string(fit.size()) + " bytes are there");
}

TEST(CheckSupported, RefusesWhatWouldNotRun) {
    MachineConfig config;
    GuestConfig one, two;
    one.name = "one";
    two.name = "two";
    EXPECT_TRUE(config.guests.push(one) && config.guests.push(two));
    const auto error = [&] { return error_of(check_supported(config, SatpMode::Sv48)); };
    EXPECT_EQ(error(), "");
    config.guests[1].stopped = true;
    EXPECT_EQ(error(), "") << "one guest is enough";
    config.guests[0].stopped = true;
    EXPECT_EQ(error(), "guest one: undercroft,stopped: no other guest would run");
    config.guests[0].stopped = false;
    config.guests[0].mmu = SatpMode::Sv57;
    EXPECT_EQ(error(), "guest one: undercroft,mmu: larger than the machine's translation mode");
}

TEST(CheckHarts, NamesGuestAndHart) {
    auto machine = std::make_unique<HostMachine>();
    for (const u64 id : {1, 2}) {
        HostHart hart;
        hart.id = id;
        hart.usable = id == 2;
        ASSERT_TRUE(machine->harts.push(hart));
    }
    const auto check = [&](u64 id) {
        auto config = std::make_unique<MachineConfig>();
        GuestConfig guest;
        guest.name = "g";
        EXPECT_TRUE(guest.harts.push(id) && config->guests.push(guest));
        return error_of(check_harts(*config, *machine));
    };
    EXPECT_EQ(check(2), "");
    EXPECT_EQ(check(1), "guest g: undercroft,harts: hart 1 cannot run guests");
    EXPECT_EQ(check(0), "guest g: undercroft,harts: hart 0 does not exist");
}

TEST(CheckHarts, LeavesAHartForThoseThatFloat) {
    auto machine = std::make_unique<HostMachine>();
    auto config = std::make_unique<MachineConfig>();
    for (const u64 id : {1, 2, 3}) {
        HostHart hart;
        hart.id = id;
        hart.usable = id != 1;
        ASSERT_TRUE(machine->harts.push(hart));
    }
    GuestConfig pinned, floating;
    pinned.name = "pinned";
    floating.name = "floating";
    ASSERT_TRUE(pinned.harts.push(2) && config->guests.push(pinned) && config->guests.push(floating));
    EXPECT_EQ(error_of(check_harts(*config, *machine)), "");
    ASSERT_TRUE(config->guests[0].harts.push(3));
    EXPECT_EQ(error_of(check_harts(*config, *machine)),
              "guest floating: undercroft,harts: guests are pinned to all harts, and none is left");
    config->guests[1].harts = config->guests[0].harts;
    EXPECT_EQ(error_of(check_harts(*config, *machine)), "") << "all are pinned";
}

}  // namespace
}  // namespace uc
