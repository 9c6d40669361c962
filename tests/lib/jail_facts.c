/* jail_facts.c - runs the probes and compares. Root. */
#include "tests/lib/jail_facts.h"

#include "common/cleanup.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct fact {
        const char *key, *value;
};

static const struct fact identity[] = {
        { "uids", "64001 64001 64001" },
        { "gids", "64001 64001 64001" },
        { "groups", "0" },
        { "CapInh", "0000000000000000" },
        { "CapPrm", "0000000000000000" },
        { "CapEff", "0000000000000000" },
        { "CapBnd", "0000000000000000" },
        { "CapAmb", "0000000000000000" },
        { "NoNewPrivs", "1" },
        { "Seccomp", "2" },
        { "SigBlk", "0000000000000000" },
        { "SigIgn", "0000000000000000" },
        { "securebits", "0xef" },
        { "keys", "" },
        { "keyring", "EPERM" },
        { "hostname", JAIL_LAB_ACCOUNT },
        { "domainname", "(none)" },
        { "NSpid", "2" },
        { "sid", "1" }, /* a session of its own: the terminal of whoever started the monitor is out of reach */
        { "umask", "0022" },
        { "nice", "0" },
        { "scheduler", "0" },
        { "oom_score_adj", "0" },
        { "oom_lower", "EACCES" },
        { "limit_core", "1:1" },
        { "limit_nofile", "1000:1000" },
        { "limit_fsize", "12345678:12345678" },
        { "limit_as", "-1:-1" },
        { "limit_cpu", "-1:-1" },
        { "limit_memlock", "8388608:8388608" },
        { "limit_msgqueue", "819200:819200" },
        { "limit_sigpending", "4096:4096" },
        { "limit_nice", "0:0" },
        { "limit_rtprio", "0:0" },
        { "limit_stack", "8388608:-1" },
        { "limit_data", "-1:-1" },
        { "limit_rss", "-1:-1" },
        { "limit_locks", "-1:-1" },
        { "limit_rttime", "-1:-1" },
};

/* With a user namespace, and without: there the maps are the host's, and processes count for all sessions (two). */
static const struct fact of_jail[] = {
        { "setgroups", "deny" },
        { "max_user_namespaces", "0" },
        { "uid_map", "     64001      64001          1" },
        { "limit_nproc", "1088:1088" },
};
static const struct fact of_chroot[] = {
        { "setgroups", "allow" },
        { "uid_map", "         0          0 4294967295" },
        { "limit_nproc", "2176:2176" },
};

/* What must be covered, or be read-only, where the host has it. */
static const char *const proc_masks[] = {
#define PROC_HIDE(path)     "/proc/" path,
#define PROC_READONLY(path) "/proc/" path,
#include "monitor/jail_proc.def"
#undef PROC_HIDE
#undef PROC_READONLY
};

static const char *const view_lines[] = {
        "device null=1:3",
        "device zero=1:5",
        "device full=1:7",
        "device random=1:8",
        "device urandom=1:9",
        "device tty=5:0",
        "open null=ok",
        "open zero=ok",
        "open full=ok",
        "open random=ok",
        "open urandom=ok",
        "pid=1",
        "cwd=" JAIL_LAB_HOME,
        "home=" JAIL_LAB_ACCOUNT,
        "pts=ptmx",
        "passwd=root:x:0:0:root:/root:/usr/sbin/nologin",
        "passwd=agent-lab:x:64001:64001::/home/agent-lab:/bin/bash",
        "group=agent-lab:x:64001:",
};

static const struct {
        const char *key;
        unsigned count;
} view_counts[] = {
        { "pid", 2 },   { "passwd", 3 },    { "group", 3 }, { "dev", 13 },        { "home", 1 },
        { "route", 0 }, { "interface", 1 }, { "unix", 0 },  { "propagating", 0 },
};

