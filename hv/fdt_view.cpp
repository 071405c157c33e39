// SPDX-License-Identifier: MIT
#include "hv/fdt_view.hpp"

#include <limits>

namespace uc {

namespace {

std::string_view as_text(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

/// Both count properties hold one cell; bus addresses of more than 64 bits have no meaning here.
std::optional<unsigned> cell_count(const FdtNode& node, const char* name, unsigned otherwise) {
    const std::optional<FdtProperty> property = node.property(name);
    if (!property) return otherwise;
    const std::optional<u32> count = property->cell();
    return count && *count <= 2 ? count : std::nullopt;
}

/// Whether every property's length stays within the structure block. libfdt before 1.7 adds lengths up unchecked, and
/// its own full check never ends on one that wraps around. The header has been checked.
bool lengths_are_sound(Bytes tree) {
    const Bytes block = tree.subspan(fdt_off_dt_struct(tree.data()), fdt_size_dt_struct(tree.data()));
    const auto cell_at = [&](usize at) { return fdt32_ld(reinterpret_cast<const fdt32_t*>(block.data() + at)); };
    constexpr usize kPropertyHeader = 12;  // tag, length, name
    usize at = 0;
    while (at + 4 <= block.size()) {
        switch (cell_at(at)) {
            case FDT_BEGIN_NODE: {
                const std::string_view rest = as_text(block.subspan(at + 4));
                const usize length = rest.find('\0');
                if (length == std::string_view::npos) return false;
                at = align_up(at + 4 + length + 1, 4);
                break;
            }
            case FDT_PROP: {
                if (block.size() - at < kPropertyHeader) return false;
                const usize length = cell_at(at + 4);
                if (length > block.size() - at - kPropertyHeader) return false;
                at = align_up(at + kPropertyHeader + length, 4);
                break;
            }
            case FDT_END_NODE:
            case FDT_NOP: at += 4; break;
            default: return cell_at(at) == FDT_END;
        }
    }
    return false;
}

}  // namespace

std::optional<u32> FdtProperty::cell() const {
    if (value.size() != 4) return std::nullopt;
    return cell_at(0);
}

std::optional<u64> FdtProperty::number() const {
    if (value.size() == 8) return static_cast<u64>(cell_at(0)) << 32 | cell_at(1);
    return cell();
}

u32 FdtProperty::cell_at(usize index) const {
    return fdt32_ld(reinterpret_cast<const fdt32_t*>(value.data() + 4 * index));
}

std::optional<std::string_view> FdtProperty::string() const {
    const std::string_view text = as_text(value);
    if (text.empty() || text.find('\0') != text.size() - 1) return std::nullopt;
    return text.substr(0, text.size() - 1);
}

bool FdtProperty::lists(std::string_view text) const {
    std::string_view rest = as_text(value);
    while (!rest.empty()) {
        if (take_until(rest, '\0') == text) return true;
    }
    return false;
}

std::string_view FdtNode::name() const {
    int length = 0;
    const char* name = fdt_get_name(fdt_, offset_, &length);
    return name == nullptr ? std::string_view{} : std::string_view{name, static_cast<usize>(length)};
}

std::optional<FdtProperty> FdtNode::property(const char* name) const {
    int length = 0;
    const void* value = fdt_getprop(fdt_, offset_, name, &length);
    if (value == nullptr) return std::nullopt;
    return FdtProperty{name, {static_cast<const std::byte*>(value), static_cast<usize>(length)}};
}

FdtProperty FdtNode::property_at(int offset) const {
    int length = 0;
    const char* name = nullptr;
    const void* value = fdt_getprop_by_offset(fdt_, offset, &name, &length);
    if (value == nullptr) return {};
    return {name, {static_cast<const std::byte*>(value), static_cast<usize>(length)}};
}

std::optional<u64> FdtNode::number(const char* name) const {
    const std::optional<FdtProperty> found = property(name);
    return found ? found->number() : std::nullopt;
}

std::optional<std::string_view> FdtNode::string(const char* name) const {
    const std::optional<FdtProperty> found = property(name);
    return found ? found->string() : std::nullopt;
}

bool FdtNode::compatible(std::string_view with) const {
    const std::optional<FdtProperty> list = property("compatible");
    return list && list->lists(with);
}

bool FdtNode::enabled() const {
    if (!has("status")) return true;
    const std::optional<std::string_view> status = string("status");
    return status == "okay" || status == "ok";
}

std::optional<FdtNode> FdtNode::child(std::string_view name) const {
    int child = -1;
    fdt_for_each_subnode(child, fdt_, offset_) {
        const FdtNode node{fdt_, child};
        if (node.name() == name) return node;
    }
    return std::nullopt;
}

std::optional<FdtNode> FdtNode::parent() const {
    const int parent = fdt_parent_offset(fdt_, offset_);
    return parent < 0 ? std::nullopt : std::optional{FdtNode{fdt_, parent}};
}

std::optional<FdtNode> FdtNode::by_path(std::string_view path) const {
    if (path.empty() || path.size() > static_cast<usize>(std::numeric_limits<int>::max())) return std::nullopt;
    const int node = fdt_path_offset_namelen(fdt_, path.data(), static_cast<int>(path.size()));
    return node < 0 ? std::nullopt : std::optional{FdtNode{fdt_, node}};
}

std::optional<FdtNode> FdtNode::by_phandle(u32 phandle) const {
    const int node = fdt_node_offset_by_phandle(fdt_, phandle);
    return node < 0 ? std::nullopt : std::optional{FdtNode{fdt_, node}};
}

// Devicetree Specification, 2.3.5: absent, they are 2 and 1.
std::optional<unsigned> FdtNode::address_cells() const { return cell_count(*this, "#address-cells", 2); }
std::optional<unsigned> FdtNode::size_cells() const { return cell_count(*this, "#size-cells", 1); }

bool is_fdt(Bytes bytes) {
    return bytes.size() >= 4 && fdt32_ld(reinterpret_cast<const fdt32_t*>(bytes.data())) == FDT_MAGIC;
}

std::expected<FdtNode, LoadError> open_fdt(Bytes bytes, std::string_view what) {
    if ((reinterpret_cast<std::uintptr_t>(bytes.data()) & 7) != 0) return load_error(what, ": not 8-byte aligned");
    // The full check trusts the buffer to hold the largest header.
    if (bytes.size() < sizeof(fdt_header)) return load_error(what, ": only ", bytes.size(), " bytes");
    if (!is_fdt(bytes)) return load_error(what, ": not a flattened device tree");
    const u64 total = fdt_totalsize(bytes.data());
    if (total > bytes.size()) return load_error(what, ": cut off: ", bytes.size(), " of ", total, " bytes are there");
    if (total > static_cast<u64>(std::numeric_limits<int>::max())) return load_error(what, ": larger than 2 GiB");
    // Earlier versions do not tell the length of the structure block; nothing has written them for many years.
    if (fdt_version(bytes.data()) < 17) return load_error(what, ": version ", fdt_version(bytes.data()), " is too old");
    int error = fdt_check_header(bytes.data());
    if (error == 0)
        error = lengths_are_sound(bytes) ? fdt_check_full(bytes.data(), bytes.size()) : -FDT_ERR_BADSTRUCTURE;
    if (error != 0) return load_error(what, ": corrupt: ", fdt_strerror(error));
    return FdtNode{bytes.data(), 0};
}

}  // namespace uc
