// SPDX-License-Identifier: MIT
// Page tables made of the input: the walker against its oracle, and the shadow MMU against the walker.
#include "mm/guest_walk.hpp"
#include "mm/shadow.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/ref/ref_walk.hpp"

#include <vector>

namespace {

using namespace uc;
using fuzz::require;

constexpr Gpa kBase{0x8000'0000};
constexpr u64 kFrames = 8;
constexpr u32 kPages = 16;
constexpr u32 kCopies = 3;

/// A supervisor executes at `pc`, which is `gpa`: whatever is replaced, what stands there is what it has.
void try_code(Shadow& shadow, GuestRam& ram, Gva pc, Gpa gpa) {
    if (pc.raw & 1) return;
    const auto word = ram.load<u32>(gpa);
    if (word && *word != 0) static_cast<void>(shadow.replace(0, pc, *word));
    const u32 original = shadow.original(0, pc);
    require(original == kEcall || original == word);
    TlbFlush flush;
    if (shadow.undo_replacement(0, pc, 0, flush)) {
        require(!shadow.known_original(0, pc) && shadow.original(0, pc) == kEcall);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    std::vector<u64> memory(kFrames * kPtesPerTable);
    std::vector<u64> pool_memory(kPages * kPtesPerTable);
    std::vector<u64> code(kCopies * kPtesPerTable);
    GuestRam ram(kBase, Hpa{0x1'0000'0000}, std::as_writable_bytes(std::span{memory}));
    FramePool pool(std::as_writable_bytes(std::span{pool_memory}), Hpa{0x9'0000'0000});

    const u8 flags = input.take<u8>();
    const ShadowOptions options{.window = {.host_mode = SatpMode::Sv57},
                                .update_ad = (flags & 1) != 0,
                                .svpbmt = (flags & 2) != 0,
                                .svnapot = (flags & 4) != 0,
                                .code = std::as_writable_bytes(std::span{code}),
                                .code_base = Hpa{0x5'0000'0000}};
    std::vector<u64> metadata(Shadow::metadata_size(ram.size(), kPages, 1, kCopies) / sizeof(u64) + 1);
    Shadow shadow(ram, pool, options, std::as_writable_bytes(std::span{metadata}));
    const u64 mode = std::array<u64, 4>{0, 8, 9, 10}[flags >> 6];

    while (!input.empty()) {
        // A store to a table (told as a device's would be), then an access and perhaps a fence.
        const u8 what = input.take<u8>();
        const Gpa at = kBase + (input.take<u16>() % memory.size()) * sizeof(u64);
        u64 entry = input.take<u64>();
        if (what & 1) entry = ((kBase.frame() + entry % kFrames) << Pte::PPN.lsb) | (entry >> 56);
        require(ram.store(at, entry));
        static_cast<void>(shadow.memory_written(at, sizeof(u64)));

        const Gva gva{sign_extend(input.take<u64>(), what & 2 ? 39 : 64)};
        const auto access = static_cast<Access>(what >> 6 & 1 ? 0 : 1 + (what >> 7));
        Shadow::View view{
            .satp = {}, .priv = what & 4 ? Priv::U : Priv::S, .sum = (what & 8) != 0, .mxr = (what & 16) != 0};
        if (mode != 0) view.satp.set(Satp::MODE, mode).set(Satp::PPN, kBase.frame());

        const auto read = [&](u64 pa) { return ram.load_pte(Gpa{pa}); };
        const auto kind = access == Access::Fetch  ? ref::What::Fetch
                          : access == Access::Load ? ref::What::Load
                                                   : ref::What::Store;
        const ref::Result expected =
            ref::translate(read, view.satp.raw, view.priv == Priv::U, view.sum, view.mxr, gva.raw, kind,
                           {.svadu = options.update_ad, .svpbmt = options.svpbmt, .svnapot = options.svnapot});

        static_cast<void>(shadow.activate(0, view));
        const auto result = shadow.handle_fault(0, view, gva, access);
        using Kind = Shadow::FaultResult::Kind;
        switch (expected.kind) {
            case ref::Result::PageFault:
                require(result.kind == Kind::Inject && result.cause == page_fault(access));
                break;
            case ref::Result::AccessFault:
                require(result.kind == Kind::Inject && result.cause == access_fault(access));
                break;
            case ref::Result::Ok:
                require(result.kind == (ram.contains(Gpa{expected.pa}, 1) ? Kind::Retry : Kind::Device));
                require(result.gpa.raw == expected.pa);
                if (result.kind == Kind::Retry) require(shadow.lookup(view, gva).has_value());
                break;
        }
        if (result.kind == Kind::Retry && access == Access::Fetch && view.priv == Priv::S)
            try_code(shadow, ram, gva, result.gpa);
        if (what & 32) static_cast<void>(shadow.fence(what & 2 ? std::optional{gva} : std::nullopt, std::nullopt));
        require(shadow.check_invariants());
    }
    return 0;
}
