#!/usr/bin/env bash
# Runs every benchmark (those that match $BENCH) $COUNT times and keeps what they print in
# bench/go.txt, under the machine that they ran on. The header's lines are of the form that
# benchstat reads.
set -euo pipefail
cd "$(dirname "$0")/.."

machine() {
  echo "date: $(date -u +%Y-%m-%dT%H:%MZ)"
  echo "go: $(go env GOVERSION)"
  echo "kernel: $(uname -sr)"
  if [[ $(uname -s) == Darwin ]]; then
    echo "cpu: $(sysctl -n machdep.cpu.brand_string)"
    echo "cores: $(sysctl -n hw.ncpu)"
    echo "memory: $(($(sysctl -n hw.memsize) / 1048576)) MiB"
  else
    echo "cpu: $(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)"
    echo "cores: $(nproc)"
    echo "memory: $(($(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo) / 1024)) MiB"
  fi
}

# What was there stays until the new run is whole.
new=$(mktemp)
trap 'rm -f "$new"' EXIT
{
  machine
  go test -run '^$' -bench "${BENCH:-.}" -benchmem -count "${COUNT:-6}" -timeout 1h ./...
} | tee "$new"

mkdir -p bench
cat "$new" >bench/go.txt
echo
"$1" bench/go.txt
