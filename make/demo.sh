#!/bin/bash
# What an agent's account sees, beside what the host sees: demo.sh AGENTSHCTL ACCOUNT. For install.sh --demo; root.
set -euo pipefail

agentshctl=$1 account=$2
names=()
declare -A host=() inside=()

# One script, run on both sides; it prints NAME|VALUE lines and needs nothing but a shell and coreutils.
# shellcheck disable=SC2016
facts='
status() { sed -n "s/^$1:[[:space:]]*//p" /proc/self/status; }
try_usr() {
    if ( : >/usr/agentsh-demo ) 2>/dev/null; then rm -f /usr/agentsh-demo; echo possible; else echo refused; fi
}
set -- /proc/[0-9]*
echo "who|$(id -un), uid $(id -u)"
echo "host name|$(cat /proc/sys/kernel/hostname)"
echo "processes|$# to be seen"
echo "process 1|$(cat /proc/1/comm)"
echo "network|$(sed -n "s/^ *\([^: ]*\):.*/\1/p" /proc/net/dev | paste -sd " ")"
echo "accounts|$(grep -c . /etc/passwd) in /etc/passwd"
echo "password hashes|$(if [ -r /etc/shadow ]; then echo readable; else echo not readable; fi)"
home=${HOME:-/}
echo "home|$home, $(if [ -w "$home" ]; then echo writable; else echo read-only; fi)"
echo "writing to /usr|$(try_usr)"
echo "capabilities|$(status CapEff)"
gain="by setuid programs"
if [ "$(status NoNewPrivs)" = 1 ]; then gain="never (no_new_privs)"; fi
echo "gaining rights|$gain"
echo "system calls|$(if [ "$(status Seccomp)" = 2 ]; then echo "filtered (seccomp)"; else echo all; fi)"
echo "open files|at most $(ulimit -n)"
'

# collect ARRAY COMMAND...: fill the associative array from what the command prints.
collect() {
    local -n into=$1
    local name value
    shift
    while IFS='|' read -r name value; do
        # shellcheck disable=SC2034
        into["$name"]=$value
        [[ " ${names[*]/%/|} " == *" $name| "* ]] || names+=("$name")
    done < <("$@" </dev/null)
}

if ! getent passwd "$account" >/dev/null; then
    "$agentshctl" account add "$account" --template coder
fi

printf '\n    # su - %s -c ...\n\n' "$account"
collect host sh -c "$facts"
collect inside su - "$account" -c "$facts"
if [ ${#inside[@]} -ne ${#host[@]} ]; then
    echo "the login of $account did not come through: try  su - $account -c id" >&2
    exit 1
fi
printf '    %-16s %-34s %s\n' '' "the host" "inside ($account)"
for name in "${names[@]}"; do
    printf '    %-16s %-34s %s\n' "$name" "${host[$name]}" "${inside[$name]}"
done

printf '\n    Limits of its policy (agentshctl policy explain %s):\n\n' "$account"
"$agentshctl" policy explain "$account" |
    awk '$1 == "[limits]" && $2 ~ /^(memory|swap|cpus|tasks|session_time|idle_time)$/ { printf "    %-16s %-10s %s\n", $2, $3, $NF }'

printf '\n    A session while it runs (agentshctl sessions):\n\n'
su - "$account" -c 'sleep 2' </dev/null &
login=$!
for _ in 1 2 3 4 5 6 7 8 9 10; do
    sleep 0.1
    if "$agentshctl" sessions | grep -q "$account"; then break; fi
done
"$agentshctl" sessions | sed 's/^/    /'
wait "$login"

next() { printf '        %-44s %s\n' "$@"; }
printf '\n    Next:\n\n'
next "su - $account" 'look around inside'
printf '        %s\n' 'agentshctl account add agent01 --template coder --key ~/.ssh/id_ed25519.pub'
next 'ssh agent01@localhost' 'the same walls through sshd'
next 'agentshctl doctor' 'what is not as it should be on this host'
next "/etc/agentsh/accounts/$account.ini" 'its policy; all keys: man agentsh.ini'
next "agentshctl account remove $account" 'when you are done'
