// SPDX-License-Identifier: MIT
#pragma once
// The SBI's binary interface (SBI 2.0; FWFT and its error are 3.0's): extension ids, function ids, errors, constants.

#include "isa/types.hpp"

namespace uc::sbi {

enum class Ext : u64 {
    LegacySetTimer = 0,
    LegacyPutchar = 1,
    LegacyGetchar = 2,
    LegacyClearIpi = 3,
    LegacySendIpi = 4,
    LegacyRemoteFenceI = 5,
    LegacyRemoteSfenceVma = 6,
    LegacyRemoteSfenceVmaAsid = 7,
    LegacyShutdown = 8,
    Base = 0x10,
    Time = 0x54494D45,
    Ipi = 0x735049,
    Rfence = 0x52464E43,
    Hsm = 0x48534D,
    Srst = 0x53525354,
    Pmu = 0x504D55,
    Dbcn = 0x4442434E,
    Susp = 0x53555350,
    Sta = 0x535441,
    Fwft = 0x46574654,
    FirmwareBase = 0x0A000000,
};

enum class Error : i64 {
    Success = 0,
    Failed = -1,
    NotSupported = -2,
    InvalidParam = -3,
    Denied = -4,
    InvalidAddress = -5,
    AlreadyAvailable = -6,
    AlreadyStarted = -7,
    AlreadyStopped = -8,
    NoShmem = -9,
    InvalidState = -10,
    BadRange = -11,
    Timeout = -12,
    Io = -13,
    DeniedLocked = -14,
};

/// What a call returns in a0 and a1.
struct Ret {
    Error error = Error::Success;
    u64 value = 0;
    friend constexpr bool operator==(const Ret&, const Ret&) = default;
};

namespace base {
enum Fid : u64 { SpecVersion, ImplId, ImplVersion, ProbeExtension, Mvendorid, Marchid, Mimpid };
}
namespace hsm {
enum Fid : u64 { Start, Stop, Status, Suspend };
enum State : u64 { Started, Stopped, StartPending, StopPending, Suspended, SuspendPending, ResumePending };
inline constexpr u32 kSuspendRetentive = 0x00000000;
inline constexpr u32 kSuspendNonRetentive = 0x80000000;
}  // namespace hsm
namespace rfence {
enum Fid : u64 { FenceI, SfenceVma, SfenceVmaAsid, HfenceGvmaVmid, HfenceGvma, HfenceVvmaAsid, HfenceVvma };
}
namespace dbcn {
enum Fid : u64 { Write, Read, WriteByte };
}
namespace srst {
enum Fid : u64 { Reset };
enum Type : u32 { Shutdown, ColdReboot, WarmReboot };
enum Reason : u32 { None, SystemFailure };
}  // namespace srst
namespace susp {
enum Fid : u64 { SystemSuspend };
inline constexpr u32 kSuspendToRam = 0;
}  // namespace susp
namespace sta {
enum Fid : u64 { SetShmem };
/// What a guest and its SBI share; written as it stands.
struct Record {
    u32 sequence = 0;  ///< odd while `steal` is being written
    u32 flags = 0;
    u64 steal = 0;     ///< ns
    u8 preempted = 0;  ///< the vCPU is ready, but does not run
    u8 pad[47] = {};
};
static_assert(sizeof(Record) == 64);
}  // namespace sta
namespace fwft {
enum Fid : u64 { Set, Get };
enum Feature : u32 {
    MisalignedExcDeleg,
    LandingPad,
    ShadowStack,
    DoubleTrap,
    PteAdHwUpdating,
    PointerMaskingPmlen,
};
inline constexpr u64 kLock = 1;  ///< flag of Set
}  // namespace fwft
namespace pmu {
enum Fid : u64 {
    NumCounters,
    CounterGetInfo,
    CounterConfigMatching,
    CounterStart,
    CounterStop,
    CounterFwRead,
    CounterFwReadHi,
    SnapshotSetShmem,
    EventGetInfo,
};
/// event_idx: type in bits 19:16, code in 15:0.
enum Type : u64 { Hardware = 0, Cache = 1, Raw = 2, RawV2 = 3, Firmware = 15 };
enum HardwareEvent : u64 { NoEvent, CpuCycles, Instructions };
enum FirmwareEvent : u64 {
    MisalignedLoad,
    MisalignedStore,
    AccessLoad,
    AccessStore,
    IllegalInsn,
    SetTimer,
    IpiSent,
    IpiReceived,
    FenceISent,
    FenceIReceived,
    SfenceVmaSent,
    SfenceVmaReceived,
    SfenceVmaAsidSent,
    SfenceVmaAsidReceived,
    FirmwareEvents,  ///< those above; the rest is about hypervisors, or the machine's own
};
[[nodiscard]] constexpr u64 event_idx(Type type, u64 code) { return static_cast<u64>(type) << 16 | code; }
// Flags of CounterConfigMatching; bits 7:3 are hints whom not to count.
inline constexpr u64 kSkipMatch = 1, kClearValue = 2, kAutoStart = 4, kConfigFlags = 0xff;
inline constexpr u64 kSetInitialValue = 1, kInitSnapshot = 2, kStartFlags = 3;
inline constexpr u64 kReset = 1, kTakeSnapshot = 2, kStopFlags = 3;
// What CounterGetInfo tells: the CSR in bits 11:0, one less than its bits in 17:12, and whether it is firmware's.
inline constexpr u64 kInfoWidth64 = 63ull << 12, kInfoFirmware = 1ull << 63;
}  // namespace pmu
namespace time {
enum Fid : u64 { SetTimer };
}
namespace ipi {
enum Fid : u64 { SendIpi };
}

/// A hart mask whose base is this names every hart (SBI 2.0, 3.1).
inline constexpr u64 kAllHarts = ~0ull;

}  // namespace uc::sbi
