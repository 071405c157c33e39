#!/bin/sh
# SPDX-License-Identifier: MIT
# Prints the C and C++ sources of the repository, new ones included.
cd "$(dirname "$0")/.." && git ls-files --cached --others --exclude-standard -- '*.cpp' '*.hpp' '*.c' '*.h'
