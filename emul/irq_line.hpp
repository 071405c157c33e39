// SPDX-License-Identifier: MIT
#pragma once
// The wire from a device to the interrupt controller.

namespace uc {

/// Takes the levels of interrupt wires. Setting a level that is already there changes nothing.
class IrqLine {
  public:
    virtual void set(unsigned source, bool level) = 0;

  protected:
    ~IrqLine() = default;
};

}  // namespace uc
