// SPDX-License-Identifier: MIT
#include "hv/arch/plic_context.hpp"

namespace uc::arch {

void PlicContext::init(Hva base, unsigned context, unsigned sources) {
    base_ = base;
    context_ = context;
    for (unsigned word = 0; word <= sources / 32; ++word) enable_word(32 * word) = 0;
    reg(context_base()) = 0;  // threshold: let every priority through
}

void PlicContext::enable(unsigned source) {
    reg(4ull * source) = 1;  // priority
    volatile u32& word = enable_word(source);
    word = word | 1u << source % 32;
}

unsigned PlicContext::claim() { return reg(context_base() + 4); }
void PlicContext::complete(unsigned source) { reg(context_base() + 4) = source; }

}  // namespace uc::arch
