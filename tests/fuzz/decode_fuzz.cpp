// SPDX-License-Identifier: MIT
#include "emul/decode.hpp"

#include "tests/fuzz/input.hpp"

// Whatever the word, what comes back must make sense to those who act on it.
extern "C" int LLVMFuzzerTestOneInput(const uc::u8* data, uc::usize size) {
    using namespace uc;
    fuzz::Input input(data, size);
    while (!input.empty()) {
        const u32 insn = input.take<u32>();
        const auto decoded = decode_memory(insn);
        if (!decoded) continue;
        fuzz::require(decoded->width == 1 || decoded->width == 2 || decoded->width == 4 || decoded->width == 8);
        fuzz::require(decoded->length == ((insn & 3) == 3 ? 4 : 2));
        fuzz::require(decoded->reg < 32 && decoded->access != Access::Fetch);
        fuzz::require(!decoded->sign_extend || (decoded->access == Access::Load && decoded->width < 8 && !decoded->fp));
        fuzz::require(!decoded->amo || (decoded->width >= 4 && !decoded->fp));
    }
    return 0;
}
