// SPDX-License-Identifier: MIT
#pragma once
// Reading flattened device trees (Devicetree Specification 0.4, chapter 5) that may be corrupt: libfdt under typed,
// bounded accessors.

#include <libfdt.h>

#include <optional>
#include <span>
#include <string_view>

#include "hv/load_error.hpp"
#include "isa/types.hpp"

namespace uc {

using Bytes = std::span<const std::byte>;

/// A property's value and how to read it. A value of another form than asked for reads as nullopt, never as something
/// else.
struct FdtProperty {
    std::string_view name;
    Bytes value;

    /// One 32-bit cell.
    [[nodiscard]] std::optional<u32> cell() const;
    /// One or two cells, as a number.
    [[nodiscard]] std::optional<u64> number() const;
    /// Number of whole cells, and one of them.
    [[nodiscard]] usize cells() const { return value.size() / 4; }
    [[nodiscard]] u32 cell_at(usize index) const;
    /// One string: NUL-terminated, without further NULs.
    [[nodiscard]] std::optional<std::string_view> string() const;
    /// Whether the value is a list of strings that has `text` in it.
    [[nodiscard]] bool lists(std::string_view text) const;
};

/// A node of a tree that open_fdt accepted; a cheap handle. The tree's bytes must outlive it.
class FdtNode {
  public:
    FdtNode(const void* fdt, int offset) : fdt_(fdt), offset_(offset) {}

    [[nodiscard]] std::string_view name() const;
    [[nodiscard]] std::optional<FdtProperty> property(const char* name) const;
    [[nodiscard]] bool has(const char* name) const { return property(name).has_value(); }
    /// The property's number or string; nullopt also when it has another form.
    [[nodiscard]] std::optional<u64> number(const char* name) const;
    [[nodiscard]] std::optional<std::string_view> string(const char* name) const;
    [[nodiscard]] bool compatible(std::string_view with) const;
    /// status is absent, "okay" or "ok".
    [[nodiscard]] bool enabled() const;

    /// The child of exactly this name, unit address included.
    [[nodiscard]] std::optional<FdtNode> child(std::string_view name) const;
    [[nodiscard]] std::optional<FdtNode> parent() const;
    [[nodiscard]] std::optional<FdtNode> by_path(std::string_view path) const;
    [[nodiscard]] std::optional<FdtNode> by_phandle(u32 phandle) const;
    /// #address-cells and #size-cells for the children's reg; out of the range 0 to 2 reads as nullopt.
    [[nodiscard]] std::optional<unsigned> address_cells() const;
    [[nodiscard]] std::optional<unsigned> size_cells() const;

    /// Calls `visit` with every child / property in order, until it returns an error, which is returned.
    template <class Visit>
    LoadStatus for_each_child(Visit visit) const {
        int child = -1;
        fdt_for_each_subnode(child, fdt_, offset_) {
            if (LoadStatus status = visit(FdtNode{fdt_, child}); !status) return status;
        }
        return {};
    }
    template <class Visit>
    LoadStatus for_each_property(Visit visit) const {
        int at = -1;
        fdt_for_each_property_offset(at, fdt_, offset_) {
            if (LoadStatus status = visit(property_at(at)); !status) return status;
        }
        return {};
    }
    /// Calls `visit` with this node and everything below it, in the tree's order.
    template <class Visit>
    void for_each_below(Visit visit) const {
        int depth = 0;
        for (int at = offset_; at >= 0 && depth >= 0; at = fdt_next_node(fdt_, at, &depth)) visit(FdtNode{fdt_, at});
    }

    [[nodiscard]] const void* fdt() const { return fdt_; }
    [[nodiscard]] int offset() const { return offset_; }
    friend bool operator==(const FdtNode&, const FdtNode&) = default;

  private:
    [[nodiscard]] FdtProperty property_at(int offset) const;

    const void* fdt_;
    int offset_;
};

/// Whether the bytes begin with the magic number of a device tree.
[[nodiscard]] bool is_fdt(Bytes bytes);

/// The root of the tree in `bytes` (8-byte aligned), after every structural check; errors begin with `what`.
[[nodiscard]] std::expected<FdtNode, LoadError> open_fdt(Bytes bytes, std::string_view what);

}  // namespace uc
