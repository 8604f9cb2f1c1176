#!/usr/bin/env bash
# What the documentation says can be followed: links lead to files, paths in the text exist, and the C++ of docs/extending.md
# compiles against the public headers alone.
#   docs_test.sh BUILD_FOLDER
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0
fail() { echo "FAILED: $*"; failures=$((failures + 1)); }
mapfile -t pages < <(git ls-files -co --exclude-standard -- '*.md' | while IFS= read -r file; do [ ! -f "$file" ] || echo "$file"; done)

for page in "${pages[@]}"; do
  folder=$(dirname "$page")
  while IFS= read -r target; do
    target=${target%%#*}
    [ -z "$target" ] || [ -e "$folder/$target" ] || fail "$page: no file behind the link $target"
  done < <(grep -o '](\([^)]*\))' "$page" | sed 's/^](//; s/)$//' | grep -v '^[a-z]*://' || true)
done

# Paths that are named as code: those below folders of the tree, without a placeholder in them.
for page in README.md CONTRIBUTING.md docs/*.md test/README.md; do
  while IFS= read -r path; do
    [ -e "$path" ] || compgen -G "$path.*" >/dev/null || fail "$page: there is no $path"
  done < <(grep -oE '`(src|include|test|tools|config|docs|docker|cmake|\.ci)/[A-Za-z0-9_./-]+`' "$page" | tr -d '`' | sort -u)
done

# Every field that the readers of the configuration take is in the reference.
while IFS= read -r field; do
  grep -q "\`[^\`]*\b$field\b" docs/configuration.md || fail "docs/configuration.md does not tell of $field"
done < <(grep -hoE '(boolean|integer|number|uint32|millis|duration|text|texts|enumeration|child|children|data_source)\("[a-z0-9_]+"' \
  src/config/{bootstrap,listener,hcm,routes,route,cluster,access_log,log_filter}.cc | sed 's/.*("//; s/"//' | sort -u)

sed -n '/^```cpp$/,/^```$/p' docs/extending.md | sed '/^```/d' >"$work/extending.cc"
[ -s "$work/extending.cc" ] || fail "docs/extending.md has no code"
compiler=$(sed -n 's/^CMAKE_CXX_COMPILER:[A-Z]*=//p' "$1/CMakeCache.txt")
"${compiler:-c++}" -std=c++20 -Wall -Wextra -Werror -fsyntax-only -Iinclude "$work/extending.cc" || fail "the code of docs/extending.md"
[ $failures = 0 ] || exit 1
echo "ok: ${#pages[@]} pages"
