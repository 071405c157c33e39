// SPDX-License-Identifier: MIT
#pragma once
// The SBI's binary interface (SBI 2.0): extension ids, function ids, errors, constants.

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
namespace time {
enum Fid : u64 { SetTimer };
}
namespace ipi {
enum Fid : u64 { SendIpi };
}

/// A hart mask whose base is this names every hart (SBI 2.0, 3.1).
inline constexpr u64 kAllHarts = ~0ull;

}  // namespace uc::sbi