/* Gone, empty, or not to be opened. */
static const char *const hidden[] = {
        "/proc/acpi",
        "/proc/irq",
        "/proc/kallsyms",
        "/proc/kcore",
        "/proc/keys",
        "/proc/kmsg",
        "/proc/kpagecount",
        "/proc/kpageflags",
        "/proc/latency_stats",
        "/proc/mtrr",
        "/proc/sched_debug",
        "/proc/scsi",
        "/proc/slabinfo",
        "/proc/sysrq-trigger",
        "/proc/timer_list",
        "/proc/vmallocinfo",
        "/proc/1/environ",
        "/proc/1/mem",
        "/proc/1/maps",
        "/proc/1/root",
        "/proc/1/cwd",
        "/proc/1/exe",
        "/sys",
        "/etc/shadow",
        "/etc/gshadow",
        "/etc/sudoers",
        "/etc/ssh/ssh_host_rsa_key",
        "/etc/agentsh",
        "/run/agentsh",
        "/var/lib/agentsh",
        "/boot",
        "/etc/ssl/private",
};

/* What may succeed of probe_escape. */
static const char *const harmless[] = {
        "mknod whiteout", "mknod fifo",           "clone plain",     "kill pid 1",        "openpt",
        "openpt peer",    "TIOCGWINSZ",           "socket unix",     "socket inet",       "socket inet udp",
        "socket inet6",   "socket netlink route", "socketpair unix", "personality query", "call -1",
};

static const struct fact escapes[] = {
        { "create in /", "EROFS" },
        { "create in /usr", "EROFS" },
        { "create in /etc", "EROFS" },
        { "create in /dev", "EROFS" },
        { "mknod character", "EPERM" },
        { "mknod block", "EPERM" },
        { "mount tmpfs", "EPERM" },
        { "chroot", "EPERM" },
        { "chroot escape", "EPERM" },
        { "pivot_root", "EPERM" },
        { "move_mount", "EPERM" },
        { "umount", "EPERM" },
        { "clone newuser", "EPERM" },
        { "clone high bits", "EPERM" },
        { "clone3 newuser", "ENOSYS" },
        { "unshare newuser", "EPERM" },
        { "setns own", "EPERM" },
        { "ptrace pid 1", "EPERM" },
        { "kill host pid", "ESRCH" },
        { "pidfd_open host pid", "ESRCH" },
        { "keyctl user keyring", "EPERM" },
        { "add_key", "EPERM" },
        { "request_key", "EPERM" },
        { "TIOCSTI", "EPERM" },
        { "TIOCSTI high bit", "EPERM" },
        { "TIOCLINUX", "EPERM" },
        { "bpf", "EPERM" },
        { "perf_event_open", "EPERM" },
        { "userfaultfd", "EPERM" },
        { "io_uring_setup", "EPERM" },
        { "kexec_load", "EPERM" },
        { "finit_module", "EPERM" },
        { "open_by_handle_at", "EPERM" },
        { "unknown call", "ENOSYS" },
        { "write /proc/1/exe", "EACCES" },
#ifdef __x86_64__
        { "i386 entry", "killed" },
        { "x32 entry", "killed" },
#endif
};

