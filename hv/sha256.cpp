// SPDX-License-Identifier: MIT
#include "hv/sha256.hpp"

#include <algorithm>
#include <bit>

namespace uc {

namespace {

constexpr usize kBlockSize = 64;

/// FIPS 180-4, 4.2.2: fractional parts of the cube roots of the first 64 primes.
constexpr std::array<u32, 64> kRound = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

using State = std::array<u32, 8>;
/// 5.3.3: the same of the square roots of the first eight.
constexpr State kInitial = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                            0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

u32 word_at(const std::byte* bytes) {
    return static_cast<u32>(bytes[0]) << 24 | static_cast<u32>(bytes[1]) << 16 | static_cast<u32>(bytes[2]) << 8 |
           static_cast<u32>(bytes[3]);
}

/// 6.2.2, for one block.
void compress(State& state, const std::byte* block) {
    std::array<u32, 64> w;
    for (usize t = 0; t < 16; ++t) w[t] = word_at(block + 4 * t);
    for (usize t = 16; t < 64; ++t) {
        const u32 s0 = std::rotr(w[t - 15], 7) ^ std::rotr(w[t - 15], 18) ^ w[t - 15] >> 3;
        const u32 s1 = std::rotr(w[t - 2], 17) ^ std::rotr(w[t - 2], 19) ^ w[t - 2] >> 10;
        w[t] = s1 + w[t - 7] + s0 + w[t - 16];
    }
    auto [a, b, c, d, e, f, g, h] = state;
    for (usize t = 0; t < 64; ++t) {
        const u32 sum1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
        const u32 t1 = h + sum1 + ((e & f) ^ (~e & g)) + kRound[t] + w[t];
        const u32 sum0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
        const u32 t2 = sum0 + ((a & b) ^ (a & c) ^ (b & c));
        h = g;
        g = f;
        f = e;
        e = d + t1;
        d = c;
        c = b;
        b = a;
        a = t1 + t2;
    }
    const State mixed = {a, b, c, d, e, f, g, h};
    for (usize i = 0; i < state.size(); ++i) state[i] += mixed[i];
}

}  // namespace

std::array<std::byte, 32> sha256(std::span<const std::byte> message) {
    State state = kInitial;
    std::span<const std::byte> rest = message;
    for (; rest.size() >= kBlockSize; rest = rest.subspan(kBlockSize)) compress(state, rest.data());

    // 5.1.1: a one bit, zeros, and the length in bits fill up the last one or two blocks.
    std::array<std::byte, 2 * kBlockSize> tail{};
    std::copy(rest.begin(), rest.end(), tail.begin());
    tail[rest.size()] = std::byte{0x80};
    const usize tail_size = rest.size() + 9 <= kBlockSize ? kBlockSize : 2 * kBlockSize;
    const u64 bits = static_cast<u64>(message.size()) * 8;
    for (usize i = 0; i < 8; ++i) tail[tail_size - 1 - i] = static_cast<std::byte>(bits >> 8 * i);
    for (usize at = 0; at < tail_size; at += kBlockSize) compress(state, tail.data() + at);

    std::array<std::byte, 32> digest;
    for (usize i = 0; i < digest.size(); ++i) digest[i] = static_cast<std::byte>(state[i / 4] >> (24 - 8 * (i % 4)));
    return digest;
}

}  // namespace uc
