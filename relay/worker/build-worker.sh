#!/usr/bin/env bash
# Builds mediasoup's worker from the sources in its npm package and Debian's libraries, and puts it where mediasoup
# looks for it. (The package's own ways, a ready binary and a meson build, both load from the network.)
#
#   build-worker.sh [--cached] [node_modules/mediasoup]
#
# The binary is kept in $PARLEY_CACHE/relay-worker (default: $XDG_CACHE_HOME/parley, ~/.cache/parley) under a key of
# everything that goes into it; with the same key again it is only copied. An interrupted build goes on where it was.
# Prints "progress N/M" while it compiles, and the binary's path at the end.
#
#   --cached   only copy from the cache: exit 3 where the cache has none, and touch nothing
#   exit 4     this machine cannot build: the reason and what to do about it are on stderr
set -euo pipefail

cached_only=
if [ "${1-}" = --cached ]; then
  cached_only=yes
  shift
fi

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
package=$(cd "${1:-node_modules/mediasoup}" && pwd)
out=$package/worker/out/Release/mediasoup-worker
cache=${PARLEY_CACHE:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/parley}/relay-worker
packages=(g++ make libuv1-dev libssl-dev libsrtp2-dev libabsl-dev libflatbuffers-dev flatbuffers-compiler libnss3)

refuse() {
  echo "$1" >&2
  exit 4
}

missing_packages() {
  local name
  for name in "${packages[@]}"; do
    # The status is asked for by name: a package that was removed is still known to dpkg.
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || echo "$name"
  done
}

# Sources, recipe and libraries: whatever changes the binary changes the key.
cache_key() {
  {
    cd "$package/worker" && find src include fbs deps meson.build -type f -print0 | sort -z | xargs -0 sha256sum
    cd "$here" && find . -type f ! -name README.md -print0 | sort -z | xargs -0 sha256sum
    dpkg-query -W -f '${Package} ${Version} ${Architecture}\n' "${packages[@]}" | sort
    echo "${CXXFLAGS-}"
  } | sha256sum | cut -c1-16
}

command -v dpkg-query >/dev/null || {
  [ -z "$cached_only" ] || exit 3
  refuse "The relay's worker can only be built on Debian or Ubuntu. Elsewhere, set MEDIASOUP_WORKER_BIN to a mediasoup-worker of the version in package.json."
}

missing=$(missing_packages)
if [ -n "$missing" ]; then
  [ -z "$cached_only" ] || exit 3
  [ "$(id -u)" = 0 ] || refuse "Building the relay's worker needs packages that only root can install. Run once: sudo apt-get install ${missing//$'\n'/ }"
  echo "installing ${missing//$'\n'/ }"
  export DEBIAN_FRONTEND=noninteractive
  # shellcheck disable=SC2086  # one word per package
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing; } >/dev/null ||
    refuse "apt-get could not install what the relay's worker is built from: ${missing//$'\n'/ }"
fi

key=$(cache_key)
if [ ! -x "$cache/$key" ]; then
  [ -z "$cached_only" ] || exit 3
  build=$cache/$key.build
  mkdir -p "$build"
  # Two set-ups at once (npm start beside npm test) share one build: the second waits, then finds it done.
  exec 9>"$cache/$key.lock"
  flock 9
  if [ ! -x "$cache/$key" ]; then
    # An older key's half build is of no use to anybody.
    find "$cache" -maxdepth 1 -name '*.build' ! -path "$build" -mmin +1440 -exec rm -rf {} +
    "$here/batches.sh" "$package/worker" "$build"
    make -s -C "$build" -f "$here/worker.mk" -j"$(nproc)" W="$package/worker" H="$here"
    # It loads, and ends with 41 because it was not mediasoup that started it.
    status=0
    env -i "$build/mediasoup-worker" >/dev/null 2>&1 || status=$?
    [ "$status" = 41 ] || refuse "The relay's worker was built, but does not start here (exit $status)."
    mv "$build/mediasoup-worker" "$cache/$key"
    rm -rf "$build"
  fi
  rm -f "$cache/$key.lock"
fi

mkdir -p "$(dirname "$out")"
# Renamed into place: a worker that runs just now keeps its file, and nobody starts half of one.
install -m 755 "$cache/$key" "$out.$$"
mv -f "$out.$$" "$out"
echo "$out"
