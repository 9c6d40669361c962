#!/bin/bash
# Installs agentsh on this host, or removes it again. `./install.sh --help` lists the options.
#
# Order: dependencies, build, files, listener, PAM, sshd. PAM comes after everything that it needs, and is taken back
# when an account that is no agent's cannot log in any more. Run again at any time: the same state comes out.

set -Eeuo pipefail
umask 022
export LC_ALL=C DEBIAN_FRONTEND=noninteractive PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
unset MAKEFLAGS MFLAGS MAKELEVEL DESTDIR CFLAGS LDFLAGS SANITIZE FAULTS BASH_ENV ENV CDPATH

source_dir=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
readonly source_dir
readonly state_dir=/var/lib/agentsh config_dir=/etc/agentsh run_dir=/run/agentsh
readonly record=$state_dir/installed            # "prefix=/usr/local": where --uninstall finds things
readonly demo_account=agent-demo
readonly snippet=50-agentsh.conf
readonly optional='libclang-rt-dev'             # elsewhere part of clang itself

action=install prefix='' with_deps=yes with_tests=no demo=no purge=no
step='reading the options' hint='' log='' pam_unproved=no pam_backup=''

usage() {
    cat <<END
Usage: install.sh [OPTION]...
Install agentsh on this host: AI agents' accounts log in to an isolation.

  --demo            also make the account $demo_account, and show what it sees beside what the host sees
  --uninstall       remove everything again; accounts, their policies and homes stay
  --purge           with --uninstall: accounts, policies, homes and logs go too
  --prefix=DIR      where programs go (default /usr/local)
  --no-deps         install no packages
  --check-deps      only say which packages are missing (exit status 1: some are)
  --deps-only       only install packages
  --with-tests      also the packages that the tests need
  --help
END
}

# --- telling what happens, and what went wrong -----------------------------------------------------------------------

say() { printf '%s\n' "$*"; }
begin() {
    step=$1 hint=$2
    printf '==> %s\n' "$step"
}

die() {
    printf '\ninstall.sh: failed while %s: %s\n' "$step" "$1" >&2
    [ -z "$hint" ] || printf 'What to do: %s\n' "$hint" >&2
    exit 1
}

# Output goes to the log; its end is shown when the command fails.
run() {
    if ! "$@" >"$log" 2>&1 </dev/null; then
        tail -n 30 "$log" >&2
        die "'$*' did not succeed (its last lines are above)"
    fi
}

leave() {
    local status=$?
    trap - EXIT ERR
    set +e
    if [ "$pam_unproved" = yes ]; then
        pam_take_back
        [ "$status" -ne 0 ] || status=1
    fi
    [ -z "$log" ] || rm -f "$log"
    exit "$status"
}

# --- packages --------------------------------------------------------------------------------------------------------

# Sets `family` (debian, fedora, other) from os-release.
detect_family() {
    local ids
    # shellcheck source=/dev/null
    ids=$(. /etc/os-release 2>/dev/null && echo " ${ID:-} ${ID_LIKE:-} ")
    case $ids in
    *" debian "* | *" ubuntu "*) family=debian ;;
    *" fedora "* | *" rhel "* | *" centos "*) family=fedora ;;
    *) family=other ;;
    esac
}

# Sets `packages` to what this family calls what we need.
list_packages() {
    case $family in
    debian)
        packages=(gcc make pkg-config libc6-dev libpam0g-dev libcap-dev libseccomp-dev libiniparser-dev passwd)
        [ "$with_tests" = no ] || packages+=(libcmocka-dev clang libclang-rt-dev clang-tidy clang-format cppcheck
            shellcheck universal-ctags binutils libcap2-bin perl openssh-server openssh-client rsync git python3
            python3-pytest python3-pexpect pamtester keyutils tmux nodejs strace sudo cron at nftables iproute2 xauth
            util-linux uidmap procps bubblewrap vim-tiny less sqlite3 dpkg-dev fakeroot xz-utils
            qemu-system-x86 mmdebstrap erofs-utils e2fsprogs kmod lz4)
        ;;
    fedora)
        packages=(gcc make pkgconf-pkg-config glibc-static pam-devel libcap-devel libseccomp-devel iniparser-devel
            shadow-utils)
        [ "$with_tests" = no ] || packages+=(libcmocka-devel clang compiler-rt clang-tools-extra cppcheck ShellCheck
            ctags binutils perl openssh-server openssh-clients rsync git python3 python3-pytest python3-pexpect nodejs
            strace sudo cronie at bubblewrap vim-minimal less iproute)
        ;;
    *) packages=() ;;
    esac
}

