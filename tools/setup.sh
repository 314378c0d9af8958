#!/usr/bin/env bash
# tools/setup.sh sets a fresh Debian up to work on Marcador: compilers, browsers, proxies, and the
# tools that the Makefile uses. It needs root or sudo, takes a few minutes, and may be run again.
#
# It is a script and not a dev container, because it works in any of them: on a machine, in a virtual
# machine, and as the set-up step of a container. Most of it is what `make test` runs too.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
  echo "$0: $1" >&2
  exit 1
}

command -v apt-get >/dev/null || fail "this is no Debian: install Go, gcc, make, git, Node 20 or newer with npm 10 or newer, sqlite3, curl, strace, nginx, HAProxy, Chromium and Firefox by hand"
root=(env)
[[ $(id -u) -eq 0 ]] || root=(sudo env)
apt() {
  "${root[@]}" DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Dpkg::Use-Pty=0 "$@" </dev/null >/dev/null
}

packages=()
for pair in curl:curl git:git make:make gcc:gcc sqlite3:sqlite3 node:nodejs npm:npm go:golang-go; do
  command -v "${pair%%:*}" >/dev/null || packages+=("${pair#*:}")
done
[[ -e /etc/ssl/certs/ca-certificates.crt ]] || packages+=(ca-certificates)
[[ -e /usr/include/stdlib.h ]] || packages+=(libc6-dev) # the race detector is linked with it
if [[ ${#packages[@]} -gt 0 ]]; then
  echo "== apt-get install ${packages[*]}"
  apt update
  apt install --no-install-recommends "${packages[@]}"
fi

node=$(node --version)
node=${node#v}
[[ ${node%%.*} -ge 20 ]] || fail "Node is $node: install Node 20 or newer (Debian 13 has it)"

# Debian 13 has npm 9, which can't override a dependency on "latest", as package.json does.
if [[ $(npm --version) == [1-9].* ]]; then
  echo "== npm install --global npm@10"
  "${root[@]}" npm install --global --no-audit --no-fund --no-update-notifier npm@10 >/dev/null
  hash -r
fi

# Go 1.21 and newer downloads the version that go.mod names.
go version >/dev/null 2>&1 ||
  fail "this Go can't use go.mod, which names Go $(sed -n 's/^go //p' go.mod): install Go 1.21 or newer (Debian 13 has it)"

tools/programs.sh peers
echo "== go mod download"
go mod download
make tools node_modules/.package-lock.json
echo "ready: \`make\` lists what there is to do; try \`make test PKG=./rank\`"