static void wrong(char *ret, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void wrong(char *ret, size_t size, const char *fmt, ...)
{
        va_list ap;

        if (ret[0] != '\0')
                return;
        va_start(ap, fmt);
        (void)vsnprintf(ret, size, fmt, ap);
        va_end(ap);
}

bool jail_facts_has_line(const char *text, const char *line)
{
        size_t length = strlen(line);

        for (const char *at = text; (at = strstr(at, line)) != NULL; at++)
                if ((at == text || at[-1] == '\n') && (at[length] == '\n' || at[length] == '\0'))
                        return true;
        return false;
}

unsigned jail_facts_count(const char *text, const char *key)
{
        size_t length = strlen(key);
        unsigned count = 0;

        for (const char *at = text; *at != '\0'; at += strcspn(at, "\n"), at += *at == '\n')
                count += strncmp(at, key, length) == 0 && at[length] == '=';
        return count;
}

/*
 * Soft limits that no jail has; the hard ones stay, so that nobody needs a capability to raise them again. Of memory
 * they leave what AddressSanitizer maps.
 */
static void spoil_limits(void)
{
        static const struct {
                int kind;
                rlim_t soft;
        } limits[] = { { RLIMIT_CORE, 0 },          { RLIMIT_CPU, 600 },          { RLIMIT_STACK, 4 << 20 },
                       { RLIMIT_AS, 1UL << 46 },    { RLIMIT_DATA, 1UL << 46 },   { RLIMIT_RSS, 1UL << 44 },
                       { RLIMIT_LOCKS, 1UL << 20 }, { RLIMIT_RTTIME, 1UL << 44 }, { RLIMIT_NICE, 1 },
                       { RLIMIT_RTPRIO, 1 } };

        static const struct rlimit more = { 16 << 20, 16 << 20 };

        /* Where root may. */
        (void)setrlimit(RLIMIT_MEMLOCK, &more);
        (void)setrlimit(RLIMIT_MSGQUEUE, &more);
        for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
                struct rlimit limit;

                (void)getrlimit((__rlimit_resource_t)limits[i].kind, &limit);
                limit.rlim_cur = limits[i].soft;
                if (limit.rlim_max < limit.rlim_cur)
                        limit.rlim_max = limit.rlim_cur;
                (void)setrlimit((__rlimit_resource_t)limits[i].kind, &limit);
        }
}

/* A key that everybody may find who has got the keyring. */
static void spoil_keyring(void)
{
        long keyring = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, "agentsh-test");
        long key = keyring < 0 ? -1 : syscall(SYS_add_key, "user", JAIL_FACTS_KEY, "x", 1UL, KEY_SPEC_SESSION_KEYRING);

        (void)syscall(SYS_keyctl, KEYCTL_SETPERM, key, 0x3f3f3f3fL);
        (void)syscall(SYS_keyctl, KEYCTL_SETPERM, keyring, 0x3f3f3f3fL);
}

void jail_facts_spoil_caller(void)
{
        static const gid_t groups[] = { 27, 44 };
        FILE *score = fopen("/proc/self/oom_score_adj", "we");
        int directory = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        cpu_set_t one;
        sigset_t all;

        CPU_ZERO(&one);
        CPU_SET(0, &one);
        (void)sigfillset(&all);
        (void)sched_setaffinity(0, sizeof(one), &one);
        (void)setpriority(PRIO_PROCESS, 0, 5);
        (void)sigprocmask(SIG_BLOCK, &all, NULL);
        (void)signal(SIGHUP, SIG_IGN);
        (void)signal(SIGPIPE, SIG_IGN);
        (void)setgroups(sizeof(groups) / sizeof(groups[0]), groups);
        (void)dup2(directory, 50);
        (void)umask(0777);
        spoil_limits();
        spoil_keyring();
        if (score != NULL) {
                (void)fputs("200", score);
                (void)fclose(score);
        }
}

char *jail_facts_probe(struct jail_lab *lab, const char *name, const char *first, const char *second, char *ret,
                       size_t size)
{
        const char *const arguments[] = { name, first, second, NULL };
        cleanup_free char *text = NULL;
        struct error err = ERROR_INIT;
        char path[4200];
        int status;

        jail_lab_probe_path(name, path, sizeof(path));
        if (jail_lab_capture(lab, path, arguments, &status, &text, &err) < 0)
                wrong(ret, size, "%s: %s", name, err.text);
        else if (status != 0)
                wrong(ret, size, "%s: status 0x%x", name, (unsigned)status);
        else
                return TAKE_PTR(text);
        return NULL;
}

static void check_facts(const char *text, const struct fact *facts, size_t count, char *ret, size_t size)
{
        for (size_t i = 0; i < count; i++) {
                char value[512];

                jail_lab_fact(text, facts[i].key, value, sizeof(value));
                if (strcmp(value, facts[i].value) != 0)
                        wrong(ret, size, "%s is \"%s\", not \"%s\"", facts[i].key, value, facts[i].value);
        }
}

