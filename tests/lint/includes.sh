#!/bin/bash
# A folder is a trust domain: who may include what. common <- policy <- monitor, admin; shell, pam_module: common only.
set -euo pipefail
cd "$(dirname "$0")/../.."

declare -A may=(
    [common]="common"
    [policy]="common policy"
    [monitor]="common policy monitor"
    [admin]="common policy admin probe"
    [shell]="common shell"
    [pam_module]="common pam_module"
    [probe]="probe"
)
# Libraries that only some domains may use: header prefix -> folders.
declare -A library=(
    [iniparser]="policy" [dictionary]="policy"
    [sys/capability]="monitor" [seccomp]="monitor shell"
    [security/]="pam_module admin"
)

failed=0
complain() { echo "includes: $1" >&2; failed=1; }

for folder in "${!may[@]}"; do
    for file in "$folder"/*.[ch] "$folder"/*.def; do
        [ -e "$file" ] || continue
        while IFS=: read -r line included; do
            case $included in
            */*) domain=${included%%/*} ;;
            *) complain "$file:$line: \"$included\" has no folder in front"; continue ;;
            esac
            [[ " ${may[$folder]} " == *" $domain "* ]] ||
                complain "$file:$line: $folder may not include $included (only: ${may[$folder]})"
        done < <(sed -nE 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*"([^"]+)".*/\1/;T;=;p' "$file" | paste -d: - -)
        for prefix in "${!library[@]}"; do
            [[ " ${library[$prefix]} " == *" $folder "* ]] && continue
            if line=$(grep -nE "^[[:space:]]*#[[:space:]]*include[[:space:]]*<$prefix" "$file"); then
                complain "$file:${line%%:*}: only ${library[$prefix]} may use <$prefix...>"
            fi
        done
    done
done
exit $failed
