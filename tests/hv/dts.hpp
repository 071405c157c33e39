// SPDX-License-Identifier: MIT
#pragma once
// Device trees for tests, written as source and compiled by dtc.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "hv/fdt_view.hpp"

namespace uc {

/// Bytes at an 8-byte aligned address, in an allocation of exactly their size, so that AddressSanitizer sees a step
/// beyond.
class Blob {
  public:
    explicit Blob(const std::string& bytes) : memory_(bytes.begin(), bytes.end()) {}
    [[nodiscard]] Bytes bytes() const { return std::as_bytes(std::span{memory_}); }
    [[nodiscard]] std::string string() const { return {memory_.begin(), memory_.end()}; }

  private:
    std::vector<char> memory_;
};

/// The flattened tree of `body`, which is what stands in the root node of a dts file.
inline Blob compile_dts(const std::string& body) {
    const std::string stem = testing::TempDir() + "undercroft_" + std::to_string(getpid());
    std::ofstream(stem + ".dts") << "/dts-v1/;\n" << body;
    const std::string command = "dtc -q -f -I dts -O dtb -o " + stem + ".dtb " + stem + ".dts";
    EXPECT_EQ(std::system(command.c_str()), 0) << body;
    std::ifstream file(stem + ".dtb", std::ios::binary);
    Blob blob{std::string(std::istreambuf_iterator<char>(file), {})};
    std::remove((stem + ".dts").c_str());
    std::remove((stem + ".dtb").c_str());
    return blob;
}

/// Error text of a status or expected; empty when there is none.
template <class Expected>
std::string error_of(const Expected& result) {
    return result ? std::string() : std::string(result.error().text.view());
}

}  // namespace uc
