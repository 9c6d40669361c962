#!/bin/bash
# The list of properties names steps and tests that exist, and docs/threat_model.md has the table made from it.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec env PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 tests/battery/battery.py check
