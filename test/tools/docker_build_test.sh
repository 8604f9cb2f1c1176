#!/usr/bin/env bash
# The Dockerfile's build steps make a tree that an image can run: every library is either in it or in a named package. What
# was built already is taken, in place of the compiling step.
#   docker_build_test.sh BUILD_FOLDER
set -euo pipefail
build=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $*"; exit 1; }

# The Dockerfile: its steps are the script's, what it copies exists, it ends as an ordinary user.
grep -q '^RUN docker/build.sh /out$' docker/Dockerfile || fail "the Dockerfile does not run docker/build.sh"
[ "$(grep -cE '^USER [1-9]' docker/Dockerfile)" = 1 ] || fail "the image runs as root"
while read -r from _; do
  [ -e "$from" ] || fail "COPY of $from, which is not there"
done < <(sed -n 's/^COPY \([^-]\)/\1/p' docker/Dockerfile)
# Only apt, useradd and the script run in it: anything else would be a step that is not tested here.
grep -E '^(RUN|  &&)' docker/Dockerfile | sed -E 's/^(RUN|  &&) *//; s/ \\$//' | tr '&' '\n' | sed '/^ *$/d; s/^ *//' | while read -r word rest; do
  case $word in
    apt-get | useradd | xargs | rm | docker/build.sh) ;;
    *) fail "an untested step in the Dockerfile: $word $rest" ;;
  esac
done
sh -n docker/build.sh
sh -n docker/redirect.sh
for script in tools/build tools/lib.sh; do bash -n "$script"; done

docker/build.sh "$work/out" "$build"
for file in usr/bin/weir usr/bin/weir-redirect etc/weir/weir.yaml packages.txt; do
  [ -s "$work/out/$file" ] || fail "$file is missing"
done
while read -r path _; do
  [ -e "$work$path" ] || fail "the Dockerfile copies $path, which docker/build.sh does not make"
done < <(sed -n 's/^COPY --from=build //p' docker/Dockerfile)
! ldd "$work/out/usr/bin/weir" | grep 'not found' || fail "a library of the binary is missing"
if command -v dpkg-query >/dev/null; then
  grep -qx 'libevent-core-2.1-7.*' "$work/out/packages.txt" || fail "libevent is not among the packages"
fi

weir=$work/out/usr/bin/weir
"$weir" --version
"$weir" -c "$work/out/etc/weir/weir.yaml" --mode validate
# The engine is found beside the installed binary.
if [ -e "$build/libweir_v8.so" ]; then
  find "$work/out/usr" -name libweir_v8.so | grep -q . || fail "the engine module is missing"
  if [ -e "$build/filters/add_header.wasm" ]; then
    sed "s|filters/out/|$build/filters/|" config/quickstart.yaml >"$work/plugin.yaml"
    "$weir" -c "$work/plugin.yaml" --mode validate
  fi
fi
echo "ok: the tree of an image is complete"
