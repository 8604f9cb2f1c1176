#!/usr/bin/env bash
# The table of docs/writing-filters.md: each function of the import table has a row with a guest, and each guest there imports it.
#   host_functions_test.sh BUILD_FOLDER
set -euo pipefail
build=${1:-build/release}
failed=0
fail() { echo "FAILED: $*"; failed=1; }

# The names of a table of src/wasm/import_table.cc.
entries() { sed -n "/^constexpr Entry $1\[\]/,/^};/s/^    {\"\([a-z_0-9]*\)\".*/\1/p" src/wasm/import_table.cc | sort -u; }
imports_of() { wasm-objdump -x -j Import "$1" 2>/dev/null | sed -n 's/.*<- [a-z_0-9]*\.\([A-Za-z_0-9]*\)$/\1/p'; }
table=$(sed -n '/^## Which guest calls what/,/^## /p' docs/writing-filters.md)

[ "$(entries kEnv | wc -l)" -gt 40 ] || fail "no functions found in src/wasm/import_table.cc"
for name in $(entries kEnv); do
  row=$(grep "^| \`$name\` |" <<<"$table" || true)
  guests=$(sed "s/^| [^|]*//" <<<"$row" | grep -o '`[a-z_0-9]*`' | tr -d '`' || true)
  [ -n "$guests" ] || fail "$name: no guest in the table of docs/writing-filters.md"
  for guest in $guests; do
    file=
    for folder in filters guests; do [ ! -e "$build/$folder/$guest.wasm" ] || file=$build/$folder/$guest.wasm; done
    [ -n "$file" ] && command -v wasm-objdump >/dev/null || continue
    imports_of "$file" | grep -qx "$name" || fail "$guest does not import $name"
  done
done
wasi=$build/guests/imports_wasi.wasm
if [ -e "$wasi" ] && command -v wasm-objdump >/dev/null; then
  for name in $(entries kWasi); do imports_of "$wasi" | grep -qx "$name" || fail "imports_wasi does not import $name"; done
fi
[ $failed = 0 ] && echo "ok: $(entries kEnv | wc -l) functions"
exit $failed
