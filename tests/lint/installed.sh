#!/bin/bash
# What `make install` leaves: no setuid, setgid or file capability, the right owners' bits, static programs, a module
# that exports only pam_sm_*; an edited configuration file stays, and `make uninstall` takes away everything else.
# Uses the objects folder in $O or $AGENTSH_BUILD (default build).
set -euo pipefail
unset MAKEFLAGS MFLAGS MAKELEVEL
cd "$(dirname "$0")/../.."

O=${O:-${AGENTSH_BUILD:-}}
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
failed=0
complain() { echo "installed: $1" >&2; failed=1; }
make_it() { make --no-print-directory ${O:+O="$O"} DESTDIR="$stage" PREFIX=/usr/local "$@"; }

# As an administrator with a strict umask would.
(umask 077 && make_it install >"$stage/log" 2>&1) || { cat "$stage/log" >&2; exit 1; }
rm -f "$stage/log"
eval "$(make_it -s install-vars)"

while read -r file; do complain "$file carries a setuid or setgid bit"; done < <(find "$stage" -type f -perm /6000)
if command -v getcap >/dev/null; then
    while read -r file; do complain "$file carries a file capability"; done < <(getcap -r "$stage" 2>/dev/null)
fi
while read -r file; do complain "$file is writable by others than its owner"; done \
    < <(find "$stage" -mindepth 1 ! -type l -perm /022)
while read -r file; do complain "$file holds an unreplaced @NAME@"; done \
    < <(grep -rlIE '@[A-Z]+DIR@' "$stage" || true)

mode() {
    [ "$(stat -c %a "$stage$1" 2>/dev/null)" = "$2" ] || complain "$1 is not there with mode $2"
}
mode "$BINDIR/agentsh" 755
mode "$LIBEXECDIR/agentsh-init" 755
mode "$LIBEXECDIR/agentsh-monitor" 755
mode "$LIBEXECDIR/agentsh-probe" 755
mode "$SBINDIR/agentshctl" 755
mode "$PAMDIR/pam_agentsh.so" 644
mode "$CONFDIR" 755
mode "$CONFDIR/accounts" 755
mode "$CONFDIR/keys" 755
mode "$STATEDIR" 700
mode "$STATEDIR/homes" 700
mode "$LOGDIR" 700
mode "$CONFDIR/agentsh.ini" 644

# The sanitizers cannot be linked into a static program: such a build is never installed for real.
if [ "${SANITIZE:-}" != 1 ]; then
    for program in "$BINDIR/agentsh" "$LIBEXECDIR/agentsh-init" "$LIBEXECDIR/agentsh-probe"; do
        LC_ALL=C ldd "$stage$program" 2>&1 | grep -qE 'statically linked|not a dynamic executable' ||
            complain "$program is not static"
        readelf -lW "$stage$program" | grep -q INTERP && complain "$program names a dynamic loader"
        readelf -hW "$stage$program" | grep -q 'Type:.*DYN' || complain "$program is not position-independent"
    done
    for program in "$BINDIR/agentsh" "$LIBEXECDIR/agentsh-init" "$LIBEXECDIR/agentsh-monitor" "$LIBEXECDIR/agentsh-probe" \
                   "$SBINDIR/agentshctl" \
                   "$PAMDIR/pam_agentsh.so"; do
        segments=$(readelf -lW "$stage$program")
        grep -q GNU_RELRO <<<"$segments" || complain "$program has no relro segment"
        grep -E 'GNU_STACK.*RWE' <<<"$segments" >/dev/null && complain "$program has an executable stack"
    done
    # The module takes only libpam and libc into sshd.
    needed=$(readelf -dW "$stage$PAMDIR/pam_agentsh.so" | sed -nE 's/.*NEEDED.*\[(.*)\]/\1/p' |
             grep -vE '^(libpam\.so|libc\.so|ld-linux)' || true)
    [ -z "$needed" ] || complain "pam_agentsh.so needs $needed"
fi
exports=$(nm -D --defined-only "$stage$PAMDIR/pam_agentsh.so" | awk '$2 != "A" { print $3 }' |
          grep -vE '^pam_sm_[a-z_]+(@@.*)?$' || true)
[ -z "$exports" ] || complain "pam_agentsh.so exports $exports"

# An edited file survives a second installation and the removal; an untouched one goes.
echo '# edited' >>"$stage$CONFDIR/agentsh.ini"
make_it install >/dev/null
tail -1 "$stage$CONFDIR/agentsh.ini" | grep -q '^# edited$' || complain "a second installation overwrote agentsh.ini"
touch "$stage$CONFDIR/accounts/agent01.ini"
make_it uninstall >/dev/null
[ -e "$stage$CONFDIR/agentsh.ini" ] || complain "the removal took an edited agentsh.ini"
[ -e "$stage$CONFDIR/accounts/agent01.ini" ] || complain "the removal took an account's policy"
rm -f "$stage$CONFDIR/agentsh.ini" "$stage$CONFDIR/accounts/agent01.ini"
while read -r file; do complain "the removal left ${file#"$stage"}"; done < <(find "$stage" -type f -o -type l)
exit $failed
