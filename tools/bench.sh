#!/usr/bin/env bash
# tools/bench.sh BENCHSTAT
#
# Runs every benchmark, or those that match $BENCH, $COUNT times, and writes the results to
# bench/go.txt. The file begins with a description of the machine, in lines that benchstat reads.
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

# The old results stay until the new run is complete.
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
