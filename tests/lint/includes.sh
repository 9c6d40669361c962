#!/bin/bash
# A folder is a trust domain: who may include what. common <- policy <- monitor, admin; shell, pam_module: common only.
set -euo pipefail
cd "$(dirname "$0")/../.."

declare -A may=(
    [common]="common"
    [policy]="common policy"
    [vm]="common vm shell"
    [monitor]="common policy vm monitor"
    [admin]="common policy vm admin probe"
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

# "folder:what" pairs that awk reads, then every #include line of the tree, once.
rules() {
    local folder prefix
    for folder in "${!may[@]}"; do printf 'may %s %s\n' "$folder" "${may[$folder]}"; done
    for prefix in "${!library[@]}"; do printf 'library %s %s\n' "$prefix" "${library[$prefix]}"; done
}
sources() { for folder in "${!may[@]}"; do ls "$folder"/*.[ch] "$folder"/*.def 2>/dev/null || true; done; }

sources | xargs grep -nE '^[[:space:]]*#[[:space:]]*include' | awk -v rules="$(rules)" '
    BEGIN {
        n = split(rules, lines, "\n")
        for (i = 1; i <= n; i++) {
            words = split(lines[i], word, " ")
            text = lines[i]
            sub(/^[^ ]+ [^ ]+ ?/, "", text)
            if (word[1] == "may") may[word[2]] = text
            else library[word[2]] = text
        }
    }
    function complain(text) { print "includes: " text > "/dev/stderr"; failed = 1 }
    function listed(list, word) { return index(" " list " ", " " word " ") > 0 }
    {
        split($0, part, ":")
        file = part[1]; line = part[2]
        folder = file; sub(/\/.*/, "", folder)
        if (match($0, /include[[:space:]]*"[^"]+"/)) {
            name = substr($0, RSTART, RLENGTH); gsub(/include[[:space:]]*"|"/, "", name)
            domain = name
            if (!sub(/\/.*/, "", domain)) complain(file ":" line ": \"" name "\" has no folder in front")
            else if (!listed(may[folder], domain))
                complain(file ":" line ": " folder " may not include " name " (only: " may[folder] ")")
        } else if (match($0, /<[^>]+>/)) {
            name = substr($0, RSTART + 1, RLENGTH - 2)
            for (prefix in library)
                if (index(name, prefix) == 1 && !listed(library[prefix], folder))
                    complain(file ":" line ": only " library[prefix] " may use <" name ">")
        }
    }
    END { exit failed }'
