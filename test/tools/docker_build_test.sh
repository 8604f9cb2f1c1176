#!/usr/bin/env bash
# The Dockerfile's build steps make a tree that an image can run: every library is either in it or in a named package.
#   docker_build_test.sh BUILD_FOLDER
set -euo pipefail
case $1 in */build/release) ;; *) echo "skipped: the image is made of the release build"; exit 77 ;; esac
command -v dpkg-query >/dev/null || { echo "skipped: needs dpkg"; exit 77; }
grep -q 'RUN docker/build.sh /out' docker/Dockerfile || { echo "FAILED: the Dockerfile does not run docker/build.sh"; exit 1; }
grep -qE '^USER [1-9]' docker/Dockerfile || { echo "FAILED: the image runs as root"; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
docker/build.sh "$work/out"
for file in usr/bin/weir etc/weir/weir.yaml packages.txt; do
  [ -s "$work/out/$file" ] || { echo "FAILED: $file is missing"; exit 1; }
done
grep -qx libevent-core-2.1-7.* "$work/out/packages.txt" || { echo "FAILED: libevent is not among the packages"; exit 1; }
find "$work/out/usr" -name libweir_v8.so | grep . || { echo "FAILED: the engine module is missing"; exit 1; }
"$work/out/usr/bin/weir" --version
"$work/out/usr/bin/weir" -c "$work/out/etc/weir/weir.yaml" --mode validate
