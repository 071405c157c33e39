// SPDX-License-Identifier: MIT
// A QEMU TCG plugin that counts, on a machine of one hart, every instruction executed from the start of a Linux kernel
// to the end of QEMU, by the part of the system it belongs to, and separately between the marks that bench/lat.c makes.
//
//   -plugin plugin.so,out=FILE,entry=ADDRESS,head=HEX
//
// ADDRESS is the kernel's entry and HEX the first eight bytes there. At the end FILE has one line `NAME COUNTER...` for
// `total` and for each operation (`op0`...), in the order of `enum counter`, and `starts` tells how often the kernel
// started.
//
// The part is told from the program counter alone, so that the same rule serves the bare machine, where the kernel runs
// in S-mode, and the guest, where it runs in U-mode at the same virtual addresses.

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The part of QEMU's plugin interface used here, which Debian does not package. PLUGIN_API is the version of the
// interface to build for: 1 for QEMU before 9, 3 for QEMU from 9.1 (qemu-plugin.h; "TCG Plugins" in QEMU's manual).
typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, struct qemu_plugin_tb*));
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, void*), void*);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn*, void (*)(unsigned, void*),
                                            enum qemu_plugin_cb_flags, void*);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb*);
struct qemu_plugin_insn* qemu_plugin_tb_get_insn(const struct qemu_plugin_tb*, size_t);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn*);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn*);

#define EXPORT __attribute__((visibility("default")))
EXPORT int qemu_plugin_version = PLUGIN_API;

enum counter {
    kFirmware,    // instructions in M-mode
    kHypervisor,  // instructions in the hypervisor's window
    kKernel,
    kUser,
    kMret,  // returns from M-mode: how often firmware was entered
    kSret,  // returns from the hypervisor: how often the guest exited
    kCounters
};

#if PLUGIN_API < 3
const void* qemu_plugin_insn_data(const struct qemu_plugin_insn*);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn*, enum qemu_plugin_op, void*, uint64_t);

static uint64_t counters[kCounters];

static uint64_t counter_value(enum counter which) { return counters[which]; }
static void count(struct qemu_plugin_insn* insn, enum counter which) {
    qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64, &counters[which], 1);
}
static void read_bytes(const struct qemu_plugin_insn* insn, void* out, size_t size) {
    memcpy(out, qemu_plugin_insn_data(insn), size);
}
static void make_counters(void) {}
#else
struct qemu_plugin_scoreboard;
typedef struct {
    struct qemu_plugin_scoreboard* score;
    size_t offset;
} qemu_plugin_u64;
struct qemu_plugin_scoreboard* qemu_plugin_scoreboard_new(size_t);
uint64_t qemu_plugin_u64_get(qemu_plugin_u64, unsigned);
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn*, void*, size_t);
void qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(struct qemu_plugin_insn*, enum qemu_plugin_op, qemu_plugin_u64,
                                                         uint64_t);

static struct qemu_plugin_scoreboard* counters;

static qemu_plugin_u64 counter(enum counter which) { return (qemu_plugin_u64){counters, which * sizeof(uint64_t)}; }
static uint64_t counter_value(enum counter which) { return qemu_plugin_u64_get(counter(which), 0); }
static void count(struct qemu_plugin_insn* insn, enum counter which) {
    qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(insn, QEMU_PLUGIN_INLINE_ADD_U64, counter(which), 1);
}
static void read_bytes(const struct qemu_plugin_insn* insn, void* out, size_t size) {
    qemu_plugin_insn_data(insn, out, size);
}
static void make_counters(void) { counters = qemu_plugin_scoreboard_new(kCounters * sizeof(uint64_t)); }
#endif

enum { kMaxOps = 32, kHeadBytes = 8 };

// A stretch of execution that has been entered and left any number of times; counts are sums over all of them.
struct span {
    uint64_t sum[kCounters], begin[kCounters];
    bool open;
};

static struct span total, ops[kMaxOps];
static uint64_t starts;
static uint64_t entry;
static uint8_t head[kHeadBytes];
static const char* out_path;

static void open_span(struct span* span) {
    for (int i = 0; i < kCounters; i++) span->begin[i] = counter_value(i);
    span->open = true;
}

static void close_span(struct span* span) {
    if (!span->open) return;
    for (int i = 0; i < kCounters; i++) span->sum[i] += counter_value(i) - span->begin[i];
    span->open = false;
}

// The places where the hypervisor's window of 32 GiB lies, by the host's satp mode: Sv57, Sv48, Sv39
// (hv/arch/window.hpp). Linux runs no code in any of them.
static bool in_window(uint64_t pc) {
    static const uint64_t bases[] = {0xffe8000000000000, 0xfffff00000000000, 0xfffffff700000000};
    for (size_t i = 0; i < sizeof bases / sizeof *bases; i++)
        if (pc - bases[i] < (uint64_t)32 << 30) return true;
    return false;
}

