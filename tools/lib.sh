# Functions shared by the commands in tools/. Sourced, never run.
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"
export NINJA_STATUS='[%f/%t %es] '

BUILD_PACKAGES=(cmake ninja-build g++ lld libevent-dev libyaml-cpp-dev libssl-dev libnghttp2-dev libexpected-dev libfmt-dev libre2-dev libc-ares-dev
  libhiredis-dev zlib1g-dev libbrotli-dev libzstd-dev nlohmann-json3-dev libcli11-dev libgtest-dev libgmock-dev)

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { say "$*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
jobs_count() { echo "${JOBS:-$(nproc)}"; }

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif have sudo; then
    sudo "$@"
  else
    die "needs root for: $* (become root, install sudo, or install these packages yourself)"
  fi
}

# Prints those of the given packages that are not installed.
missing_packages() {
  local installed package
  installed=$(dpkg-query -W -f '${db:Status-Abbrev}|${Package}\n' "$@" 2>/dev/null | sed -n 's/^ii *|//p' || true)
  for package in "$@"; do
    grep -qx -- "$package" <<<"$installed" || printf '%s\n' "$package"
  done
}

APT_UPDATED=no
apt_update() {
  [ $APT_UPDATED = no ] || return 0
  say "apt-get update"
  as_root apt-get update -q -o Dpkg::Use-Pty=0 >/dev/null || say "apt-get update failed; going on with the lists that are there"
  APT_UPDATED=yes
}

# Installs packages, a line of progress for each; on failure prints what apt said.
apt_install() {
  local log rc=0
  log=$(mktemp)
  say "installing $*"
  { as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends -o Dpkg::Use-Pty=0 "$@" 2>&1 |
    tee "$log" | sed -un 's/^Setting up \([^ ]*\) (\(.*\)) \.\.\./  \1 \2/p' >&2; } || rc=$?
  [ $rc = 0 ] || tail -20 "$log" >&2
  rm -f "$log"
  return $rc
}

# Makes sure that the packages are installed; asks apt only when one is not.
ensure_packages() {
  local missing
  have dpkg-query || { say "no dpkg here: make sure that these exist: $*"; return 0; }
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} -gt 0 ] || return 0
  apt_update
  apt_install "${missing[@]}"
}

# The V8 of Debian's libnode: installed, or (where another nodejs blocks that) unpacked into .deps/.
ensure_v8() {
  local runtime work dependencies
  [ -z "${V8_ROOT:-}" ] || return 0
  ! compgen -G '.deps/usr/lib/*/libnode.so' >/dev/null || [ ! -e .deps/usr/include/node/v8.h ] || return 0
  have dpkg-query || { [ -e /usr/include/node/v8.h ] || say "no dpkg here: give V8_ROOT=DIR"; return 0; }
  [ -n "$(missing_packages libnode-dev)" ] || return 0
  apt_update
  if apt-get install -s --no-install-recommends libnode-dev >/dev/null 2>&1; then
    apt_install libnode-dev
    return
  fi
  runtime=$(apt-cache depends libnode-dev | awk '/ Depends: libnode[0-9]+$/ && !seen++ {print $2}')
  [ -n "$runtime" ] || die "there is no package libnode-dev here: give V8_ROOT=DIR"
  say "another nodejs keeps apt from installing libnode-dev: unpacking libnode-dev and $runtime into .deps/"
  work=$(mktemp -d)
  chmod 755 "$work"
  (cd "$work" && apt-get download -q libnode-dev "$runtime") >&2
  # Taken apart beside its final place, so that an interrupted run leaves nothing half done.
  rm -rf .deps.new && mkdir .deps.new
  for package in "$work"/*.deb; do dpkg -x "$package" .deps.new; done
  mapfile -t dependencies < <(dpkg-deb -f "$work"/"$runtime"_*.deb Depends | tr ',' '\n' |
    sed 's/^ *//; s/[ (|:].*//' | grep -v '^node-\|^$')
  rm -rf "$work"
  ensure_packages "${dependencies[@]}"
  rm -rf .deps && mv .deps.new .deps
}

# True if apt knows the package.
package_exists() { [[ $(apt-cache policy "$1" 2>/dev/null) =~ Candidate:\ [^\(] ]]; }

# For guests in AssemblyScript. A node that is there serves, whoever made its package: Debian's would have to replace it, and
# with a foreign nodejs neither Debian's npm nor libnode-dev can be installed.
wanted_node_packages() {
  have node || have nodejs || echo nodejs npm
}

# Compilers for guests. What cannot be had is said and left out: its filters and their tests are skipped.
ensure_guest_toolchains() {
  local clang_version wanted=() package lists_seen=no
  have dpkg-query || { say "no dpkg here: guests are built with the compilers that are found"; return 0; }
  clang_version=$(default_clang_version)
  for package in clang lld wasi-libc "libclang-rt-$clang_version-dev-wasm32" "libc++-$clang_version-dev-wasm32" \
    rustc cargo libstd-rust-dev-wasm32 wabt $(wanted_node_packages); do
    [ -n "$(missing_packages "$package")" ] || continue
    [ $lists_seen = yes ] || { apt_update; lists_seen=yes; }
    if package_exists "$package"; then
      wanted+=("$package")
    else
      say "SKIPPED: no package $package here; guests that need it are not built"
    fi
  done
  [ ${#wanted[@]} = 0 ] || apt_install "${wanted[@]}" || say "SKIPPED: guest toolchains could not be installed: ${wanted[*]}"
}

# The version of Debian's default clang: its runtime libraries carry it in their names.
default_clang_version() {
  local version
  version=$(dpkg-query -W -f '${Depends}' clang 2>/dev/null | sed -n 's/.*clang-\([0-9]*\).*/\1/p' || true)
  if [ -z "$version" ]; then
    case $(. /etc/os-release && echo "${VERSION_CODENAME:-}") in
      bookworm) version=14 ;;
      trixie) version=19 ;;
      *) version=$(apt-cache depends clang 2>/dev/null | awk '/ Depends: clang-[0-9]+$/ && !seen++ {sub(/.*-/, ""); print}') ;;
    esac
  fi
  echo "${version:-14}"
}

# Configures build/PRESET if that has not been done, or if presets or V8 have changed since.
configure_preset() {
  local preset=$1 log
  if [ -e "build/$preset/build.ninja" ] && [ "build/$preset/build.ninja" -nt CMakePresets.json ] && [ "${RECONFIGURE:-no}" = no ]; then
    return 0
  fi
  say "configuring build/$preset"
  log=$(mktemp)
  cmake --preset "$preset" ${V8_ROOT:+-DV8_ROOT="$V8_ROOT"} ${CMAKE_ARGS:-} >"$log" 2>&1 || { cat "$log" >&2; rm -f "$log"; exit 1; }
  sed -n 's/^-- Found V8: /  V8: /p; /^CMake Warning/,/^$/p' "$log" >&2
  rm -f "$log"
  touch "build/$preset/build.ninja"
}

has_target() { ninja -C "build/$1" -t query "$2" >/dev/null 2>&1; }

# build_preset PRESET [TARGET...]
build_preset() {
  local preset=$1
  shift
  say "building build/$preset${*:+ ($*)}"
  ninja -C "build/$preset" -j "$(jobs_count)" "$@"
}