static void check_namespaces(const char *text, bool user_namespace, char *ret, size_t size)
{
        static const char *const names[] = { "cgroup", "ipc", "mnt", "net", "pid", "user", "uts" };

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                bool own = strcmp(names[i], "user") != 0 || user_namespace;
                char path[64], key[32], inside[64], outside[64] = "";

                (void)snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
                (void)snprintf(key, sizeof(key), "ns_%s", names[i]);
                if (readlink(path, outside, sizeof(outside) - 1) <= 0)
                        wrong(ret, size, "cannot read %s", path);
                jail_lab_fact(text, key, inside, sizeof(inside));
                if (inside[0] == '\0' || (strcmp(inside, outside) != 0) != own)
                        wrong(ret, size, "the %s namespace is \"%s\", the host's is \"%s\"", names[i], inside, outside);
        }
}

static void check_identity(const char *text, bool user_namespace, char *ret, size_t size)
{
        char value[64];

        check_facts(text, identity, sizeof(identity) / sizeof(identity[0]), ret, size);
        if (user_namespace)
                check_facts(text, of_jail, sizeof(of_jail) / sizeof(of_jail[0]), ret, size);
        else
                check_facts(text, of_chroot, sizeof(of_chroot) / sizeof(of_chroot[0]), ret, size);
        check_namespaces(text, user_namespace, ret, size);
        jail_lab_fact(text, "loginuid", value, sizeof(value));
        if (strcmp(value, "64001") != 0 && strcmp(value, "ENOENT") != 0)
                wrong(ret, size, "loginuid is \"%s\"", value);
        jail_lab_fact(text, "Cpus_allowed_list", value, sizeof(value));
        if (sysconf(_SC_NPROCESSORS_CONF) > 1 && strcmp(value, "0") == 0)
                wrong(ret, size, "the caller's CPU affinity is left");
}

/* nosuid; nodev but for the six nodes, what hides behind them, and the terminals; writable where it has to be. */
static void check_mount(const char *path, const char *options, char *ret, size_t size)
{
        static const char *const writable[] = { "/tmp",     "/var/tmp", "/dev/shm",   "/run",
                                                "/dev/pts", "/proc",    JAIL_LAB_HOME };
        bool device = (strncmp(path, "/dev/", 5) == 0 && strcmp(path, "/dev/shm") != 0) ||
                      strncmp(path, "/proc/", 6) == 0;
        bool may_write = false;

        for (size_t i = 0; i < sizeof(writable) / sizeof(writable[0]); i++)
                may_write = may_write || strcmp(path, writable[i]) == 0;
        if (strstr(options, "nosuid") == NULL)
                wrong(ret, size, "%s is without nosuid: %s", path, options);
        if (strstr(options, "nodev") == NULL && !device)
                wrong(ret, size, "%s is without nodev: %s", path, options);
        /* Terminals' names and what hides a part of /proc are no programs. */
        if (strstr(options, "noexec") == NULL &&
            (strcmp(path, "/proc") == 0 || (device && access(path, R_OK) == 0 && strncmp(path, "/dev/", 5) == 0)))
                wrong(ret, size, "%s is without noexec: %s", path, options);
        if (strncmp(options, "ro,", 3) != 0 && !may_write)
                wrong(ret, size, "%s is writable: %s", path, options);
}

static void check_mounts(const char *text, char *ret, size_t size)
{
        static const char *const needed[] = { "/",        "/usr", "/proc",    "/proc/sys", "/dev/pts",
                                              "/dev/shm", "/tmp", "/var/tmp", "/run",      JAIL_LAB_HOME };
        bool seen[sizeof(needed) / sizeof(needed[0])] = { false };

        for (const char *at = text; *at != '\0'; at += strcspn(at, "\n"), at += *at == '\n') {
                char path[256], options[128];

                if (sscanf(at, "mount %255[^=]=%127s", path, options) != 2)
                        continue;
                check_mount(path, options, ret, size);
                for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
                        seen[i] = seen[i] || strcmp(needed[i], path) == 0;
        }
        for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
                if (!seen[i])
                        wrong(ret, size, "nothing is mounted on %s", needed[i]);
        for (size_t i = 0; i < sizeof(proc_masks) / sizeof(proc_masks[0]); i++) {
                char line[128];

                (void)snprintf(line, sizeof(line), "mount %s=", proc_masks[i]);
                if (access(proc_masks[i], F_OK) == 0 && strstr(text, line) == NULL)
                        wrong(ret, size, "%s is not covered", proc_masks[i]);
        }
}

