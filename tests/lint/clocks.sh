#!/bin/bash
# Whatever lasts is measured on CLOCK_MONOTONIC, so that setting the machine's clock neither ends a session nor keeps one
# alive. The time of day is read in one function, by those who write it down or compare a date of the policy with it.
set -euo pipefail
cd "$(dirname "$0")/../.."

failed=0
complain() { echo "clocks: $1" >&2; failed=1; }
folders=(common policy monitor shell pam_module admin vm)

# Who reads or sets a clock beside common/process.c: which, and for what.
declare -A other=(
    [shell/relay_serve.c]='CLOCK_REALTIME'    # told to a virtual machine that starts
    [shell/guest_machine.c]='CLOCK_REALTIME'  # set by that machine, as it was told
    [admin/live_session.c]='CLOCK_MONOTONIC'  # how many microseconds a phase took
    [vm/kvm.c]='CLOCK_MONOTONIC'              # how fast the processor's virtualization is, with a limit
    [vm/tsc.c]='CLOCK_MONOTONIC_RAW'          # how fast the time-stamp counter runs
)
calls='\b(CLOCK_[A-Z_]+|clock_[gs]ettime|[gs]ettimeofday|timerfd_create|timer_create|ftime|time)\b *[(,)]'
while IFS=: read -r file line text; do
    clocks=$(grep -oE 'CLOCK_[A-Z_]+' <<<"$text" | sort -u) || true
    if [ -z "$clocks" ] || [ "$clocks" != "${other[$file]:-}" ]; then complain "$file:$line: only common/process.c reads a clock"; fi
done < <(grep -nE "$calls" \
             -r "${folders[@]}" --include='*.c' --include='*.h' |
         sed -E 's|/\*.*||' | grep -E "$calls" |
         grep -vE '^[^:]+:[0-9]+: *\*|^common/process\.c:')
grep -oE 'CLOCK_[A-Z_]+' common/process.c | sort | uniq -c | tr -s ' ' | diff - <(printf ' 1 CLOCK_MONOTONIC\n 1 CLOCK_REALTIME\n') >&2 ||
    complain 'common/process.c reads other clocks than once CLOCK_MONOTONIC and once CLOCK_REALTIME'

# Who may ask for the time of day, and for what.
declare -A may=(
    [monitor/audit.c]='the end of a session, written down'
    [monitor/session.c]='its beginning, written down'
    [monitor/log.c]='when a line was logged, written down'
    [monitor/account.c]='[account] expires'
    [admin/doctor_accounts.c]='[account] expires'
    [admin/sessions.c]='how long a session has been open, shown'
    [vm/template.c]='when a template was made, written down'
    [admin/vm_list.c]='how old a template is, shown'
    [monitor/root_image.c]='when an image of a root was made, written down'
    [admin/root_verbs.c]='how old an image of a root is, shown'
)
while IFS= read -r file; do
    [ -n "${may[$file]:-}" ] || complain "$file uses process_realtime(): what for?"
done < <(grep -lE '\bprocess_realtime\(' -r "${folders[@]}" --include='*.c' | grep -v '^common/process\.c$')
exit $failed