static enum counter part(uint64_t pc) {
    if (in_window(pc)) return kHypervisor;
    if (pc >> 63) return kKernel;
    if (pc - 0x80000000 < 0x200000) return kFirmware;
    // RAM at its own address: the kernel before it turns paging on. User programs are linked and mapped elsewhere.
    if (pc - 0x80200000 < 0x7fe00000) return kKernel;
    return kUser;
}

static void on_start(unsigned vcpu, void* unused) {
    (void)vcpu, (void)unused;
    if (starts++ == 0) open_span(&total);
}

static void on_begin(unsigned vcpu, void* op) {
    (void)vcpu;
    open_span(op);
}

static void on_end(unsigned vcpu, void* op) {
    (void)vcpu;
    close_span(op);
}

// True when the block begins with the kernel's first instructions: the hypervisor once stood at the same physical
// address.
static bool is_kernel_entry(const struct qemu_plugin_tb* tb) {
    uint8_t bytes[kHeadBytes + 4];
    size_t size = 0;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb) && size < kHeadBytes; i++) {
        const struct qemu_plugin_insn* insn = qemu_plugin_tb_get_insn(tb, i);
        read_bytes(insn, bytes + size, qemu_plugin_insn_size(insn));
        size += qemu_plugin_insn_size(insn);
    }
    // A jump may end the block early; what was seen of it must agree, and a compressed filler alone is not enough.
    return size >= 4 && !memcmp(bytes, head, size < kHeadBytes ? size : kHeadBytes);
}

static void instrument(struct qemu_plugin_insn* insn) {
    const uint64_t pc = qemu_plugin_insn_vaddr(insn);
    const enum counter where = part(pc);
    count(insn, where);
    if (qemu_plugin_insn_size(insn) != 4) return;
    uint32_t word;
    read_bytes(insn, &word, sizeof word);
    if (where == kFirmware && word == 0x30200073) count(insn, kMret);
    if (where == kHypervisor && word == 0x10200073) count(insn, kSret);
    // slti x0, x0, immediate
    if (where != kUser || (word & 0xfffff) != 0x02013) return;
    const uint32_t mark = word >> 20;
    if (mark - 256 < kMaxOps)
        qemu_plugin_register_vcpu_insn_exec_cb(insn, on_begin, QEMU_PLUGIN_CB_NO_REGS, &ops[mark - 256]);
    if (mark - 512 < kMaxOps)
        qemu_plugin_register_vcpu_insn_exec_cb(insn, on_end, QEMU_PLUGIN_CB_NO_REGS, &ops[mark - 512]);
}

static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb* tb) {
    (void)id;
    struct qemu_plugin_insn* first = qemu_plugin_tb_get_insn(tb, 0);
    if (qemu_plugin_insn_vaddr(first) == entry && is_kernel_entry(tb))
        qemu_plugin_register_vcpu_insn_exec_cb(first, on_start, QEMU_PLUGIN_CB_NO_REGS, NULL);
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) instrument(qemu_plugin_tb_get_insn(tb, i));
}

static void write_span(FILE* out, const char* name, const struct span* span) {
    fprintf(out, "%s", name);
    for (int i = 0; i < kCounters; i++) fprintf(out, " %" PRIu64, span->sum[i]);
    fprintf(out, "\n");
}

static void write_counts(qemu_plugin_id_t id, void* unused) {
    (void)id, (void)unused;
    close_span(&total);
    FILE* out = fopen(out_path, "w");
    if (!out) {
        perror(out_path);
        return;
    }
    fprintf(out, "starts %" PRIu64 "\n", starts);
    write_span(out, "total", &total);
    for (int i = 0; i < kMaxOps; i++) {
        char name[8];
        snprintf(name, sizeof name, "op%d", i);
        write_span(out, name, &ops[i]);
    }
    fclose(out);
}

static bool parse_head(const char* hex) {
    for (int i = 0; i < kHeadBytes; i++)
        if (sscanf(hex + 2 * i, "%2" SCNx8, &head[i]) != 1) return false;
    return true;
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void* info, int argc, char** argv) {
    (void)info;
    bool has_head = false;
    for (int i = 0; i < argc; i++) {
        if (!strncmp(argv[i], "out=", 4))
            out_path = argv[i] + 4;
        else if (!strncmp(argv[i], "entry=", 6))
            entry = strtoull(argv[i] + 6, NULL, 0);
        else if (!strncmp(argv[i], "head=", 5) && strlen(argv[i] + 5) == 2 * kHeadBytes)
            has_head = parse_head(argv[i] + 5);
    }
    if (!out_path || !entry || !has_head) {
        fprintf(stderr, "plugin: wanted out=FILE,entry=ADDRESS,head=HEX with eight bytes in HEX\n");
        return 1;
    }
    make_counters();
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
    qemu_plugin_register_atexit_cb(id, write_counts, NULL);
    return 0;
}
