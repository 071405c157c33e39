// SPDX-License-Identifier: MIT
#include "hv/payload.hpp"

#include "hv/elf.hpp"
#include "hv/fit.hpp"
#include "hv/image.hpp"

namespace uc {

namespace {

LoadStatus read_image_tree(Bytes payload, std::string_view bootargs, Boot& boot) {
    const BootArgs args = split_bootargs(bootargs);
    if (args.before && !args.guest.empty()) {
        return load_error("boot arguments: what follows \" -- \" belongs into the image tree, as bootargs");
    }
    const std::expected<Options, LoadError> options = parse_options(args.before.value_or(bootargs));
    if (!options) return std::unexpected(options.error());
    if (options->vcpus || options->memory || options->mmu) {
        return load_error("option ",
                          options->vcpus    ? "vcpus"
                          : options->memory ? "memory"
                                            : "mmu",
                          ": belongs into the image tree");
    }
    boot.options = *options;
    const std::expected<FdtNode, LoadError> fit = open_fdt(payload, "image tree");
    if (!fit) return std::unexpected(fit.error());
    return read_fit(*fit, boot.config);
}

LoadStatus read_kernel(Bytes payload, std::string_view bootargs, Boot& boot) {
    const BootArgs args = split_bootargs(bootargs);
    const std::expected<Options, LoadError> options = parse_options(args.before.value_or(""));
    if (!options) return std::unexpected(options.error());
    boot.options = *options;
    GuestConfig guest;
    guest.name = "guest0";
    guest.memory = options->memory.value_or(guest.memory);
    guest.mmu = options->mmu;
    guest.vcpus = options->vcpus.value_or(guest.vcpus);
    guest.kernel.data = payload;
    guest.bootargs = args.guest;
    if (!boot.config.guests.push(guest)) return load_error("guest guest0: too many guests");
    return {};
}

}  // namespace

PayloadKind sniff(Bytes payload) {
    if (is_fdt(payload)) return PayloadKind::Fit;
    if (linux_image_header(payload)) return PayloadKind::LinuxImage;
    if (is_elf(payload)) return PayloadKind::Elf;
    return PayloadKind::Raw;
}

LoadStatus read_payload(Bytes payload, std::string_view bootargs, Boot& boot) {
    if (payload.empty()) return load_error("the payload is empty");
    if (sniff(payload) == PayloadKind::Fit) return read_image_tree(payload, bootargs, boot);
    return read_kernel(payload, bootargs, boot);
}

}  // namespace uc
