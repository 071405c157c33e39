#!/bin/sh
# SPDX-License-Identifier: MIT
# Fuzzes every target for SECONDS each: tests/fuzz/run.sh SECONDS [TARGET...]
#
# Prints a line for each target; fails when one crashed, hung or leaked, and says which file reproduces it. What a target
# finds worth keeping stays in build-fuzz/corpus for the next time; remove that folder to begin anew.
set -eu

usage="usage: $0 SECONDS [TARGET...]"
seconds=${1:?$usage}
case $seconds in *[!0-9]*) echo "$usage" >&2; exit 2 ;; esac
shift
cd "$(dirname "$0")/../.."
build='build-fuzz'
all=$(for source in tests/fuzz/*_fuzz.cpp; do basename "$source" _fuzz.cpp; done)
targets=${*:-$all}

mkdir -p $build/crashes
[ -f $build/build.ninja ] ||
    CXX_FOR_BUILD=clang++-19 meson setup $build --cross-file cross/riscv64.ini -Dfuzz=true >$build/log ||
    { cat $build/log; exit 1; }
wanted=
for target in $targets; do
    wanted="$wanted tests/fuzz/${target}_fuzz"
    [ ! -f "tests/fuzz/seeds/$target.dts" ] || wanted="$wanted tests/fuzz/$target.dtb"
done
# shellcheck disable=SC2086 # a list of words
ninja -C $build $wanted >$build/log || { cat $build/log; exit 1; }

failed=0
for target in $targets; do
    corpus=$build/corpus/$target
    log=$build/crashes/$target.log
    mkdir -p "$corpus"
    set -- "$corpus"
    [ ! -f "$build/tests/fuzz/$target.dtb" ] || set -- "$@" "-seed_inputs=$build/tests/fuzz/$target.dtb"
    if "$build/tests/fuzz/${target}_fuzz" "$@" -seed=1 -max_total_time="$seconds" -timeout=10 -max_len=4096 \
        -print_final_stats=1 -artifact_prefix="$build/crashes/$target-" >"$log" 2>&1
    then
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
        cover=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
        echo "$target: ok, $runs runs, $cover edges"
    else
        failed=1
        reproducer=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
        echo "$target: FAILED, see $log; reproduce with $build/tests/fuzz/${target}_fuzz $reproducer"
    fi
done
exit $failed
