#!/usr/bin/env bash
# A native filter builds outside the tree against the installed headers.
#   extension_package_test.sh BUILD_FOLDER
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$1" --prefix "$work/weir" --component development >/dev/null
[ -e "$work/weir/include/weir/http_filter.h" ] || { echo "FAILED: the headers are not installed"; exit 1; }
cp -r test/data/extension "$work/filter"
cmake -S "$work/filter" -B "$work/build" -G Ninja -DCMAKE_PREFIX_PATH="$work/weir" >"$work/log" || { cat "$work/log"; exit 1; }
cmake --build "$work/build"
nm -C "$work/build/libstamp_filter.a" | grep 'T register_stamp'
