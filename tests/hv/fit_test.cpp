// SPDX-License-Identifier: MIT
#include "hv/fit.hpp"

#include <memory>
#include <random>

#include "tests/hv/dts.hpp"

namespace uc {
namespace {

const std::string kTwoGuests = R"(
/ {
    description = "two guests"; timestamp = <1>; #address-cells = <1>;
    images {
        linux {
            description = "a kernel"; type = "kernel"; arch = "riscv"; os = "linux"; compression = "none";
            data = [61 62 63]; load = <0x80200000>; entry = <0 0x80200002>;
            hash-1 { algo = "crc32"; value = <0x352441c2>; };
            hash-2 {
                algo = "sha256";
                value = <0xba7816bf 0x8f01cfea 0x414140de 0x5dae2223 0xb00361a3 0x96177a9c 0xb410ff61 0xf20015ad>;
            };
        };
        disk { type = "ramdisk"; data = "disk"; };
        tree { type = "flat_dt"; data = "tree"; };
    };
    configurations {
        default = "b"; description = "all of them are started";
        b {
            description = "the first"; kernel = "linux"; ramdisk = "disk"; fdt = "tree"; bootargs = "quiet splash";
            undercroft,memory = <1 0>; undercroft,vcpus = <4>; undercroft,harts = <3 1>; undercroft,stopped;
            undercroft,restart = <2>; undercroft,manager;
        };
        a { kernel = "linux"; };
    };
};
)";

struct Result {
    std::unique_ptr<Blob> blob;
    MachineConfig config;
    std::string error;
};

Result read(Blob blob) {
    Result result{std::make_unique<Blob>(std::move(blob)), {}, {}};
    const auto root = open_fdt(result.blob->bytes(), "image tree");
    result.error = error_of(root);
    if (root) result.error = error_of(read_fit(*root, result.config));
    return result;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
    const auto at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

/// The error when `from` in the tree above is replaced.
std::string error_with(const std::string& from, const std::string& to) {
    return read(compile_dts(replaced(kTwoGuests, from, to))).error;
}

std::string text_of(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

TEST(Fit, ReadsEveryGuestInOrder) {
    const Result result = read(compile_dts(kTwoGuests));
    ASSERT_EQ(result.error, "");
    ASSERT_EQ(result.config.guests.size(), 2u);
    const GuestConfig& b = result.config.guests[0];
    EXPECT_EQ(b.name, "b");
    EXPECT_EQ(text_of(b.kernel.data), "abc");
    EXPECT_EQ(b.kernel.load, Gpa{0x8020'0000});
    EXPECT_EQ(b.kernel.entry, Gpa{0x8020'0002});
    EXPECT_EQ(text_of(b.ramdisk.data), std::string("disk\0", 5));
    EXPECT_EQ(text_of(b.fdt.data), std::string("tree\0", 5));
    EXPECT_EQ(b.bootargs, "quiet splash");
    EXPECT_EQ(b.memory, 4 * kGiB);
    EXPECT_EQ(b.vcpus, 4u);
    ASSERT_EQ(b.harts.size(), 2u);
    EXPECT_EQ(b.harts[0], 3u);
    EXPECT_EQ(b.harts[1], 1u);
    EXPECT_TRUE(b.stopped);
    EXPECT_EQ(b.restarts, 2u);
    EXPECT_TRUE(b.manager);
    const GuestConfig& a = result.config.guests[1];
    EXPECT_EQ(a.name, "a");
    EXPECT_EQ(a.memory, kDefaultGuestMemory);
    EXPECT_EQ(a.vcpus, 1u);
    EXPECT_TRUE(a.harts.empty() && a.ramdisk.data.empty() && a.fdt.data.empty() && a.bootargs.empty());
    EXPECT_FALSE(a.stopped);
    EXPECT_EQ(a.restarts, 0u);
    EXPECT_FALSE(a.manager);
}

TEST(Fit, GuestPropertiesAreChecked) {
    EXPECT_EQ(error_with("undercroft,vcpus = <4>", "undercroft,vcpu = <4>"), "guest b: undercroft,vcpu: unknown");
    EXPECT_EQ(error_with("undercroft,vcpus = <4>", "undercroft,vcpus = <0>"),
              "guest b: undercroft,vcpus: 0 is not 1 to 32");
    EXPECT_EQ(error_with("undercroft,vcpus = <4>", "undercroft,vcpus = <33>"),
              "guest b: undercroft,vcpus: 33 is not 1 to 32");
    EXPECT_EQ(error_with("undercroft,vcpus = <4>", "undercroft,vcpus = \"4\""),
              "guest b: undercroft,vcpus: not one cell");
    EXPECT_EQ(error_with("undercroft,memory = <1 0>", "undercroft,memory = \"512M\""),
              "guest b: undercroft,memory: not one or two cells");
    EXPECT_EQ(error_with("undercroft,memory = <1 0>", "undercroft,memory = <0x300000>"),
              "guest b: undercroft,memory: 0x300000: not a multiple of 2 MiB");
    EXPECT_EQ(error_with("undercroft,memory = <1 0>", "undercroft,memory = <0>"),
              "guest b: undercroft,memory: 0x0: no memory at all");
    EXPECT_EQ(error_with("undercroft,memory = <1 0>", "undercroft,memory = <0xffffffff 0>"),
              "guest b: undercroft,memory: 0xffffffff00000000: more than can be addressed");
    EXPECT_EQ(error_with("undercroft,harts = <3 1>", "undercroft,harts = <3 3>"),
              "guest b: undercroft,harts: hart 3 is there twice");
    EXPECT_EQ(error_with("undercroft,harts = <3 1>", "undercroft,harts"),
              "guest b: undercroft,harts: not a list of cells");
    EXPECT_EQ(error_with("undercroft,stopped", "undercroft,restart = <1 2>"),
              "guest b: undercroft,restart: not one cell");
    EXPECT_EQ(error_with("undercroft,stopped", "undercroft,stopped = <1>"),
              "guest b: undercroft,stopped: takes no value");
    EXPECT_EQ(error_with("bootargs = \"quiet splash\"", "bootargs = <7>"), "guest b: bootargs: not one string");
    EXPECT_EQ(error_with("bootargs = \"quiet splash\"", "bootargs = \"a\", \"b\""),
              "guest b: bootargs: not one string");
    EXPECT_EQ(error_with("a { kernel = \"linux\"; };", "a { };"), "guest a: kernel: missing");
    EXPECT_EQ(error_with("a { kernel = \"linux\"; };", "a { kernel = \"linux\"; hash-1 { }; };"),
              "guest a: hash-1: unknown node");
    EXPECT_EQ(error_with("a { kernel = \"linux\"; };", "a123456789012345678901234567890x { kernel = \"linux\"; };"),
              "guest a123456789012345678901234567890x: a name has 1 to 31 characters");
}

TEST(Fit, ImageReferencesAreChecked) {
    EXPECT_EQ(error_with("ramdisk = \"disk\"", "ramdisk = \"dusk\""), "guest b: ramdisk: there is no image dusk");
    EXPECT_EQ(error_with("ramdisk = \"disk\"", "ramdisk = \"linux\""),
              "guest b: ramdisk: image linux is not of type ramdisk");
    EXPECT_EQ(error_with("fdt = \"tree\"", "fdt = \"tree\", \"overlay\""), "guest b: fdt: not one string");
}

TEST(Fit, ImagesAreChecked) {
    EXPECT_EQ(error_with("compression = \"none\"", "compression = \"gzip\""),
              "guest b: image linux: compression: not none");
    EXPECT_EQ(error_with("arch = \"riscv\"", "arch = \"arm64\""), "guest b: image linux: arch: not riscv");
    EXPECT_EQ(error_with("type = \"kernel\"", "type = \"script\""),
              "guest b: image linux: type: not kernel, ramdisk or flat_dt");
    EXPECT_EQ(error_with("type = \"kernel\";", ""), "guest b: image linux: type: missing");
    EXPECT_EQ(error_with("data = \"disk\";", ""), "guest b: image disk: data: missing");
    EXPECT_EQ(error_with("data = \"disk\";", "data;"), "guest b: image disk: data: empty");
    EXPECT_EQ(error_with("load = <0x80200000>", "load = <1 2 3>"), "guest b: image linux: load: not one or two cells");
    EXPECT_EQ(error_with("entry = <0 0x80200002>", "entry"), "guest b: image linux: entry: not one or two cells");
    EXPECT_EQ(error_with("data = \"disk\";", "data-offset = <4>;"), "guest b: image disk: data-offset: unknown");
    EXPECT_EQ(error_with("hash-1 {", "signature-1 {"), "guest b: image linux: signature-1: unknown node");
    // An image that no guest uses has nobody to be named.
    EXPECT_EQ(error_with("disk {", "spare { type = \"kernel\"; }; disk {"), "image spare: data: missing");
}

TEST(Fit, HashesAreVerified) {
    EXPECT_EQ(error_with("data = [61 62 63]", "data = [61 62 64]"),
              "guest b: image linux: hash-1: value: crc32 is 0xab40d461, not 0x352441c2");
    EXPECT_EQ(error_with("0xf20015ad", "0xf20015ae"), "guest b: image linux: hash-2: value: sha256 does not match");
    EXPECT_EQ(error_with(" 0xf20015ad", ""), "guest b: image linux: hash-2: value: not 32 bytes, as sha256 has");
    EXPECT_EQ(error_with("value = <0x352441c2>", "value = <1 2>"),
              "guest b: image linux: hash-1: value: not 4 bytes, as crc32 has");
    EXPECT_EQ(error_with("algo = \"crc32\"", "algo = \"md5\""),
              "guest b: image linux: hash-1: algo: md5 is not crc32 or sha256");
    EXPECT_EQ(error_with("algo = \"crc32\";", ""),
              "guest b: image linux: hash-1: algo or value is missing or malformed");
    EXPECT_EQ(error_with("algo = \"crc32\";", "algo = \"crc32\"; salt = <1>;"),
              "guest b: image linux: hash-1: salt: unknown");
}

TEST(Fit, TheTreeAroundIsChecked) {
    EXPECT_EQ(error_with("timestamp = <1>", "undercroft,x = <1>"), "image tree: undercroft,x: unknown");
    EXPECT_EQ(error_with("    images {", "    extra { }; images {"), "image tree: extra: unknown node");
    EXPECT_EQ(error_with("    images {", "    images { x = <1>;"), "images: x: unknown");
    EXPECT_EQ(error_with("default = \"b\"", "undercroft,all"), "configurations: undercroft,all: unknown");
    EXPECT_EQ(error_with("    images {", "    imagez {"), "device tree without /images: not an image tree");
    EXPECT_EQ(error_with("    configurations {", "    config {"), "image tree: no /configurations");
    EXPECT_EQ(read(compile_dts("/ { images { }; configurations { }; };")).error,
              "image tree: /configurations has no guest");
}

TEST(Fit, MoreGuestsThanFitAreAnError) {
    std::string guests;
    for (int i = 0; i < 15; ++i) guests += "g" + std::to_string(i) + " { kernel = \"linux\"; };";
    EXPECT_EQ(error_with("a { kernel = \"linux\"; };", guests), "");
    EXPECT_EQ(error_with("a { kernel = \"linux\"; };", guests + "last { kernel = \"linux\"; };"),
              "guest last: more than 16 guests");
}

// dtc merges nodes of one name; a file can have them all the same.
TEST(Fit, TwoOfOneNameAreAnError) {
    std::string bytes = compile_dts(replaced(kTwoGuests, "        a {", "        c {")).string();
    const auto at = bytes.find(std::string("\0\0\0\1c\0\0\0", 8));
    ASSERT_NE(at, std::string::npos);
    bytes[at + 4] = 'b';
    EXPECT_EQ(read(Blob(bytes)).error, "guest b: there are two of this name");
}

TEST(Fit, EveryTruncationIsAnError) {
    const std::string whole = compile_dts(kTwoGuests).string();
    for (usize size = 0; size < whole.size(); ++size) EXPECT_NE(read(Blob(whole.substr(0, size))).error, "") << size;
}

TEST(Fit, CorruptionStaysWithinBounds) {
    const std::string whole = compile_dts(kTwoGuests).string();
    std::minstd_rand random(1);
    int accepted = 0;
    for (int round = 0; round < 5000; ++round) {
        std::string bytes = whole;
        for (int flips = 0; flips < 1 + round % 8; ++flips) bytes[random() % bytes.size()] ^= 1 << random() % 8;
        if (read(Blob(bytes)).error.empty()) ++accepted;
    }
    EXPECT_LT(accepted, 2500);
}

}  // namespace
}  // namespace uc
