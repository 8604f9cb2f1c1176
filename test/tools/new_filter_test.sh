#!/usr/bin/env bash
# tools/new_filter in a copy of the tree: what it writes compiles and is registered.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r CMakeLists.txt cmake filters include src tools "$work"
mkdir -p "$work/test" "$work/config"
cp -r test/unit "$work/test"
cd "$work"
for name in geo_header a_filter_with_a_name_that_is_much_too_long_for_one_line_of_the_registry; do
  tools/new_filter $name >/dev/null
  grep -q "&make_$name);" src/filters/builtin.cc || { echo "FAILED: $name is not registered"; exit 1; }
  [ "$(ls src/filters/http/$name | wc -l)" = 2 ] || { echo "FAILED: not two source files"; exit 1; }
  for file in src/filters/builtin.cc src/filters/http/$name/*.cc test/unit/filters/http/$name/*.cc; do
    ${CXX:-c++} -std=c++20 -Wall -Wextra -Werror -fsyntax-only -Iinclude -Isrc -Itest $file ||
      { echo "FAILED: $file does not compile"; exit 1; }
  done
done
! tools/new_filter geo_header >/dev/null 2>&1 || { echo "FAILED: an existing filter is written over"; exit 1; }
tools/new_filter --guest geo_guest >/dev/null
grep -q '^weir_cpp_guest(geo_guest ' filters/CMakeLists.txt || { echo "FAILED: the guest is not built"; exit 1; }
