#!/usr/bin/env bash
# tools/new_filter in a copy of the tree: what it writes compiles, is registered, and serves.
#   new_filter_test.sh BUILD_FOLDER
set -euo pipefail
build=$(cd "${1:-build/release}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r CMakeLists.txt cmake filters include src tools "$work"
mkdir -p "$work/test/integration/filters" "$work/test/data/guests" "$work/config"
cp -r test/unit "$work/test"
cp -r test/data/guests/{rust_headers,go_headers} "$work/test/data/guests"
cp test/integration/examples_wasm_test.cc "$work/test/integration"
cp config/README.md "$work/config"
cd "$work"
rm -rf filters/out

failed() { echo "FAILED: $*"; exit 1; }

for name in geo_header a_filter_with_a_name_that_is_much_too_long_for_one_line_of_the_registry; do
  tools/new_filter $name >/dev/null 2>&1
  grep -q "&make_$name);" src/filters/builtin.cc || failed "$name is not registered"
  [ "$(ls src/filters/http/$name | wc -l)" = 2 ] || failed "not two source files"
  for file in src/filters/builtin.cc src/filters/http/$name/*.cc test/unit/filters/http/$name/*.cc; do
    ${CXX:-c++} -std=c++20 -Wall -Wextra -Werror -fsyntax-only -Iinclude -Isrc -Itest $file || failed "$file does not compile"
  done
done
! tools/new_filter geo_header >/dev/null 2>&1 || failed "an existing filter is written over"
! tools/new_filter --guest geo_what --language basic >/dev/null 2>&1 || failed "an unknown language is taken"
! tools/new_filter geo_native --language go >/dev/null 2>&1 || failed "a native filter in Go"

# ---- guests: one for each language, built as the tree builds them ------------------------------------------------------
languages=(cpp rust go assemblyscript)
for language in "${languages[@]}"; do
  tools/new_filter --guest "geo_$language" --language "$language" >/dev/null 2>&1
  grep -q "^weir_[a-z]*_guest(geo_$language " filters/CMakeLists.txt || failed "geo_$language is not built"
  grep -q "^TEST_F(Examples, geo_$language) {" test/integration/examples_wasm_test.cc || failed "geo_$language has no test"
  grep -q "^| \[geo_$language.yaml\]" config/README.md || failed "the example of geo_$language is not in the list"
done
! tools/new_filter --guest geo_cpp >/dev/null 2>&1 || failed "an existing guest is written over"
[ "$(tail -2 test/integration/examples_wasm_test.cc | head -1)" = '}  // namespace' ] || failed "the tests stand outside"

[ -x "$build/weir" ] && command -v curl >/dev/null || { echo "no weir or no curl here: the guests are not run"; exit 0; }
printf '%s\n' 'cmake_minimum_required(VERSION 3.20)' 'project(guests LANGUAGES NONE)' 'add_subdirectory(filters)' >CMakeLists.txt
cmake -G Ninja -S . -B built -DWEIR_TESTS=OFF >cmake.log 2>&1 || { cat cmake.log; failed "cmake"; }
# What the crates need has been compiled already; npm and Go have caches of their own.
if [ -d "$build/filters/cargo" ]; then
  mkdir -p built/filters && ln -s "$build/filters/cargo" built/filters/cargo
fi

# The line that makes each do what its test asks for.
sed -i 's|^  FilterHeadersStatus onResponseHeaders.*|  FilterHeadersStatus onResponseHeaders(uint32_t, bool) override {\n    addResponseHeader("x-geo-cpp", static_cast<GeoCppRoot*>(root())->value());\n    return FilterHeadersStatus::Continue;\n  }|' \
  filters/geo_cpp/geo_cpp.cc
sed -i 's|^        log::debug.*|        self.add_http_response_header("x-geo-rust", \&self.value);|' filters/geo_rust/src/lib.rs
sed -i 's|^	return types.ActionContinue|	proxywasm.AddHttpResponseHeader("x-geo-go", h.plugin.value)\n&|' filters/geo_go/main.go
sed -i 's|^    return FilterHeadersStatusValues.Continue;|    stream_context.headers.response.add("x-geo-assemblyscript", this.root_context.getConfiguration());\n&|; s|^  RootContext,$|&\n  stream_context,|' \
  filters/geo_assemblyscript/assembly/index.ts
for language in "${languages[@]}"; do
  name=geo_$language
  if ! ninja -C built -t query "guest_$name" >/dev/null 2>&1; then
    echo "skipped: no toolchain for $language here"
    continue
  fi
  ninja -C built "guest_$name" >build.log 2>&1 || { cat build.log; failed "$name does not build"; }
  bash "test/integration/filters/${name}_test.sh" "$build" || failed "$name"
done
# And without that line its test fails.
sed -i '/addResponseHeader/d' filters/geo_cpp/geo_cpp.cc
if ninja -C built guest_geo_cpp >build.log 2>&1; then
  ! bash test/integration/filters/geo_cpp_test.sh "$build" >/dev/null || failed "the test of a filter that does nothing passes"
fi
