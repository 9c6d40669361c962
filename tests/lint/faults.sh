#!/bin/bash
# Fault injection is not in what is installed: no switch, no variable, no code of it. And common/fault_switches.def names
# each switch that the code has, and no other. Uses the objects folder in $O or $AGENTSH_BUILD (default build).
set -euo pipefail
cd "$(dirname "$0")/../.."

O=${O:-${AGENTSH_BUILD:-build}}
failed=0
complain() { echo "faults: $1" >&2; failed=1; }

table=$(sed -nE 's/^SWITCH\("([^"]+)", test_[a-z_]+\)$/\1/p' common/fault_switches.def)
[ "$(grep -c '^SWITCH' common/fault_switches.def)" -eq "$(wc -l <<<"$table")" ] || complain "a line of the table is malformed"
repeated=$(sort <<<"$table" | uniq -d)
[ -z "$repeated" ] || complain "more than once in the table: $repeated"
sources=(common/*.c policy/*.c monitor/*.c shell/*.c pam_module/*.c admin/*.c vm/*.c)

# The steps of a session are switches, too, by their names.
steps=$(sed -nE 's/^[[:space:]]*\{ "([^"]+)", JAIL_[A-Z]+, .*/\1/p' monitor/jail_steps.c
        sed -n '/^} steps\[\] = {/,/^};/p' monitor/session.c | grep -oE '"[^"]+"' | tr -d '"')
code=$(grep -ohE 'OMIT_POINT\("[^"]+"\)' "${sources[@]}" | sed -E 's/.*"(.*)".*/\1/' | sort -u)
while read -r name; do
    complain "\"$name\" is not in common/fault_switches.def"
done < <(grep -vxF -f <(echo "$table"; echo "$steps") <<<"$code")
while read -r name; do
    [[ $name =~ \ of\ /|^limit\ |^refuse\  || $'\n'$code$'\n' == *$'\n'"$name"$'\n'* ]] ||
        complain "\"$name\" is in the table and not in the code"
done <<<"$table"
while read -r path; do
    grep -qxF "mask of /proc/$path" <<<"$table" || complain "the mask of /proc/$path is not in the table"
done < <(sed -nE 's/^PROC_HIDE\("(.*)"\)/\1/p' monitor/jail_proc.def)

names=$(grep -vxF "$steps" <<<"$table" | grep -vxE "services|passwd home" | awk 'length($0) >= 6'
        printf '%s\n' 'nosuid of ' 'nodev of ' 'mask of ')
for program in agentsh agentsh-init agentsh-monitor agentshctl pam_agentsh.so; do
    text=$(strings -a -n 6 "$O/$program")
    grep -E 'AGENTSH_(FAULT|OMIT)' <<<"$text" >/dev/null && complain "$program asks for fault injection"
    # Each name is a string of a switch that was compiled in; those made of parts show by their first one.
    while read -r name; do
        complain "$program has the switch \"$name\""
    done < <(grep -xF -f <(echo "$names") <<<"$text" | sort -u)
    nm "$O/$program" 2>/dev/null | grep -E ' (jail_break|fault_(named|omits))$' >/dev/null &&
        complain "$program has code of fault injection"
done
exit $failed
