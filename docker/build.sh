#!/bin/sh
# The build steps of docker/Dockerfile, so that they also run (and are tested) without Docker.
#
#   docker/build.sh DESTINATION [BUILD_FOLDER]
#
# Builds weir in the source folder (or takes what BUILD_FOLDER, relative or absolute, holds already) and installs what the image needs below DESTINATION: the binary, the engine module, the
# example configurations, and a list of the Debian packages that they need at run time.
set -eu
destination=$1
build=${2:-}
cd "$(dirname "$0")/.."
if [ -z "$build" ]; then
  tools/build release weir
  build=build/release
fi
mkdir -p "$destination"
cmake --install "$build" --prefix "$destination/usr" --component runtime --strip
mkdir -p "$destination/etc/weir"
cp docker/weir.yaml "$destination/etc/weir/weir.yaml"
cp docker/redirect.sh "$destination/usr/bin/weir-redirect"

# The engine's V8 comes along where it was not installed by a package.
if [ -d .deps/usr/lib ]; then
  for library in .deps/usr/lib/*/libnode.so.*; do
    cp "$library" "$destination$(dirname "${library#.deps}")/" 2>/dev/null ||
      { mkdir -p "$destination$(dirname "${library#.deps}")"; cp "$library" "$destination$(dirname "${library#.deps}")/"; }
  done
fi

# Which packages own the shared libraries that the installed files are linked with. `ldd` names paths below /lib, packages
# below /usr/lib: both spellings are asked for.
for file in "$destination"/usr/bin/weir $(find "$destination/usr" -name 'libweir_v8.so' -o -name 'libnode.so.*'); do
  ldd "$file" 2>/dev/null
done | sed -n 's/.*=> \(\/[^ ]*\) .*/\1/p' | sort -u | while IFS= read -r library; do
  real=$(readlink -f "$library")
  for path in "$library" "/usr$library" "$real" "${real#/usr}"; do
    if owner=$(dpkg-query -S "$path" 2>/dev/null); then
      echo "${owner%%:*}"
      break
    fi
  done
done | sort -u >"$destination/packages.txt"
echo "docker/build.sh: $destination is ready; packages at run time: $(tr '\n' ' ' <"$destination/packages.txt")"
