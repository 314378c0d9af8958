#!/usr/bin/env bash
# Has git run the hooks of this folder, in this clone and its worktrees. It replaces no hooks of
# somebody's own. `git config --unset core.hooksPath` takes it back.
set -euo pipefail
cd "$(dirname "$0")/../.."

current=$(git config core.hooksPath || true)
if [[ -n $current && $current != tools/hooks ]]; then
  echo "$0: git takes its hooks from $current (core.hooksPath): call tools/hooks/pre-commit from there" >&2
  exit 1
fi
own=$(git rev-parse --git-path hooks)/pre-commit
if [[ -z $current && -e $own ]]; then
  echo "$0: there is $own already: call tools/hooks/pre-commit from it" >&2
  exit 1
fi
git config core.hooksPath tools/hooks
echo "git runs tools/hooks/pre-commit before each commit"