# Sets `missing`.
list_missing() {
    local package installed=''
    missing=()
    if [ "$family" = debian ]; then
        installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${packages[@]}" 2>/dev/null || true)
    fi
    for package in ${packages[@]+"${packages[@]}"}; do
        case $family in
        debian) grep -qxF "$package installed" <<<"$installed" || missing+=("$package") ;;
        fedora) rpm -q --quiet --whatprovides "$package" || missing+=("$package") ;;
        esac
    done
}

# Keeps in `missing` what the archive has; only a package that the tests would like may be unknown to it.
drop_unknown() {
    local package known=()
    for package in "${missing[@]}"; do
        if apt-cache show "$package" >/dev/null 2>&1; then
            known+=("$package")
        elif [[ " $optional " == *" $package "* ]]; then
            say "    not in this archive, left out: $package"
        else
            hint='on Ubuntu, libiniparser-dev is in the "universe" archive: add-apt-repository universe'
            die "the package archive does not know $package"
        fi
    done
    missing=(${known[@]+"${known[@]}"})
}

install_debian() {
    local apt=(apt-get -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 -q)
    hint='see that this host reaches its package archive (apt-get update), or install them by hand: '"${missing[*]}"
    run "${apt[@]}" update
    drop_unknown
    [ ${#missing[@]} -eq 0 ] || run "${apt[@]}" install -y --no-install-recommends "${missing[@]}"
}

install_fedora() {
    hint='on RHEL and its relatives: dnf config-manager --set-enabled crb (glibc-static), dnf install epel-release
(iniparser-devel); or install them by hand: '"${missing[*]}"
    run dnf -y install "${missing[@]}"
}

do_packages() {
    begin 'looking for the packages that are needed' ''
    list_packages
    list_missing
    if [ "$action" = check-deps ]; then
        [ "$family" != other ] || die 'this distribution is not known to install.sh'
        [ ${#missing[@]} -gt 0 ] || { say '    all there'; exit 0; }
        say "    missing: ${missing[*]}"
        exit 1
    fi
    if [ "$family" = other ]; then
        say '    this distribution is not known: needed are gcc, make, pkg-config, a static libc, and the development'
        say '    files of linux-pam, libcap, libseccomp and iniparser (4.1 or later)'
    elif [ ${#missing[@]} -gt 0 ]; then
        say "    installing: ${missing[*]}"
        "install_$family"
    fi
}

# --- build and files -------------------------------------------------------------------------------------------------

make_here() { make --no-print-directory -C "$source_dir" O="$objects" PREFIX="$prefix" "$@"; }

# Sets `prefix` and `objects`; an installation under another prefix has to go first.
choose_prefix() {
    local recorded=''
    [ ! -r "$record" ] || recorded=$(sed -n 's/^prefix=//p' "$record")
    [ -n "$prefix" ] || prefix=${recorded:-/usr/local}
    case $prefix in
    /*) ;;
    *) die "--prefix=$prefix is not an absolute path" ;;
    esac
    [[ $prefix =~ ^[A-Za-z0-9/._+-]+$ ]] || die "--prefix=$prefix holds characters that do not fit into a path here"
    if [ -n "$recorded" ] && [ "$recorded" != "$prefix" ]; then
        hint="./install.sh --uninstall, then again with --prefix=$prefix"
        die "agentsh is installed under $recorded"
    fi
    # An objects folder of its own: the paths are compiled in, and a developer's build may have others. Whoever knows that
    # it has not (the tests) names it.
    objects=${AGENTSH_OBJECTS:-$source_dir/build/install${prefix//\//-}}
}

# Whoever cloned the tree shall be able to remove what root built in it.
give_back_objects() {
    [ ! -d "$source_dir/build" ] || chown -R -h --reference="$source_dir" "$source_dir/build" 2>/dev/null || true
}

do_build() {
    begin "building ($objects)" 'see the error above; make V=1 shows every command'
    mkdir -p "$objects"
    run make_here -j"$(nproc)" all
    # NAME=VALUE lines: where this prefix puts things. PAMDIR and the like are found by the makefile.
    make_here -s install-vars >"$objects/install-vars"
    # shellcheck source=/dev/null
    . "$objects/install-vars"
}

# Of what is there of the files.
checksum() { { cat -- "$@" 2>/dev/null || true; } | cksum; }

do_files() {
    begin "installing the files below $prefix" "see that $prefix and /etc can be written"
    files_before=$(checksum "$LIBEXECDIR/agentsh-monitor" "$UNITDIR/agentsh.socket")
    run make_here install
    grep KEPT "$log" || true
    files_after=$(checksum "$LIBEXECDIR/agentsh-monitor" "$UNITDIR/agentsh.socket")
    printf 'prefix=%s\n' "$prefix" >"$record"
    give_back_objects
    if command -v restorecon >/dev/null; then
        restorecon -R "$LIBEXECDIR" "$BINDIR/agentsh" "$PAMDIR/pam_agentsh.so" "$config_dir" 2>/dev/null || true
    fi
}

do_probe() {
    begin 'asking the host whether it can isolate' \
        'each line above names what is missing; nothing of PAM and sshd has been changed'
    if ! "$LIBEXECDIR/agentsh-monitor" --probe >"$log" 2>&1 </dev/null; then
        sed 's/^/    /' "$log" >&2
        die 'this host cannot run the default tier'
    fi
}

# --- the listener ----------------------------------------------------------------------------------------------------

has_systemd() { [ -d /run/systemd/system ]; }

# logind would start a manager for an agent at each login, PAM refuses it, and a failed unit would be left. Accounts that
# were made before this was masked for each.
mask_user_manager() { # ACCOUNT
    local entry uid
    entry=$(getent passwd "$1") || return 0
    uid=$(cut -d: -f3 <<<"$entry")
    [ "${entry##*:}" = "$BINDIR/agentsh" ] && [ ! -e "/etc/systemd/system/user@$uid.service" ] || return 0
    ln -s /dev/null "/etc/systemd/system/user@$uid.service"
}

do_listener() {
    begin 'starting the listener' 'see: journalctl -u agentsh.socket, or syslog'
    if has_systemd; then
        run systemctl daemon-reload
        run systemd-tmpfiles --create "$TMPFILESDIR/agentsh.conf"
        : >"$log"
        each_account mask_user_manager || die 'user@UID.service of an agent cannot be masked in /etc/systemd/system'
        run systemctl enable --now agentsh.socket
        # Restarting the socket does not touch sessions; the next login gets the new program in any case.
        [ "$files_before" = "$files_after" ] || run systemctl restart agentsh.socket
        return
    fi
    if command -v update-rc.d >/dev/null; then
        run update-rc.d agentsh defaults
    elif command -v chkconfig >/dev/null; then
        run chkconfig --add agentsh
    else
        say "    no update-rc.d or chkconfig: see to it that '$INITDIR/agentsh start' runs at boot"
    fi
    if [ "$files_before" = "$files_after" ]; then
        run "$INITDIR/agentsh" start
    else
        run "$INITDIR/agentsh" restart
    fi
}

stop_listener() {
    if has_systemd; then
        systemctl disable --now agentsh.socket >/dev/null 2>&1 || true
        systemctl stop 'agentsh@*.service' agentsh.slice >/dev/null 2>&1 || true
        return
    fi
    [ ! -x "$INITDIR/agentsh" ] || run "$INITDIR/agentsh" stop
    if command -v update-rc.d >/dev/null; then
        update-rc.d agentsh remove >/dev/null 2>&1 || true
    elif command -v chkconfig >/dev/null; then
        chkconfig --del agentsh >/dev/null 2>&1 || true
    fi
}

# --- PAM -------------------------------------------------------------------------------------------------------------

# Files of the PAM configuration that call the module.
pam_files() { grep -lsE '^[^#]*pam_agentsh\.so' /etc/pam.d/* || true; }

# Does su work? Prints NAME and how it failed when not. A busy host takes its time: that is no refusal.
su_passes() { # NAME ARGUMENT...
    local status=0
    timeout 60 su "${@:2}" -c true >/dev/null 2>&1 </dev/null || status=$?
    case $status in
    0) return ;;
    124) echo "$1 (no answer within 60 s)" ;;
    *) echo "$1 (status $status)" ;;
    esac
    return 1
}

# Can accounts that are no agents log in? Prints the first that cannot.
non_agents_pass() {
    local account accounts=(root nobody)
    [ -z "${SUDO_USER:-}" ] || accounts+=("$SUDO_USER")
    for account in "${accounts[@]}"; do
        # An agent who may use sudo is an agent all the same.
        [ "$(getent passwd "$account" | cut -d: -f7)" != "$BINDIR/agentsh" ] || continue
        su_passes "$account" -s /bin/sh "$account" || return 1
    done
    su_passes 'root (login shell)' - root
}

pam_take_back() {
    local file
    pam_unproved=no
    say '    taking the PAM change back' >&2
    pam-auth-update --package --remove agentsh >/dev/null 2>&1 </dev/null || true
    if [ -n "$(pam_files)" ]; then
        for file in "$pam_backup"/*; do cp -p -- "$file" "/etc/pam.d/${file##*/}"; done
    fi
    if non_agents_pass >/dev/null; then
        rm -rf -- "$pam_backup"
        say '    done: accounts that are no agents log in as before' >&2
    else
        say "    accounts still cannot log in: the files of before are in $pam_backup; keep this root shell open" >&2
    fi
}

pam_print_authselect() {
    cat <<'END'
    PAM is not changed: this host has no pam-auth-update. With authselect (Fedora, RHEL):
        authselect create-profile agentsh -b local --symlink-meta     (-b sssd where sssd is in use)
        in /etc/authselect/custom/agentsh/{system-auth,password-auth} add
            account     required      pam_agentsh.so        after the last account line
            session     required      pam_agentsh.so        before the first session line
        authselect select custom/agentsh
    Else add the two lines to each service in /etc/pam.d that agents use (sshd, su, su-l, login).
    Until then every login of an agent's account is refused.
END
}

do_pam() {
    local who
    begin 'registering the PAM module' 'run: pam-auth-update --package --enable agentsh; its message says more'
    if ! command -v pam-auth-update >/dev/null; then
        [ -n "$(pam_files)" ] || pam_print_authselect
        return
    fi
    if ! who=$(non_agents_pass); then
        hint="mend PAM first: su -s /bin/sh ${who%% *} -c true"
        die "'su' to $who fails already, before PAM is changed"
    fi
    pam_backup=$(mktemp -d "$state_dir/pam.XXXXXXXX")
    cp -p /etc/pam.d/common-* "$pam_backup/"
    pam_unproved=yes
    run pam-auth-update --package --enable agentsh
    for who in common-account common-session common-session-noninteractive; do
        if ! grep -qsE '^[^#]*pam_agentsh\.so' "/etc/pam.d/$who"; then
            hint="pam-auth-update leaves files alone that were edited by hand. Add to /etc/pam.d/$who:
    ${who#common-} required pam_agentsh.so     (account or session, before the other modules of the same kind)"
            die "pam-auth-update did not put the module into $who"
        fi
    done
    if ! who=$(non_agents_pass); then
        hint='please report it with the lines of pam_agentsh in the system log'
        die "'su' to $who fails with the module in place"
    fi
    pam_unproved=no
    rm -rf -- "$pam_backup"
    say '    accounts that are no agents log in as before'
}

remove_pam() {
    begin 'taking the module out of PAM' 'remove the lines with pam_agentsh.so by hand, then run this again'
    if command -v pam-auth-update >/dev/null; then
        run pam-auth-update --package --remove agentsh
    fi
    # A missing "required" module would lock everybody out.
    [ -z "$(pam_files)" ] || die "still named in: $(pam_files | tr '\n' ' ')"
}

# --- sshd ------------------------------------------------------------------------------------------------------------

find_sshd() { command -v sshd || { [ -x /usr/sbin/sshd ] && echo /usr/sbin/sshd; }; }

sshd_valid() {
    [ -d /run/sshd ] || mkdir -m 0755 /run/sshd
    "$sshd" -t >"$log" 2>&1 </dev/null
}

reload_sshd() {
    local pid='' unit
    if has_systemd; then
        for unit in ssh.service sshd.service; do
            systemctl -q is-active "$unit" || continue
            run systemctl reload "$unit"
            return
        done
    fi
    # Without systemd: the listener writes its pid; the number counts only while it is sshd's.
    [ ! -r /run/sshd.pid ] || pid=$(tr -dc 0-9 </run/sshd.pid)
    if [ -n "$pid" ] && [ "$(readlink "/proc/$pid/exe")" = "$(readlink -f "$sshd")" ]; then kill -HUP "$pid"; fi
}

do_sshd() {
    local target=/etc/ssh/sshd_config.d/$snippet before=''
    begin 'setting sshd up for agents' 'run: sshd -t'
    if ! sshd=$(find_sshd); then
        say '    sshd is not installed: run this again when it is'
        return
    fi
    if ! sshd_valid; then
        cat "$log" >&2
        hint='mend sshd_config first'
        die 'the configuration of sshd is not valid already, before it is changed'
    fi
    mkdir -p /etc/ssh/sshd_config.d
    [ ! -e "$target" ] || before=$(cat "$target")
    sh "$source_dir/make/install_config.sh" "$SHAREDIR/sshd_config.d/$snippet" "$target" \
        "$SHAREDIR/etc/sshd_config.d/$snippet"
    if ! sshd_valid; then
        cat "$log" >&2
        if [ -n "$before" ]; then printf '%s\n' "$before" >"$target"; else rm -f "$target"; fi
        hint='sshd is as it was. Please report the message above'
        die "sshd does not accept $target"
    fi
    if ! grep -qsiE '^[[:space:]]*include[[:space:]]+("?)/etc/ssh/sshd_config\.d/' /etc/ssh/sshd_config; then
        hint='put this first into /etc/ssh/sshd_config, then run this again: Include /etc/ssh/sshd_config.d/*.conf'
        die 'sshd_config does not read sshd_config.d'
    fi
    reload_sshd
}

# The snippet is what keeps agents from forwarding: it goes when no agent has a shell any more, from copies of the
# files that tell an edited snippet from ours.
remove_sshd() {
    begin 'removing the sshd snippet' 'run: sshd -t'
    sh "$source_dir/make/install_config.sh" --remove "$1/shipped" "/etc/ssh/sshd_config.d/$snippet" "$1/pristine"
    if sshd=$(find_sshd) && sshd_valid; then reload_sshd; fi
}

# --- the whole -------------------------------------------------------------------------------------------------------

do_install() {
    do_build
    do_files
    do_probe
    do_listener
    do_pam
    do_sshd
    step='showing the result' hint=''
    say "==> agentsh $(cat "$source_dir/VERSION") is installed. Next: agentshctl account add NAME; agentshctl doctor"
    if [ "$demo" = yes ]; then
        step="showing $demo_account" hint='agentshctl doctor says what is wrong, each with its remedy'
        bash "$source_dir/make/demo.sh" "$SBINDIR/agentshctl" "$demo_account" || die 'the demonstration did not succeed'
    fi
}

# each_account COMMAND...: the command with each account that has a policy, and true if it succeeded for all.
each_account() {
    local file status=0
    for file in "$config_dir"/accounts/*.ini; do
        [ -e "$file" ] || continue
        file=${file##*/}
        "$@" "${file%.ini}" </dev/null >>"$log" 2>&1 || status=1
    done
    return "$status"
}

end_sessions() {
    : >"$log"
    # A session that ends by itself meanwhile is no failure.
    each_account "$SBINDIR/agentshctl" kill --account || true
}

purge_accounts() {
    begin 'removing the accounts of agents' ''
    : >"$log"
    if ! each_account "$SBINDIR/agentshctl" account remove --force; then
        cat "$log" >&2
        say '    an account stays behind; it has no shell any more and nobody can log in to it' >&2
    fi
    # The group that "account add" made, when nobody is in it any more.
    if [ "$(getent group agents | cut -d: -f4)" = '' ]; then groupdel agents >/dev/null 2>&1 || true; fi
}

do_uninstall() {
    local kept
    begin 'finding what is installed' ''
    make_here -s install-vars >"$log"
    # shellcheck source=/dev/null
    . "$log"
    # From the outside in: first no new session, then nothing that PAM calls, then the files; sshd's walls go last.
    begin 'stopping the listener, the guard and the sessions' 'agentshctl sessions; agentshctl kill ID'
    stop_listener
    if has_systemd; then systemctl --quiet disable --now agentsh-guard.service 2>/dev/null || true; fi
    [ ! -x "$SBINDIR/agentshctl" ] || "$SBINDIR/agentshctl" guard off >/dev/null 2>&1 || true
    [ ! -x "$SBINDIR/agentshctl" ] || end_sessions
    [ "$purge" = no ] || [ ! -x "$SBINDIR/agentshctl" ] || purge_accounts
    remove_pam
    begin 'removing the files' ''
    kept=$(mktemp -d)
    cp -p -- "$SHAREDIR/sshd_config.d/$snippet" "$kept/shipped" 2>/dev/null || : >"$kept/shipped"
    mv -- "$SHAREDIR/etc/sshd_config.d/$snippet" "$kept/pristine" 2>/dev/null || true
    rmdir -- "$SHAREDIR/etc/sshd_config.d" 2>/dev/null || true
    run make_here uninstall
    grep KEPT "$log" || true
    remove_sshd "$kept"
    rm -rf -- "$kept" "$run_dir"
    rm -f -- "$record"
    # The places of the sessions' cgroups: rmdir takes none that is in use.
    find /sys/fs/cgroup -mindepth 1 -maxdepth 2 -type d -name agentsh -exec rmdir -- {} \; 2>/dev/null || true
    if [ "$purge" = yes ]; then rm -rf -- "$config_dir" "$state_dir" /var/log/agentsh; fi
    rmdir -- "$state_dir" 2>/dev/null || true
    has_systemd && systemctl daemon-reload
    give_back_objects
    say '==> agentsh is removed'
    [ ! -d "$config_dir/accounts" ] || say "    kept: $config_dir, $state_dir, /var/log/agentsh (--purge removes them)"
}

parse_options() {
    while [ $# -gt 0 ]; do
        case $1 in
        --demo) demo=yes ;;
        --uninstall) action=uninstall ;;
        --purge) purge=yes ;;
        --prefix=*) prefix=${1#*=} ;;
        --prefix) prefix=${2:-} && shift ;;
        --no-deps) with_deps=no ;;
        --check-deps) action=check-deps ;;
        --deps-only) action=deps-only ;;
        --with-tests) with_tests=yes ;;
        --help | -h) usage && exit 0 ;;
        *)
            printf 'install.sh: unknown option %s\n' "$1" >&2
            usage >&2
            exit 2
            ;;
        esac
        shift
    done
    [ "$purge" = no ] || [ "$action" = uninstall ] || { hint='add --uninstall'; die '--purge is part of --uninstall'; }
}

main() {
    parse_options "$@"
    detect_family
    [ "$action" != check-deps ] || do_packages
    if [ "$(id -u)" -ne 0 ]; then
        hint="sudo $0 $*"
        die 'this needs root'
    fi
    log=$(mktemp)
    trap leave EXIT
    trap 'die "line $LINENO: $BASH_COMMAND"' ERR
    trap 'exit 130' INT TERM HUP
    [ "$action" = uninstall ] || [ "$with_deps" = no ] || do_packages
    [ "$action" != deps-only ] || exit 0
    choose_prefix
    "do_$action"
}

main "$@"
