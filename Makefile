# SPDX-License-Identifier: MIT
# The everyday commands. Each one installs what it lacks, configures and builds first; Meson does the building.

BUILD := build
BUILD_CLANG := build-clang
export GUEST SMP MEM CPU MACHINE BIOS QEMU QEMU_ARGS APPEND DEBUG

.DEFAULT_GOAL := help
.PHONY: help all images qemu test bench gdb format format-check lint clean FORCE

help: ## List these commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "  make %-13s %s\n", $$1, $$2 }'
	@echo 'make qemu takes GUEST (linux, two-linux, minikernel, FILE), SMP, MEM, CPU, MACHINE, BIOS, QEMU, QEMU_ARGS, APPEND, DEBUG=1.'

all: $(BUILD)/build.ninja ## Build the hypervisor and its guests
	meson compile -C $(BUILD)

# The tests are not waited for.
images: $(BUILD)/build.ninja
	meson compile -C $(BUILD) undercroft.elf undercroft.bin minikernel.elf ucctl \
	  $(if $(GUEST),$(basename $(notdir $(wildcard guest-images/behaviour/$(GUEST).cpp))))

qemu: images ## Boot a guest (GUEST=linux) in Undercroft in QEMU; Ctrl-A X leaves
	@tools/setup.sh run
	@tools/run_qemu.py

test: all $(BUILD_CLANG)/build.ninja ## Run the host tests under GCC and Clang, fuzz briefly, boot guests
	@tools/setup.sh run
	@tools/test.py $(BUILD) $(BUILD_CLANG)

bench: images ## Compare guests with the bare machine
	@tools/setup.sh run
	@meson compile -C $(BUILD) bench_pair bench_switch bench_work
	@bench/run.py
	@bench/harts.py

gdb: ## Attach to a waiting make qemu DEBUG=1
	@tools/setup.sh gdb
	gdb-multiarch -q -x tools/gdb/undercroft.py -ex 'target remote :1234' $(BUILD)/undercroft.elf

format: ## Lay out all sources with clang-format
	@tools/setup.sh lint
	@tools/sources.sh | xargs clang-format-19 -i

format-check: ## Say which sources clang-format would change
	@tools/setup.sh lint
	@tools/sources.sh | xargs clang-format-19 --dry-run -Werror

lint: $(BUILD_CLANG)/build.ninja ## Check floors, and the core with clang-tidy
	@tools/setup.sh lint
	@tools/check_layers.py
	@tools/lint.py $(BUILD_CLANG)

clean: ## Remove what was built (the download cache stays)
	rm -rf $(BUILD) $(BUILD_CLANG)

# Configuring asks for packages each time, because a build folder may outlive its machine; it costs nothing when all are there.
$(BUILD)/build.ninja: FORCE
	@tools/setup.sh build
	@test -f $@ || meson setup $(BUILD) --cross-file cross/riscv64.ini

$(BUILD_CLANG)/build.ninja: FORCE
	@tools/setup.sh build test
	@test -f $@ || CXX_FOR_BUILD=clang++-19 meson setup $(BUILD_CLANG) --cross-file cross/riscv64.ini -Dfuzz=true
