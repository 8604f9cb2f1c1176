#!/usr/bin/env bash
# What the documentation says can be followed: links lead to files and headings, paths in the text exist, what the readers of the
# configuration and of formats take is told of, and the C++ of docs/extending.md compiles against the public headers alone.
#   docs_test.sh BUILD_FOLDER
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0
fail() { echo "FAILED: $*"; failures=$((failures + 1)); }
mapfile -t pages < <(git ls-files -co --exclude-standard -- '*.md' | while IFS= read -r file; do [ ! -f "$file" ] || echo "$file"; done)

# anchors PAGE: the names that its headings have in links, as GitHub makes them; a second one of a name has a number.
anchors() {
  awk '/^ *```/ { fenced = !fenced } !fenced && /^#+ / { sub(/^#+ +/, ""); print tolower($0) }' "$1" |
    sed -E 's/\[([^]]*)\]\([^)]*\)/\1/g; s/[^a-z0-9 _-]//g; s/ /-/g' |
    awk '{ print seen[$0]++ ? $0 "-" (seen[$0] - 1) : $0 }'
}

with_anchor=0
for page in "${pages[@]}"; do
  folder=$(dirname "$page")
  while IFS= read -r target; do
    file=$page
    [ -z "${target%%#*}" ] || file=$folder/${target%%#*}
    if [ ! -e "$file" ]; then
      fail "$page: no file behind the link $target"
    elif [[ $target == *.md#* || $target == \#* ]]; then
      with_anchor=$((with_anchor + 1))
      anchors "$file" | grep -qxF -- "${target#*#}" || fail "$page: no heading behind the link $target"
    fi
  done < <(grep -o '](\([^)]*\))' "$page" | sed 's/^](//; s/)$//' | grep -v '^[a-z]*://' || true)
done
[ $with_anchor -gt 40 ] || fail "only $with_anchor links to headings found"

# Paths that are named as code: those below folders of the tree, without a placeholder in them.
for page in README.md CONTRIBUTING.md docs/*.md test/README.md; do
  while IFS= read -r path; do
    [ -e "$path" ] || compgen -G "$path.*" >/dev/null || fail "$page: there is no $path"
  done < <(grep -oE '`(src|include|test|tools|config|docs|docker|cmake|\.ci)/[A-Za-z0-9_./-]+`' "$page" | tr -d '`' | sort -u)
done

# fields FILE...: the fields that these readers take: asked for by name, one of a list, or taken without an effect.
fields() {
  cat "$@" | sed 's|//.*||' | tr '\n' ' ' |
    grep -oE '(\b(boolean|integer|number|uint32|millis|duration|(required_)?text|texts|enumeration|message|messages|(required_)?child|children|data_source|json)|\bread_[a-z_]+)\( *([a-z*>-]+, *)?"[a-z0-9_]+"(, *"[a-z0-9_]+")?|(\bone_of|\bignore)\( *\{[^}]*\}' |
    grep -oE '"[a-z0-9_]+"' | tr -d '"' | sort -u
}
# tells PAGE FIELD...: the page has each field in code.
tells() {
  local page=$1 field
  shift
  for field; do grep -q "\`[^\`]*\b$field\b" "$page" || fail "$page does not tell of $field"; done
}

# Every field that the readers of the configuration take is in the reference.
mapfile -t taken < <(fields src/config/*.cc src/stream/matchers.cc src/router/factory.cc src/filters/common/*.cc src/filters/http/*/*.cc src/filters/network/*/*.{cc,h} src/base/ip_range.cc)
[ ${#taken[@]} -gt 150 ] || fail "only ${#taken[@]} fields found in the readers"
tells docs/configuration.md "${taken[@]}"
# The example of docs/wasm.md tells of fields too, with a colon behind them; those without an effect stand in the other page.
mapfile -t taken < <(fields src/wasm/*_config.cc src/wasm/factory.cc)
[ ${#taken[@]} -gt 25 ] || fail "only ${#taken[@]} fields found in the reader of plugins"
for field in "${taken[@]}"; do
  grep -qE "\b$field:" docs/wasm.md || grep -q "\`[^\`]*\b$field\b" docs/wasm.md docs/configuration.md ||
    fail "docs/wasm.md does not tell of $field"
done

# Every operator of formats is in the reference.
mapfile -t operators < <(grep -oE '^    \{"[A-Z0-9_]+", Op::' src/stream/operator_parse.cc | cut -d'"' -f2)
[ ${#operators[@]} -gt 60 ] || fail "only ${#operators[@]} operators found"
for operator in "${operators[@]}"; do
  grep -qE "\`$operator(\`|\()" docs/operations.md || fail "docs/operations.md does not tell of the operator $operator"
done
# And no other: what looks like one in its table is in the parser.
while IFS= read -r operator; do
  [[ " ${operators[*]} " == *" $operator "* ]] || fail "docs/operations.md: there is no operator $operator"
done < <(sed -n '/^Operators:$/,/^Response flags/{/^Response flags/d;p}' docs/operations.md | grep -oE '`[A-Z][A-Z0-9_]+[`(]' | tr -d '`(' | sort -u)

# Every public header is in the table.
for header in include/weir/*.h; do
  grep -q "^| .*\`$(basename "$header")\`.* |" docs/extending.md || fail "docs/extending.md does not tell of $header"
done

sed -n '/^```cpp$/,/^```$/p' docs/extending.md | sed '/^```/d' >"$work/extending.cc"
[ -s "$work/extending.cc" ] || fail "docs/extending.md has no code"
compiler=$(sed -n 's/^CMAKE_CXX_COMPILER:[A-Z]*=//p' "$1/CMakeCache.txt")
"${compiler:-c++}" -std=c++20 -Wall -Wextra -Werror -fsyntax-only -Iinclude "$work/extending.cc" || fail "the code of docs/extending.md"
[ $failures = 0 ] || exit 1
echo "ok: ${#pages[@]} pages"
