#!/usr/bin/env bash
# Installs the programs that the tests run, if they are missing and apt-get may be used:
#   tools/programs.sh          for one room: curl, strace (on Linux) and Chromium
#   tools/programs.sh peers    for make test and make peers: nginx, HAProxy and Firefox as well
# Chromium is $CHROMIUM, or chromium on the PATH. Firefox is $FIREFOX, or firefox-esr or firefox on
# the PATH. nginx and HAProxy may be in /usr/sbin.
set -euo pipefail

fail() {
  echo "$0: $1" >&2
  exit 1
}

servers=()
missing=()
if [[ -n ${CHROMIUM:-} ]] && ! command -v "$CHROMIUM" >/dev/null; then
  fail "CHROMIUM is \"$CHROMIUM\", which can't be run: let it name a Chromium or Chrome, or unset it"
fi
command -v "${CHROMIUM:-chromium}" >/dev/null || missing+=(chromium)
command -v curl >/dev/null || missing+=(curl)
[[ $(uname -s) != Linux ]] || command -v strace >/dev/null || missing+=(strace)
if [[ ${1:-} == peers ]]; then
  servers=(nginx haproxy)
  if [[ -n ${FIREFOX:-} ]] && ! command -v "$FIREFOX" >/dev/null; then
    fail "FIREFOX is \"$FIREFOX\", which can't be run: let it name a Firefox, or unset it"
  fi
  command -v "${FIREFOX:-firefox-esr}" >/dev/null || command -v firefox >/dev/null || missing+=(firefox-esr)
  for server in "${servers[@]}"; do
    PATH=$PATH:/usr/sbin command -v "$server" >/dev/null || missing+=("$server")
  done
fi
if [[ ${#missing[@]} -eq 0 ]]; then
  exit 0
fi
by_hand="install it by hand (Debian: apt-get install ${missing[*]}), or let CHROMIUM name a Chromium or Chrome, and FIREFOX a Firefox"

root=(env)
if [[ $(id -u) -ne 0 ]]; then
  root=(sudo -n env)
fi
if ! command -v apt-get >/dev/null || ! "${root[@]}" true 2>/dev/null; then
  fail "the tests need ${missing[*]}: $by_hand"
fi

apt() {
  "${root[@]}" DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
    -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0 -o Acquire::Retries=3 "$@" </dev/null >/dev/null
}
running() {
  grep -lxE 'nginx|haproxy' /proc/[0-9]*/comm 2>/dev/null || true
}
before=$(running)

echo "== apt-get install ${missing[*]}"
if ! { apt update && apt install --no-install-recommends "${missing[@]}"; }; then
  fail "apt-get could not install ${missing[*]}: $by_hand"
fi

# Debian starts a server that it installs, now and at each boot. The tests start their own, and
# nobody asked for one on port 80.
for server in ${servers[@]+"${servers[@]}"}; do
  if [[ " ${missing[*]} " == *" $server "* ]]; then
    "${root[@]}" update-rc.d "$server" disable >/dev/null 2>&1 || true
    "${root[@]}" service "$server" stop >/dev/null 2>&1 || true # it may never have been started
  fi
done
if [[ $(running) != "$before" ]]; then
  fail "a package has started its server, which the tests don't need and which could not be stopped: stop it, and run this again"
fi
