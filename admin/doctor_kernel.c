/* doctor_kernel.c - what the kernel offers. Root; leaves nothing behind. */
#include "admin/doctor.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/parse.h"
#include "common/process.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#define CHECK "kernel"

/* A switch below /proc/sys; false when this kernel has none of that name. */
static bool read_sysctl_text(const char *name, char *ret, size_t size)
{
        cleanup_close int sys = open("/proc/sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
        cleanup_close int fd = sys < 0 ? -EBADF : fd_open_beneath(sys, name, O_RDONLY, 0, NULL);
        ssize_t got = fd < 0 ? -1 : read(fd, ret, size - 1);

        if (got <= 0)
                return false;
        ret[got] = '\0';
        ret[strcspn(ret, "\n")] = '\0';
        return true;
}

static bool read_sysctl(const char *name, uint64_t *ret)
{
        char text[32];

        return read_sysctl_text(name, text, sizeof(text)) && parse_number(text, 0, UINT64_MAX, ret, NULL) == 0;
}

static void check_user_namespaces(struct findings *findings)
{
        uint64_t value;

        if (!read_sysctl("user/max_user_namespaces", &value)) {
                finding_add(findings, FINDING_BAD, CHECK, "this kernel has no user namespaces, which the jail needs");
                finding_remedy(findings, "boot a kernel with CONFIG_USER_NS=y, or give accounts tier = chroot");
        } else if (value == 0) {
                finding_add(findings, FINDING_BAD, CHECK, "user namespaces are off (user.max_user_namespaces is 0)");
                finding_remedy(findings, "sysctl -w user.max_user_namespaces=15000, then the same in "
                                         "/etc/sysctl.d/50-agentsh.conf; or give accounts tier = chroot");
        } else {
                finding_add(findings, FINDING_OK, CHECK, "user namespaces: up to %llu", (unsigned long long)value);
        }
        if (read_sysctl("kernel/unprivileged_userns_clone", &value) && value == 0)
                finding_add(findings, FINDING_OK, CHECK,
                            "kernel.unprivileged_userns_clone is 0: this does not hinder "
                            "the monitor, which is root");
}

/* What a value of the switch means for agents; `nested` says that an account's policy needs what it hinders. */
static void check_apparmor(struct findings *findings, bool nested)
{
        uint64_t value;

        if (!read_sysctl("kernel/apparmor_restrict_unprivileged_userns", &value) || value == 0)
                return;
        finding_add(findings, nested ? FINDING_WARNING : FINDING_NOTE, CHECK,
                    "AppArmor restricts user namespaces of unprivileged programs: jails work, since the monitor makes "
                    "them as root; [kernel] nested = yes does not%s",
                    nested ? ", and an account has it" : "");
        finding_remedy(findings, "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, then the same in "
                                 "/etc/sysctl.d; or do without nested = yes");
}

/*
 * Switches that matter for what is started with an agent's uid outside of an isolation, by root's own hand (su -s,
 * runuser), or by the kernel. Inside, the filter refuses the call itself. Not looked at, since no isolation goes by
 * them: kernel.yama.ptrace_scope (PID namespaces), fs.protected_* (root never follows a path of an agent's),
 * kernel.dmesg_restrict and kptr_restrict (seccomp, masks).
 */
static void check_switches(struct findings *findings)
{
        char pattern[128] = "";
        uint64_t value;

        if (read_sysctl("kernel/unprivileged_bpf_disabled", &value) && value == 0) {
                finding_add(findings, FINDING_NOTE, CHECK,
                            "every user may load BPF programs (kernel.unprivileged_bpf_disabled is 0): agents cannot, "
                            "by their filter, but what runs with their uid outside of a session can");
                finding_remedy(findings,
                               "sysctl -w kernel.unprivileged_bpf_disabled=2, then the same in /etc/sysctl.d");
        }
        if (read_sysctl("dev/tty/legacy_tiocsti", &value) && value == 1) {
                finding_add(findings, FINDING_NOTE, CHECK,
                            "programs may type into their terminal (dev.tty.legacy_tiocsti is 1): sessions have a "
                            "terminal of their own, but \"su -s\" or \"runuser\" hands root's to the agent's uid");
                finding_remedy(findings, "sysctl -w dev.tty.legacy_tiocsti=0, then the same in /etc/sysctl.d");
        }
        if (!read_sysctl_text("kernel/core_pattern", pattern, sizeof(pattern)) || pattern[0] != '|')
                return;
        finding_add(findings, FINDING_WARNING, CHECK,
                    "whatever crashes, in a session too, is handed to a program that the kernel starts as root of the "
                    "host, whatever the limits are (kernel.core_pattern is \"%s\")",
                    pattern);
        finding_remedy(findings, "sysctl -w kernel.core_pattern=core, then the same in /etc/sysctl.d");
}

static void report_call(struct findings *findings, bool works, const char *name, const char *since)
{
        if (works) {
                finding_add(findings, FINDING_OK, CHECK, "%s", name);
                return;
        }
        finding_add(findings, FINDING_BAD, CHECK, "%s: not there: %s", name, strerror(errno));
        finding_remedy(findings, "boot Linux %s or later, with no seccomp filter around this system that blocks it",
                       since);
}

static void check_calls(struct findings *findings)
{
        struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS };
        cleanup_close int pidfd = process_open_pidfd(getpid(), NULL);
        cleanup_close int opened = (int)syscall(SYS_openat2, AT_FDCWD, "/", &how, sizeof(how));
        cleanup_close int context = -EBADF;

        report_call(findings, pidfd >= 0, "pidfd_open", "5.3");
        if (opened >= 0)
                finding_add(findings, FINDING_OK, CHECK, "openat2");
        else
                finding_add(findings, FINDING_NOTE, CHECK, "openat2 is not there; its slower replacement is used");
        context = (int)syscall(SYS_fsopen, "tmpfs", 1U /* FSOPEN_CLOEXEC */);
        report_call(findings, context >= 0, "mount API by file descriptors (fsopen)", "5.2");
}

static void check_seccomp(struct findings *findings)
{
        bool there = access("/proc/sys/kernel/seccomp/actions_avail", F_OK) == 0;

        report_call(findings, there, "seccomp filters", "4.14 with CONFIG_SECCOMP_FILTER=y");
}

static void check_overlay(struct findings *findings)
{
        /* fsopen loads the module where it is one. */
        cleanup_close int context = (int)syscall(SYS_fsopen, "overlay", 1U);

        if (context >= 0) {
                finding_add(findings, FINDING_OK, CHECK, "overlay file system");
                return;
        }
        finding_add(findings, FINDING_NOTE, CHECK,
                    "there is no overlay file system: [root] mode = overlay cannot be "
                    "used");
        finding_remedy(findings, "modprobe overlay");
}

void doctor_kernel(struct findings *findings, bool nested)
{
        struct utsname name;

        if (uname(&name) == 0)
                finding_add(findings, FINDING_OK, CHECK, "%s %s on %s", name.sysname, name.release, name.machine);
        check_user_namespaces(findings);
        check_apparmor(findings, nested);
        check_switches(findings);
        check_calls(findings);
        check_seccomp(findings);
        check_overlay(findings);
}
