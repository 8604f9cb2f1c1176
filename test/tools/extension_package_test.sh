#!/usr/bin/env bash
# A native filter builds outside the tree against the installed headers, and its test links and runs.
#   extension_package_test.sh BUILD_FOLDER
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$1" --prefix "$work/weir" --component development >/dev/null
[ -e "$work/weir/include/weir/http_filter.h" ] || { echo "FAILED: the headers are not installed"; exit 1; }
cp -r test/data/extension "$work/filter"
cmake -S "$work/filter" -B "$work/build" -G Ninja -DCMAKE_PREFIX_PATH="$work/weir" >"$work/log" || { cat "$work/log"; exit 1; }
# Archives with a sanitizer's instrumentation want its runtime: there only the filter is built.
target=all
! grep -q '^WEIR_SANITIZE:[A-Z]*=.' "$1/CMakeCache.txt" || target=stamp_filter
cmake --build "$work/build" --target $target
nm -C "$work/build/libstamp_filter.a" | grep 'T register_stamp'
[ $target != all ] || "$work/build/stamp_filter_test"
