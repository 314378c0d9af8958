#!/usr/bin/env bash
# tools/vulnerabilities.sh GOVULNCHECK [PACKAGE…]
#
# Fails if the program calls code with a known vulnerability. If the database of vulnerabilities can't
# be reached, it says in one line that nothing was checked, and does not fail.
set -euo pipefail

govulncheck=$1
shift
limit=${VULNERABILITIES_LIMIT:-300} # seconds

said=$(mktemp)
trap 'rm -f "$said"' EXIT

"$govulncheck" "${@:-./...}" >"$said" 2>&1 &
checker=$!
(
  trap 'kill "$sleeper" 2>/dev/null' TERM
  sleep "$limit" &
  sleeper=$!
  wait "$sleeper" && kill "$checker" 2>/dev/null
) &
watch=$!
code=0
wait "$checker" 2>/dev/null || code=$?
# The file is read before the watch is killed: a subshell that dies before it has reset its traps
# runs those of this shell, and removes the file.
output=$(<"$said")
kill "$watch" 2>/dev/null || true
wait "$watch" 2>/dev/null || true

not_known() {
  echo "NOT CHECKED for known vulnerabilities: $1" >&2
}
case $code in
  0) ;;
  143) not_known "govulncheck took longer than $limit s" ;;
  1)
    # govulncheck begins this message in the same way, whatever keeps it from the database.
    if why=$(grep -m1 '^govulncheck: fetching vulnerabilities: ' <<<"$output"); then
      not_known "${why#govulncheck: fetching vulnerabilities: }"
    else
      echo "$output" >&2
      exit 1
    fi
    ;;
  *)
    echo "$output" >&2
    exit "$code"
    ;;
esac
