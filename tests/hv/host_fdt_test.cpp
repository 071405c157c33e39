// SPDX-License-Identifier: MIT
#include "hv/host_fdt.hpp"

#include <memory>
#include <random>

#include "tests/hv/dts.hpp"

namespace uc {
namespace {

// QEMU's virt with OpenSBI's reservation, as firmware hands it over, cut down.
const std::string kVirt = R"(
/memreserve/ 0x80700000 0x1000;
/ {
    #address-cells = <2>; #size-cells = <2>;
    compatible = "riscv-virtio"; model = "riscv-virtio,qemu";
    reserved-memory {
        #address-cells = <2>; #size-cells = <2>; ranges;
        mmode_resv0@80000000 { reg = <0 0x80000000 0 0x40000>; no-map; };
        pool { size = <0 0x100000>; };
    };
    chosen {
        rng-seed = [01 02 03];
        stdout-path = "uart:115200n8";
        bootargs = "vcpus=2 -- quiet";
        linux,initrd-start = <0x84000000>; linux,initrd-end = <0 0x85000000>;
    };
    aliases { uart = "/soc/serial@10000000"; };
    memory@80000000 { device_type = "memory"; reg = <0 0x80000000 0 0x20000000 1 0 0 0x1000 0 0 0 0>; };
    memory@f { device_type = "memory"; status = "disabled"; reg = <0 0xf000 0 0x1000>; };
    cpus {
        #address-cells = <1>; #size-cells = <0>; timebase-frequency = <10000000>;
        cpu@0 {
            device_type = "cpu"; reg = <0>; status = "okay"; mmu-type = "riscv,sv48";
            riscv,isa = "rv64imafdch_zicsr_zifencei_zba_sstc";
            riscv,cbom-block-size = <64>;
            intc0: interrupt-controller { #interrupt-cells = <1>; interrupt-controller; };
        };
        cpu@1 {
            device_type = "cpu"; reg = <1>; mmu-type = "riscv,sv57";
            riscv,isa = "rv64i"; riscv,isa-base = "rv64i"; riscv,isa-extensions = "i", "m", "sstc";
            intc1: interrupt-controller { #interrupt-cells = <1>; interrupt-controller; };
        };
        cpu-map { };
    };
    soc {
        #address-cells = <2>; #size-cells = <2>; compatible = "simple-bus"; ranges;
        rtc@101000 { compatible = "google,goldfish-rtc"; reg = <0 0x101000 0 0x1000>; interrupts = <11>; interrupt-parent = <&plic>; };
        serial@10000000 {
            compatible = "ns16550a"; reg = <0 0x10000000 0 0x100>; clock-frequency = <3686400>;
            interrupts = <10>; interrupt-parent = <&plic>;
        };
        test@100000 { compatible = "sifive,test1", "sifive,test0", "syscon"; reg = <0 0x100000 0 0x1000>; };
        plic: plic@c000000 {
            compatible = "sifive,plic-1.0.0", "riscv,plic0"; reg = <0 0xc000000 0 0x600000>; riscv,ndev = <96>;
            #interrupt-cells = <1>; interrupt-controller;
            interrupts-extended = <&intc0 11 &intc0 9 &intc1 11 &intc1 9>;
        };
    };
};
)";

// A board in the manner of the HiFive Unleashed: monitor core without MMU, sparse ids, narrow cells, a bus that moves
// addresses.
const std::string kBoard = R"(
/ {
    #address-cells = <1>; #size-cells = <1>;
    memory@80000000 { device_type = "memory"; reg = <0x80000000 0x8000000>; };
    chosen { stdout-path = "/soc/uart@10000"; };
    cpus {
        #address-cells = <2>; #size-cells = <0>;
        cpu@0 { device_type = "cpu"; reg = <0 0>; riscv,isa = "rv64imac"; a: interrupt-controller { }; };
        cpu@4 {
            device_type = "cpu"; reg = <0 4>; riscv,isa = "rv64gcsu"; mmu-type = "riscv,sv39"; timebase-frequency = <0 1000000>;
            b: interrupt-controller { };
        };
        cpu@100000007 { device_type = "cpu"; reg = <1 7>; status = "disabled"; riscv,isa = "rv64gc"; mmu-type = "riscv,sv39"; };
        cpu@9 { device_type = "cpu"; reg = <0 9>; riscv,isa = "rv32gc"; mmu-type = "riscv,sv32"; };
    };
    soc {
        #address-cells = <1>; #size-cells = <1>; compatible = "simple-bus"; interrupt-parent = <&irq>;
        ranges = <0 0x40000000 0x8000>, <0x10000 0x10010000 0x2000>, <0x20000 0xc000000 0x4000000>;
        uart@10000 {
            compatible = "vendor,uart", "sifive,uart0"; reg = <0x10000 0x1000>; interrupts = <4>;
        };
        irq: interrupt-controller@20000 {
            compatible = "sifive,plic-1.0.0"; reg = <0x20000 0x4000000>; riscv,ndev = <53>;
            interrupts-extended = <&a 11 &b 0xffffffff &b 9>;
        };
        test@9000 { compatible = "sifive,test0"; reg = <0x9000 0x1000>; };
    };
};
)";

std::unique_ptr<HostMachine> read(const std::string& dts, std::string* error = nullptr) {
    const Blob blob = compile_dts(dts);
    auto machine = std::make_unique<HostMachine>();
    const LoadStatus status = read_host_fdt(blob.bytes(), *machine);
    if (error != nullptr) {
        *error = error_of(status);
    } else {
        EXPECT_EQ(error_of(status), "");
    }
    return machine;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
    const auto at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

std::string error_with(const std::string& from, const std::string& to) {
    std::string error;
    read(replaced(kVirt, from, to), &error);
    return error;
}

HostRange range(u64 base, u64 size) { return {Hpa{base}, size}; }

TEST(HostFdt, ReadsMemoryAndEverythingReserved) {
    const auto m = read(kVirt);
    ASSERT_EQ(m->memory.size(), 2u);  // the entry of no size and the disabled node are left out
    EXPECT_EQ(m->memory[0], range(0x8000'0000, 0x2000'0000));
    EXPECT_EQ(m->memory[1], range(0x1'0000'0000, 0x1000));
    ASSERT_EQ(m->reserved.size(), 2u);  // the pool without an address is not anywhere yet
    EXPECT_EQ(m->reserved[0], range(0x8070'0000, 0x1000));
    EXPECT_EQ(m->reserved[1], range(0x8000'0000, 0x4'0000));
}

TEST(HostFdt, ReadsHarts) {
    const Blob blob = compile_dts(kVirt);
    auto m = std::make_unique<HostMachine>();
    ASSERT_TRUE(read_host_fdt(blob.bytes(), *m));
    ASSERT_EQ(m->harts.size(), 2u);
    EXPECT_EQ(m->timebase_hz, 10'000'000u);
    const HostHart& h = m->harts[0];
    EXPECT_TRUE(h.usable);
    EXPECT_EQ(h.isa_text, "rv64imafdch_zicsr_zifencei_zba_sstc");
    EXPECT_TRUE(h.isa.has("h") && h.isa.has("sstc") && h.isa.has("zba"));
    EXPECT_EQ(h.plic_context, 1u);
    EXPECT_EQ(h.cbom_block_size, 64u);
    EXPECT_EQ(h.cboz_block_size, 0u);
    // riscv,isa-extensions is the newer and the more exact one.
    EXPECT_TRUE(m->harts[1].isa.has("m") && m->harts[1].isa.has("sstc"));
    EXPECT_FALSE(m->harts[1].isa.has("zicsr"));
    EXPECT_TRUE(m->harts[1].usable);
    EXPECT_EQ(m->harts[1].plic_context, 3u);
    EXPECT_EQ(m->hart(1), &m->harts[1]);
    EXPECT_EQ(m->hart(2), nullptr);
}

TEST(HostFdt, ReadsDevicesAndChosen) {
    const Blob blob = compile_dts(kVirt);
    auto m = std::make_unique<HostMachine>();
    ASSERT_TRUE(read_host_fdt(blob.bytes(), *m));
    EXPECT_EQ(m->model, "riscv-virtio,qemu");
    EXPECT_EQ(m->bootargs, "vcpus=2 -- quiet");
    EXPECT_EQ(m->initrd, range(0x8400'0000, 0x100'0000));  // one cell and two
    EXPECT_EQ(m->rng_seed.size(), 3u);
    ASSERT_TRUE(m->console);
    EXPECT_EQ(m->console->kind, HostConsole::Kind::Ns16550);
    EXPECT_EQ(m->console->range, range(0x1000'0000, 0x100));
    EXPECT_EQ(m->console->irq, 10u);
    EXPECT_EQ(m->console->reg_shift, 0u);
    EXPECT_EQ(m->console->reg_io_width, 1u);
    ASSERT_TRUE(m->plic);
    EXPECT_EQ(m->plic->range, range(0xc00'0000, 0x60'0000));
    EXPECT_EQ(m->plic->sources, 96u);
    EXPECT_EQ(m->rtc, range(0x10'1000, 0x1000));
    EXPECT_EQ(m->test, range(0x10'0000, 0x1000));
}

TEST(HostFdt, ReadsBoardWithMonitorCoreAndTranslatingBus) {
    const auto m = read(kBoard);
    ASSERT_EQ(m->harts.size(), 4u);
    EXPECT_FALSE(m->harts[0].usable);  // no MMU
    EXPECT_TRUE(m->harts[1].usable);
    EXPECT_EQ(m->harts[1].id, 4u);
    EXPECT_TRUE(m->harts[1].isa.has("d") && m->harts[1].isa.has("zifencei"));
    EXPECT_EQ(m->harts[1].plic_context, 2u);
    EXPECT_EQ(m->harts[0].plic_context, std::nullopt);
    EXPECT_EQ(m->harts[2].id, 0x1'0000'0007u);
    EXPECT_FALSE(m->harts[2].usable);  // disabled
    EXPECT_FALSE(m->harts[3].usable);  // 32-bit
    EXPECT_EQ(m->timebase_hz, 1'000'000u);
    ASSERT_TRUE(m->console);
    EXPECT_EQ(m->console->kind, HostConsole::Kind::SifiveUart);
    EXPECT_EQ(m->console->range, range(0x1001'0000, 0x1000));
    EXPECT_EQ(m->console->irq, 4u);
    ASSERT_TRUE(m->plic);
    EXPECT_EQ(m->plic->range, range(0xc00'0000, 0x400'0000));
    EXPECT_EQ(m->test, std::nullopt);  // the bus does not pass its address on
    EXPECT_EQ(m->rtc, std::nullopt);
    EXPECT_EQ(m->initrd, std::nullopt);
}

TEST(HostFdt, ReadsSynopsysUart) {
    const auto m =
        read(replaced(replaced(kVirt, "\"ns16550a\"", "\"snps,dw-apb-uart\""), "clock-frequency = <3686400>;",
                      "reg-shift = <2>; reg-io-width = <4>; reg-offset = <0x20>;"));
    ASSERT_TRUE(m->console);
    EXPECT_EQ(m->console->range, range(0x1000'0020, 0xe0));
    EXPECT_EQ(m->console->reg_shift, 2u);
    EXPECT_EQ(m->console->reg_io_width, 4u);
}

TEST(HostFdt, ConsoleThatCannotBeDrivenIsNone) {
    EXPECT_FALSE(read(replaced(kVirt, "\"ns16550a\"", "\"acme,uart\""))->console);
    EXPECT_FALSE(read(replaced(kVirt, "uart:115200n8", "nowhere"))->console);
    EXPECT_FALSE(read(replaced(kVirt, "clock-frequency = <3686400>;", "reg-shift = <9>;"))->console);
    EXPECT_FALSE(read(replaced(kVirt, "clock-frequency = <3686400>;", "reg-io-width = <3>;"))->console);
    // Usable by polling when its interrupt leads elsewhere.
    const auto polled = read(replaced(kVirt, "interrupts = <10>; interrupt-parent = <&plic>;", "interrupts = <10>;"));
    ASSERT_TRUE(polled->console);
    EXPECT_EQ(polled->console->irq, 0u);
}

TEST(HostFdt, SaysWhatIsMissingOrMalformed) {
    EXPECT_EQ(error_with("device_type = \"memory\"; reg = <0 0x80000000 0 0x20000000", "reg = <0 0 0 0"),
              "device tree: no memory");
    EXPECT_EQ(error_with("reg = <0 0x80000000 0 0x20000000 1 0 0 0x1000 0 0 0 0>", "reg = <0xffffffff 0 2 0>"),
              "device tree: memory@80000000: reg wraps around");
    EXPECT_EQ(error_with("reg = <0 0x80000000 0 0x40000>; no-map", "reg = <5>"),
              "device tree: mmode_resv0@80000000: malformed reg");
    EXPECT_EQ(error_with("timebase-frequency = <10000000>;", ""), "device tree: no timebase-frequency");
    EXPECT_EQ(error_with("linux,initrd-end = <0 0x85000000>", "linux,initrd-end = <3>"),
              "device tree: malformed linux,initrd-start or -end");
    EXPECT_EQ(error_with("    cpus {", "    cpux {"), "device tree: no /cpus");
    std::string error;
    read(replaced(replaced(kVirt, "mmu-type = \"riscv,sv48\";", ""), "mmu-type = \"riscv,sv57\";", ""), &error);
    EXPECT_EQ(error, "device tree: no 64-bit hart with an MMU");
}

TEST(HostFdt, MoreReservationsThanFitAreAnError) {
    std::string nodes;
    for (int i = 0; i < 70; ++i) nodes += "r" + std::to_string(i) + " { reg = <0 0x90000000 0 0x1000>; };";
    EXPECT_EQ(error_with("pool { size = <0 0x100000>; };", nodes), "device tree: r62: more than 64 ranges");
}

TEST(HostFdt, MoreHartsThanFitAreLeftOut) {
    std::string nodes;
    for (int i = 2; i < 70; ++i) {
        nodes += "cpu@" + std::to_string(i) + " { device_type = \"cpu\"; reg = <" + std::to_string(i) + ">; };";
    }
    const auto m = read(replaced(kVirt, "cpu-map { };", nodes));
    EXPECT_EQ(m->harts.size(), kMaxHarts);
}

TEST(HostFdt, EveryTruncationIsAnError) {
    const std::string whole = compile_dts(kVirt).string();
    for (usize size = 0; size < whole.size(); ++size) {
        const Blob cut{whole.substr(0, size)};
        auto m = std::make_unique<HostMachine>();
        EXPECT_FALSE(read_host_fdt(cut.bytes(), *m)) << size;
    }
}

TEST(HostFdt, CorruptionStaysWithinBounds) {
    for (const std::string& dts : {kVirt, kBoard}) {
        const std::string whole = compile_dts(dts).string();
        std::minstd_rand random(1);
        for (int round = 0; round < 3000; ++round) {
            std::string bytes = whole;
            for (int flips = 0; flips < 1 + round % 8; ++flips) bytes[random() % bytes.size()] ^= 1 << random() % 8;
            const Blob blob{bytes};
            auto m = std::make_unique<HostMachine>();
            const LoadStatus status = read_host_fdt(blob.bytes(), *m);
            EXPECT_EQ(status.has_value(), error_of(status).empty());
        }
    }
}

// A length that leads back to the property itself: libfdt's own check of versions before 1.7 never ends on it.
TEST(HostFdt, PropertyLengthThatWrapsAroundIsAnError) {
    std::string bytes = compile_dts("/ { a = <1>; };").string();
    const auto at = bytes.find(std::string("\0\0\0\3\0\0\0\4", 8));
    ASSERT_NE(at, std::string::npos);
    bytes.replace(at + 4, 4, "\xff\xff\xff\xf4");
    HostMachine m;
    EXPECT_EQ(error_of(read_host_fdt(Blob(bytes).bytes(), m)), "device tree: corrupt: FDT_ERR_BADSTRUCTURE");
}

TEST(HostFdt, RejectsWhatIsNoTree) {
    HostMachine m;
    EXPECT_EQ(error_of(read_host_fdt({}, m)), "device tree: only 0 bytes");
    EXPECT_EQ(error_of(read_host_fdt(Blob(std::string(100, 'x')).bytes(), m)),
              "device tree: not a flattened device tree");
    const Blob blob = compile_dts(kVirt);
    EXPECT_EQ(error_of(read_host_fdt(blob.bytes().subspan(4), m)), "device tree: not 8-byte aligned");
}

}  // namespace
}  // namespace uc
