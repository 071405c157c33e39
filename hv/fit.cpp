// SPDX-License-Identifier: MIT
#include "hv/fit.hpp"

#include <algorithm>

#include "hv/crc32.hpp"
#include "hv/sha256.hpp"

namespace uc {

namespace {

constexpr usize kMaxNameLength = 31;  // of a node: Devicetree Specification 0.4, 2.2.1

/// How an error begins: "guest a", "guest a: image kernel".
using Where = Text<100>;

template <class... Parts>
LoadStatus wrong(const Where& where, const FdtProperty& property, const Parts&... parts) {
    return load_error(where.view(), ": ", property.name, ": ", parts...);
}

template <usize N>
bool is_one_of(std::string_view name, const std::string_view (&names)[N]) {
    return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

/// Two siblings of one name: only the first could be referred to.
bool is_duplicate(FdtNode parent, FdtNode child) { return parent.child(child.name()) != child; }

LoadStatus check_hash(FdtNode node, Bytes data, const Where& where) {
    const LoadStatus known = node.for_each_property([&](const FdtProperty& property) -> LoadStatus {
        if (is_one_of(property.name, {"algo", "value", "phandle"})) return {};
        return wrong(where, property, "unknown");
    });
    if (!known) return known;
    const std::optional<std::string_view> algo = node.string("algo");
    const std::optional<FdtProperty> value = node.property("value");
    if (!algo || !value) return load_error(where.view(), ": algo or value is missing or malformed");
    if (algo == "crc32") {
        if (!value->cell()) return wrong(where, *value, "not 4 bytes, as crc32 has");
        const u32 actual = crc32(data);
        if (actual != *value->cell()) {
            return wrong(where, *value, "crc32 is ", Hex{actual}, ", not ", Hex{*value->cell()});
        }
        return {};
    }
    if (algo == "sha256") {
        const std::array<std::byte, 32> actual = sha256(data);
        if (value->value.size() != actual.size()) return wrong(where, *value, "not 32 bytes, as sha256 has");
        if (!std::equal(actual.begin(), actual.end(), value->value.begin())) {
            return wrong(where, *value, "sha256 does not match");
        }
        return {};
    }
    return load_error(where.view(), ": algo: ", *algo, " is not crc32 or sha256");
}

LoadStatus check_image_property(const FdtProperty& property, const Where& where) {
    const std::string_view name = property.name;
    if (is_one_of(name, {"description", "timestamp", "os", "phandle"})) return {};
    if (name == "data") return property.value.empty() ? wrong(where, property, "empty") : LoadStatus{};
    if (name == "load" || name == "entry") {
        return property.number() ? LoadStatus{} : wrong(where, property, "not one or two cells");
    }
    if (name == "type") {
        const bool known = property.string() && is_one_of(*property.string(), {"kernel", "ramdisk", "flat_dt"});
        return known ? LoadStatus{} : wrong(where, property, "not kernel, ramdisk or flat_dt");
    }
    if (name == "arch") return property.string() == "riscv" ? LoadStatus{} : wrong(where, property, "not riscv");
    if (name == "compression") return property.string() == "none" ? LoadStatus{} : wrong(where, property, "not none");
    return wrong(where, property, "unknown");
}

LoadStatus check_image(FdtNode image, const Where& where) {
    LoadStatus status =
        image.for_each_property([&](const FdtProperty& property) { return check_image_property(property, where); });
    if (!status) return status;
    for (const char* name : {"data", "type"}) {
        if (!image.has(name)) return load_error(where.view(), ": ", name, ": missing");
    }
    const Bytes data = image.property("data")->value;
    return image.for_each_child([&](FdtNode child) -> LoadStatus {
        Where inner = where;
        inner.add(": ").add(child.name());
        // "hash-1", and "hash@1" of older trees.
        if (!child.name().starts_with("hash-") && !child.name().starts_with("hash@")) {
            return load_error(inner.view(), ": unknown node");
        }
        return check_hash(child, data, inner);
    });
}

/// Errors in an image are told as of the first guest that uses it.
Where image_where(FdtNode configurations, std::string_view image) {
    Where where;
    (void)configurations.for_each_child([&](FdtNode guest) -> LoadStatus {
        for (const char* name : {"kernel", "ramdisk", "fdt"}) {
            if (where.view().empty() && guest.string(name) == image) where.add("guest ").add(guest.name()).add(": ");
        }
        return {};
    });
    return where.add("image ").add(image);
}

LoadStatus check_images(FdtNode images, FdtNode configurations) {
    const LoadStatus bare = images.for_each_property([](const FdtProperty& property) -> LoadStatus {
        if (is_one_of(property.name, {"#address-cells", "#size-cells"})) return {};
        return load_error("images: ", property.name, ": unknown");
    });
    if (!bare) return bare;
    return images.for_each_child([&](FdtNode image) -> LoadStatus {
        const Where where = image_where(configurations, image.name());
        if (is_duplicate(images, image)) return load_error(where.view(), ": there are two of this name");
        return check_image(image, where);
    });
}

/// Follows a guest's property to an image of `type`. The images have been checked.
LoadStatus find_image(FdtNode images, const FdtProperty& property, std::string_view type, const Where& where,
                      GuestImage& out) {
    const std::optional<std::string_view> name = property.string();
    if (!name) return wrong(where, property, "not one string");
    const std::optional<FdtNode> image = images.child(*name);
    if (!image) return wrong(where, property, "there is no image ", *name);
    if (image->string("type") != type) return wrong(where, property, "image ", *name, " is not of type ", type);
    out.data = image->property("data")->value;
    if (const std::optional<u64> load = image->number("load")) out.load = Gpa{*load};
    if (const std::optional<u64> entry = image->number("entry")) out.entry = Gpa{*entry};
    return {};
}

LoadStatus read_memory(const FdtProperty& property, const Where& where, GuestConfig& guest) {
    const std::optional<u64> bytes = property.number();
    if (!bytes) return wrong(where, property, "not one or two cells");
    if (const auto problem = memory_problem(*bytes)) return wrong(where, property, Hex{*bytes}, ": ", *problem);
    guest.memory = *bytes;
    return {};
}

LoadStatus read_vcpus(const FdtProperty& property, const Where& where, GuestConfig& guest) {
    const std::optional<u32> vcpus = property.cell();
    if (!vcpus) return wrong(where, property, "not one cell");
    if (*vcpus == 0 || *vcpus > kMaxVcpus) return wrong(where, property, *vcpus, " is not 1 to ", kMaxVcpus);
    guest.vcpus = *vcpus;
    return {};
}

LoadStatus read_mmu(const FdtProperty& property, const Where& where, GuestConfig& guest) {
    const std::optional<std::string_view> name = property.string();
    guest.mmu = name ? parse_satp_mode(*name) : std::nullopt;
    return guest.mmu ? LoadStatus{} : wrong(where, property, "not one of sv39, sv48, sv57");
}

LoadStatus read_harts(const FdtProperty& property, const Where& where, GuestConfig& guest) {
    if (property.value.empty() || property.value.size() % 4 != 0) return wrong(where, property, "not a list of cells");
    for (usize i = 0; i < property.cells(); ++i) {
        const u64 hart = property.cell_at(i);
        if (guest.harts.contains(hart)) return wrong(where, property, "hart ", hart, " is there twice");
        if (!guest.harts.push(hart)) return wrong(where, property, "more than ", kMaxHarts, " harts");
    }
    return {};
}

LoadStatus read_flag(const FdtProperty& property, const Where& where, bool& flag) {
    flag = true;
    return property.value.empty() ? LoadStatus{} : wrong(where, property, "takes no value");
}

LoadStatus read_restart(const FdtProperty& property, const Where& where, GuestConfig& guest) {
    const std::optional<u32> times = property.cell();
    if (!times) return wrong(where, property, "not one cell");
    guest.restarts = *times;
    return {};
}

LoadStatus read_property(FdtNode images, const FdtProperty& property, const Where& where, GuestConfig& guest) {
    const std::string_view name = property.name;
    if (is_one_of(name, {"description", "compatible", "phandle"})) return {};
    if (name == "kernel") return find_image(images, property, "kernel", where, guest.kernel);
    if (name == "ramdisk") return find_image(images, property, "ramdisk", where, guest.ramdisk);
    if (name == "fdt") return find_image(images, property, "flat_dt", where, guest.fdt);
    if (name == "undercroft,memory") return read_memory(property, where, guest);
    if (name == "undercroft,vcpus") return read_vcpus(property, where, guest);
    if (name == "undercroft,mmu") return read_mmu(property, where, guest);
    if (name == "undercroft,harts") return read_harts(property, where, guest);
    if (name == "undercroft,restart") return read_restart(property, where, guest);
    if (name == "undercroft,stopped") return read_flag(property, where, guest.stopped);
    if (name == "undercroft,manager") return read_flag(property, where, guest.manager);
    if (name == "bootargs") {
        if (!property.string()) return wrong(where, property, "not one string");
        guest.bootargs = *property.string();
        return {};
    }
    return wrong(where, property, "unknown");
}

LoadStatus read_guest(FdtNode images, FdtNode node, GuestConfig& guest) {
    guest.name = node.name();
    const Where where("guest ", guest.name);
    if (guest.name.empty() || guest.name.size() > kMaxNameLength) {
        return load_error(where.view(), ": a name has 1 to ", kMaxNameLength, " characters");
    }
    constexpr std::string_view kNameCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789,._+-@";
    if (guest.name.find_first_not_of(kNameCharacters) != std::string_view::npos) {
        return load_error(where.view(), ": a name has letters, digits and any of ,._+-@");
    }
    LoadStatus status = node.for_each_property(
        [&](const FdtProperty& property) { return read_property(images, property, where, guest); });
    if (!status) return status;
    status = node.for_each_child(
        [&](FdtNode child) -> LoadStatus { return load_error(where.view(), ": ", child.name(), ": unknown node"); });
    if (status && guest.kernel.data.empty()) return load_error(where.view(), ": kernel: missing");
    return status;
}

LoadStatus check_root(FdtNode fit) {
    const LoadStatus status = fit.for_each_property([](const FdtProperty& property) -> LoadStatus {
        if (is_one_of(property.name, {"description", "timestamp", "#address-cells", "#size-cells"})) return {};
        return load_error("image tree: ", property.name, ": unknown");
    });
    if (!status) return status;
    return fit.for_each_child([](FdtNode child) -> LoadStatus {
        if (is_one_of(child.name(), {"images", "configurations"})) return {};
        return load_error("image tree: ", child.name(), ": unknown node");
    });
}

}  // namespace

LoadStatus read_fit(FdtNode fit, MachineConfig& config) {
    const std::optional<FdtNode> images = fit.child("images");
    const std::optional<FdtNode> configurations = fit.child("configurations");
    if (!images) return load_error("device tree without /images: not an image tree");
    if (!configurations) return load_error("image tree: no /configurations");
    LoadStatus status = check_root(fit);
    if (status) status = check_images(*images, *configurations);
    if (!status) return status;
    status = configurations->for_each_property([](const FdtProperty& property) -> LoadStatus {
        if (is_one_of(property.name, {"default", "description"})) return {};
        return load_error("configurations: ", property.name, ": unknown");
    });
    if (!status) return status;
    status = configurations->for_each_child([&](FdtNode node) -> LoadStatus {
        if (is_duplicate(*configurations, node)) {
            return load_error("guest ", node.name(), ": there are two of this name");
        }
        GuestConfig guest;
        if (LoadStatus read = read_guest(*images, node, guest); !read) return read;
        if (!config.guests.push(guest)) return load_error("guest ", guest.name, ": more than ", kMaxGuests, " guests");
        return {};
    });
    if (status && config.guests.empty()) return load_error("image tree: /configurations has no guest");
    return status;
}

}  // namespace uc
