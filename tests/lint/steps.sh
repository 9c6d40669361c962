#!/bin/bash
# The steps that make a jail stand in one list in the code, and the same list stands in docs/architecture.md.
set -euo pipefail
cd "$(dirname "$0")/../.."

code=$(sed -nE 's/^[[:space:]]*\{ "([^"]+)", JAIL_[A-Z]+, .*/\1/p' monitor/jail_steps.c)
text=$(sed -n '/^## Building the jail/,/^## /p' docs/architecture.md | sed -nE 's/^[0-9]+\. \*\*([^*]+)\*\*:.*/\1/p')
[ -n "$code" ] || { echo "steps: no step found in monitor/jail_steps.c" >&2; exit 1; }
diff <(echo "$code") <(echo "$text") >&2 || {
    echo "steps: docs/architecture.md (>) does not have the steps of monitor/jail_steps.c (<)" >&2
    exit 1
}
