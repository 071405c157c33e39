// SPDX-License-Identifier: MIT
#include "emul/sbi_server.hpp"

#include "tests/emul/fake_sbi_backend.hpp"
#include "tests/fuzz/input.hpp"

namespace {

using namespace uc;
using fuzz::require;

/// Mostly values that mean something to some call.
u64 any_value(fuzz::Input& input) {
    constexpr u64 kKnown[] = {
        0,           1,          2,        3,          4,        5,           8,           64,
        0x10,        0x54494D45, 0x735049, 0x52464E43, 0x48534D, 0x53525354,  0x4442434E,  sbi::undercroft::kExt,
        0x504D55,    0x53555350, 0x535441, 0x46574654, 0xf0005,  0x8000'0040, 0x8000'0000, 0x8000'fffe,
        0x8001'0000, 1ull << 63, ~0ull};
    const u8 choice = input.take<u8>();
    if (choice >= 0xc0) return input.take<u64>();
    return kKnown[choice % std::size(kKnown)];
}

}  // namespace

// Calls with any arguments: the backend traps on what does not exist; here, that the answer has the form it must have.
extern "C" int LLVMFuzzerTestOneInput(const u8* data, usize size) {
    fuzz::Input input(data, size);
    test::FakeSbiBackend backend;
    GuestHart hart;
    while (!input.empty()) {
        for (unsigned n = 10; n < 18; ++n) hart.set_x(n, any_value(input));
        backend.output_room = input.take<u8>();
        backend.input.assign(input.take<u8>(), 'x');
        backend.mask_word = input.take<u64>();
        if (input.take<u8>() >= 0xe0)
            backend.mask_word = std::unexpected(Exception{Cause::LoadPageFault, hart.get_x(10)});
        backend.events.clear();
        backend.output.clear();

        const GuestHart before = hart;
        const Outcome outcome = sbi_call(hart, 0, backend);
        const i64 error = static_cast<i64>(hart.get_x(10));
        const bool legacy = before.get_x(17) <= 8;
        if (outcome.kind != Outcome::Kind::Jump) {  // all but a resumed hart keep all but a0, a1, SSIP and counters
            GuestHart others = hart;
            others.x[10] = before.x[10];
            others.x[11] = before.x[11];
            others.sip = before.sip;
            if (before.get_x(17) == static_cast<u64>(sbi::Ext::Pmu)) others.counters = before.counters;
            require(others == before);
        }
        switch (outcome.kind) {
            case Outcome::Kind::Advance:
                require(outcome == Outcome::advance(4));
                require(!legacy || hart.get_x(11) == before.get_x(11));
                require(legacy || (error <= 0 && error >= -14));
                require(legacy || error == 0 || (backend.events.empty() && backend.output.empty()));
                break;
            case Outcome::Kind::Retry: require(hart == before && backend.output_room == 0); break;
            case Outcome::Kind::Inject: require(legacy && hart == before && backend.events.empty()); break;
            case Outcome::Kind::Leave: require(hart == before && backend.events.size() == 1); break;
            case Outcome::Kind::Jump: require(hart.satp.raw == 0 && outcome.value == before.get_x(11)); break;
        }
    }
    return 0;
}
