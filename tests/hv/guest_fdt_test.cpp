// SPDX-License-Identifier: MIT
#include "hv/guest_fdt.hpp"

#include <memory>

#include "hv/host_fdt.hpp"
#include "tests/hv/dts.hpp"

namespace uc {
namespace {

GuestMachine machine() {
    GuestMachine m;
    m.vcpus = 2;
    m.ram = {kGuestRamBase, 64 * kMiB};
    m.isa = parse_riscv_isa("rv64imafdc_zicbom_zicsr_zifencei_sstc");
    m.mmu = SatpMode::Sv48;
    m.timebase_hz = 10'000'000;
    m.cbom_block_size = 64;
    m.cboz_block_size = 64;
    m.rtc = true;
    m.manager = true;
    m.bootargs = "console=ttyS0";
    m.initrd = {Gpa{0x8300'0000}, 0x1234};
    m.rng_seed.fill(std::byte{0x5a});
    return m;
}

struct Tree {
    std::vector<u64> memory = std::vector<u64>(8 * kKiB);
    std::string error;
    Bytes bytes;

    std::span<std::byte> room() { return std::as_writable_bytes(std::span{memory}); }
    void take(const std::expected<usize, LoadError>& length) {
        error = error_of(length);
        if (length) bytes = room().first(*length);
    }
    [[nodiscard]] FdtNode root() const { return *open_fdt(bytes, "guest"); }
    [[nodiscard]] FdtNode at(const char* path) const {
        const auto node = root().by_path(path);
        EXPECT_TRUE(node) << path;
        return node.value_or(root());
    }
};

Tree build(const GuestMachine& m) {
    Tree tree;
    tree.take(build_guest_fdt(m, tree.room()));
    EXPECT_EQ(tree.error, "");
    return tree;
}

// The hypervisor must find in it what it finds in the machine's own tree: Undercroft runs in Undercroft.
TEST(GuestFdt, IsAMachineToUndercroftItself) {
    const Tree tree = build(machine());
    auto host = std::make_unique<HostMachine>();
    ASSERT_EQ(error_of(read_host_fdt(tree.bytes, *host)), "");
    ASSERT_EQ(host->memory.size(), 1u);
    EXPECT_EQ(host->memory[0], (HostRange{Hpa{0x8000'0000}, 64 * kMiB}));
    EXPECT_TRUE(host->reserved.empty());
    ASSERT_EQ(host->harts.size(), 2u);
    for (u64 id = 0; id < 2; ++id) {
        const HostHart& hart = host->harts[id];
        EXPECT_EQ(hart.id, id);
        EXPECT_TRUE(hart.usable);
        EXPECT_EQ(hart.isa_text, "rv64imafdc_zicbom_zicsr_zifencei_sstc");
        EXPECT_TRUE(hart.isa.has("sstc") && hart.isa.has("zicntr"));
        EXPECT_EQ(hart.plic_context, 2 * id + 1);
        EXPECT_EQ(hart.cbom_block_size, 64u);
        EXPECT_EQ(hart.cboz_block_size, 0u);  // the guest has no zicboz
    }
    EXPECT_EQ(host->timebase_hz, 10'000'000u);
    ASSERT_TRUE(host->console && host->plic);
    EXPECT_EQ(host->console->range, (HostRange{Hpa{0x1000'0000}, 0x100}));
    EXPECT_EQ(host->console->irq, 10u);
    EXPECT_EQ(host->plic->range, (HostRange{Hpa{0xc00'0000}, 0x60'0000}));
    EXPECT_EQ(host->plic->sources, 95u);
    EXPECT_EQ(host->rtc, (HostRange{Hpa{0x10'1000}, 0x1000}));
    EXPECT_EQ(host->test, (HostRange{Hpa{0x10'0000}, 0x1000}));
    EXPECT_EQ(host->initrd, (HostRange{Hpa{0x8300'0000}, 0x1234}));
    EXPECT_EQ(host->bootargs, "console=ttyS0");
    ASSERT_EQ(host->rng_seed.size(), 32u);
    EXPECT_EQ(host->rng_seed[31], std::byte{0x5a});
}

TEST(GuestFdt, HasWhatLinuxLooksFor) {
    const Tree tree = build(machine());
    EXPECT_EQ(tree.at("/cpus/cpu@1").string("riscv,isa-base"), "rv64i");
    EXPECT_EQ(tree.at("/cpus/cpu@1").string("mmu-type"), "riscv,sv48");
    EXPECT_TRUE(tree.at("/cpus/cpu@1").property("riscv,isa-extensions")->lists("zihpm"));
    EXPECT_TRUE(tree.at("/cpus/cpu@1/interrupt-controller").compatible("riscv,cpu-intc"));
    EXPECT_TRUE(tree.at("/soc/plic@c000000").compatible("riscv,plic0"));
    const auto test = tree.at("/soc/test@100000");
    EXPECT_TRUE(test.compatible("sifive,test0") && test.compatible("syscon"));
    EXPECT_EQ(tree.at("/poweroff").number("regmap"), test.number("phandle"));
    EXPECT_EQ(tree.at("/poweroff").number("value"), 0x5555u);
    EXPECT_EQ(tree.at("/reboot").number("value"), 0x7777u);
    EXPECT_TRUE(tree.at("/reboot").compatible("syscon-reboot"));
    EXPECT_EQ(tree.at("/chosen").string("stdout-path"), "/soc/serial@10000000");
    EXPECT_EQ(tree.at("/soc/serial@10000000").number("clock-frequency"), 3'686'400u);
    EXPECT_EQ(tree.at("/soc/rtc@101000").number("interrupts"), 11u);
    EXPECT_TRUE(tree.at("/soc/management@102000").compatible("undercroft,management"));
}

TEST(GuestFdt, LeavesOutWhatIsNotThere) {
    GuestMachine m = machine();
    m.rtc = false;
    m.manager = false;
    m.bootargs = "";
    m.initrd = {};
    m.mmu = SatpMode::Sv39;
    m.timebase_hz = 0x1'0000'0000;
    const Tree tree = build(m);
    EXPECT_FALSE(tree.root().by_path("/soc/rtc@101000"));
    EXPECT_FALSE(tree.root().by_path("/soc/management@102000"));
    EXPECT_FALSE(tree.at("/chosen").has("bootargs") || tree.at("/chosen").has("linux,initrd-start"));
    EXPECT_EQ(tree.at("/cpus/cpu@0").string("mmu-type"), "riscv,sv39");
    EXPECT_EQ(tree.at("/cpus").number("timebase-frequency"), 0x1'0000'0000u);
}

TEST(GuestFdt, AllVcpusFitIntoTheRoomAtTheTopOfRam) {
    GuestMachine m = machine();
    m.vcpus = kMaxVcpus;
    m.isa = parse_riscv_isa(
        "rv64gcbv_zic64b_zicbom_zicbop_zicboz_ziccamoa_ziccif_zicclsm_ziccrse_zicntr_zicond_zihintntl_zihintpause_"
        "zihpm_"
        "zimop_zawrs_zfa_zfh_zcb_zba_zbb_zbs_zkt_zvbb_zvfh_zvkt_sstc_svade_svinval_svnapot_svpbmt");
    const std::string bootargs(4096, 'b');
    m.bootargs = bootargs;
    const Tree tree = build(m);
    EXPECT_LE(tree.bytes.size(), 64 * kKiB);
    EXPECT_EQ(tree.at("/cpus/cpu@1f").number("reg"), 31u);
    EXPECT_EQ(tree.at("/soc/plic@c000000").property("interrupts-extended")->cells(), 4 * kMaxVcpus);
}

TEST(GuestFdt, TooLittleRoomIsAnErrorAtEverySize) {
    const GuestMachine m = machine();
    const usize whole = build(m).bytes.size();
    for (usize size = 0; size < whole; ++size) {
        std::vector<std::byte> room(size);
        EXPECT_EQ(error_of(build_guest_fdt(m, room)),
                  "device tree: with its /chosen it does not fit into " + std::to_string(size) + " bytes");
    }
}

Tree adapt(const std::string& dts, const GuestMachine& m, usize room = 64 * kKiB) {
    // As in an image tree, four bytes off.
    const Blob shifted("1234" + compile_dts(dts).string());
    Tree tree;
    tree.take(adapt_guest_fdt(shifted.bytes().subspan(4), m, tree.room().first(room)));
    return tree;
}

TEST(AdaptGuestFdt, SetsWhatTheGuestNeedsInChosen) {
    const Tree tree =
        adapt("/ { model = \"mine\"; chosen { bootargs = \"old\"; stdout-path = \"x\"; }; other { }; };", machine());
    ASSERT_EQ(tree.error, "");
    EXPECT_EQ(tree.root().string("model"), "mine");
    EXPECT_TRUE(tree.root().child("other"));
    const FdtNode chosen = tree.at("/chosen");
    EXPECT_EQ(chosen.string("bootargs"), "console=ttyS0");
    EXPECT_EQ(chosen.string("stdout-path"), "x");
    EXPECT_EQ(chosen.number("linux,initrd-start"), 0x8300'0000u);
    EXPECT_EQ(chosen.number("linux,initrd-end"), 0x8300'1234u);
    EXPECT_EQ(chosen.property("rng-seed")->value.size(), 32u);
}

TEST(AdaptGuestFdt, KeepsWhatIsGiven) {
    GuestMachine m = machine();
    m.bootargs = "";
    m.initrd = {};
    const Tree tree = adapt("/ { chosen { bootargs = \"old\"; rng-seed = [01]; }; };", m);
    ASSERT_EQ(tree.error, "");
    EXPECT_EQ(tree.at("/chosen").string("bootargs"), "old");
    EXPECT_EQ(tree.at("/chosen").property("rng-seed")->value.size(), 1u);
    EXPECT_FALSE(tree.at("/chosen").has("linux,initrd-start"));
}

TEST(AdaptGuestFdt, MakesChosenWhenMissing) {
    const Tree tree = adapt("/ { };", machine());
    ASSERT_EQ(tree.error, "");
    EXPECT_EQ(tree.at("/chosen").string("bootargs"), "console=ttyS0");
}

TEST(AdaptGuestFdt, RefusesWhatIsCorruptOrTooBig) {
    Tree tree;
    tree.take(
        adapt_guest_fdt(Blob("not a tree, though it is long enough for a header").bytes(), machine(), tree.room()));
    EXPECT_EQ(tree.error, "fdt: not a flattened device tree");
    EXPECT_EQ(adapt("/ { };", machine(), 16).error, "fdt: 72 bytes do not fit into 16");
    EXPECT_EQ(adapt("/ { };", machine(), 128).error, "fdt: with its /chosen it does not fit into 128 bytes");
}

}  // namespace
}  // namespace uc