static void check_fds(const char *text, char *ret, size_t size)
{
        for (const char *at = text; *at != '\0'; at += strcspn(at, "\n"), at += *at == '\n') {
                int fd;

                if (sscanf(at, "fd %d=", &fd) == 1 && fd > 2)
                        wrong(ret, size, "an fd got inside: %.*s", (int)strcspn(at, "\n"), at);
        }
}

static void check_view(const char *text, char *ret, size_t size)
{
        for (size_t i = 0; i < sizeof(view_lines) / sizeof(view_lines[0]); i++)
                if (!jail_facts_has_line(text, view_lines[i]))
                        wrong(ret, size, "no line \"%s\"", view_lines[i]);
        for (size_t i = 0; i < sizeof(view_counts) / sizeof(view_counts[0]); i++)
                if (jail_facts_count(text, view_counts[i].key) != view_counts[i].count)
                        wrong(ret, size, "%u lines of \"%s\", not %u", jail_facts_count(text, view_counts[i].key),
                              view_counts[i].key, view_counts[i].count);
        for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
                char key[128], value[64];

                (void)snprintf(key, sizeof(key), "hidden %s", hidden[i]);
                jail_lab_fact(text, key, value, sizeof(value));
                if (strcmp(value, "0") != 0 && strcmp(value, "ENOENT") != 0 && strcmp(value, "EACCES") != 0)
                        wrong(ret, size, "%s gives \"%s\"", hidden[i], value);
        }
        check_mounts(text, ret, size);
        check_fds(text, ret, size);
}

static void check_escapes(const char *text, bool user_namespace, char *ret, size_t size)
{
        /* No such uid in the namespace, or no right to it. */
        const struct fact root = { "setuid 0", user_namespace ? "EINVAL" : "EPERM" };

        check_facts(text, &root, 1, ret, size);
        check_facts(text, escapes, sizeof(escapes) / sizeof(escapes[0]), ret, size);
        for (const char *at = text; *at != '\0'; at += strcspn(at, "\n"), at += *at == '\n') {
                const char *equals = strchr(at, '=');
                bool expected = false;

                if (equals == NULL || strncmp(equals, "=ok\n", 4) != 0)
                        continue;
                for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
                        expected = expected || (strlen(harmless[i]) == (size_t)(equals - at) &&
                                                strncmp(harmless[i], at, strlen(harmless[i])) == 0);
                if (!expected)
                        wrong(ret, size, "succeeded: %.*s", (int)(equals - at), at);
        }
}

void jail_facts_check(struct jail_lab *lab, char *ret, size_t size)
{
        cleanup_free char *who = NULL, *view = NULL, *tried = NULL;
        char pid[16];

        ret[0] = '\0';
        (void)snprintf(pid, sizeof(pid), "%d", (int)getpid() > 100 ? (int)getpid() : 100000);
        who = jail_facts_probe(lab, "probe_identity", NULL, NULL, ret, size);
        view = jail_facts_probe(lab, "probe_view", NULL, NULL, ret, size);
        tried = jail_facts_probe(lab, "probe_escape", pid, JAIL_FACTS_KEY, ret, size);
        if (who == NULL || view == NULL || tried == NULL)
                return;
        check_identity(who, jail_has_user_namespace(&lab->policy), ret, size);
        check_view(view, ret, size);
        check_escapes(tried, jail_has_user_namespace(&lab->policy), ret, size);
}
