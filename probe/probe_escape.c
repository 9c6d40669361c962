/*
 * probe_escape - tries what must fail, one line each: name=ok, or the name of the error, or of the signal that a
 * child died of. Static; runs inside.
 *
 *   probe_escape [HOST-PID USER-KEY-NAME]
 */
#include "probe/probe.h"

#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif

static void try_call(const char *name, long number, long a, long b, long c, long d, long e)
{
        probe_result(name, syscall(number, a, b, c, d, e, 0));
}

#define STR(text) ((long)(intptr_t)(text))

/* What is hidden is the null device: it takes every write, and none gets anywhere. */
static long open_to_write(const char *path)
{
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
                return fd;
        (void)close(fd);
        errno = ENODEV;
        return -1;
}

static void try_files(void)
{
        static const char *const writes[] = { "/",    "/usr", "/usr/bin", "/etc",  "/dev",  "/proc/sys/kernel",
                                              "/var", "/bin", "/lib",     "/root", "/home", "/run" };
        static const char *const opens[] = { "/etc/passwd",
                                             "/proc/sys/kernel/core_pattern",
                                             "/proc/sysrq-trigger",
                                             "/proc/kallsyms",
                                             "/proc/sys/kernel/hostname",
                                             "/proc/sys/user/max_user_namespaces",
                                             "/proc/1/oom_score_adj",
                                             "/proc/1/mem",
                                             "/usr/bin/bash",
                                             "/proc/1/exe",
                                             "/proc/self/exe" };
        char name[128];
        int fd;

        for (size_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i++) {
                (void)snprintf(name, sizeof(name), "%s/agentsh-probe", writes[i]);
                fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
                (void)snprintf(name, sizeof(name), "create in %s", writes[i]);
                probe_result(name, fd);
        }
        for (size_t i = 0; i < sizeof(opens) / sizeof(opens[0]); i++) {
                (void)snprintf(name, sizeof(name), "write %s", opens[i]);
                probe_result(name, open_to_write(opens[i]));
        }
        probe_result("mknod character", mknod("/tmp/probe-c", S_IFCHR | 0666, makedev(1, 3)));
        probe_result("mknod block", mknod("/tmp/probe-b", S_IFBLK | 0666, makedev(254, 0)));
        probe_result("mknod whiteout", mknod("/tmp/probe-w", S_IFCHR | 0666, makedev(0, 0)));
        probe_result("mknod fifo", mknod("/tmp/probe-f", S_IFIFO | 0666, 0));
        probe_result("chroot", chroot("/tmp"));
        probe_result("chown", chown("/tmp/probe-f", 0, 0));
}

/* The way out of a mere chroot(2): a root below the working directory, which then climbs above the old one. */
static void try_chroot_escape(void)
{
        int here = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        long r = mkdir("/tmp/probe-d", 0755) < 0 && errno != EEXIST ? -1 : chroot("/tmp/probe-d");

        if (r == 0)
                r = fchdir(here);
        for (int i = 0; r == 0 && i < 64; i++)
                r = chdir("..");
        probe_result("chroot escape", r == 0 ? chroot(".") : r);
}

static void try_mounts(void)
{
        struct {
                uint64_t set, clear, propagation, fd;
        } attributes = { 0, 1, 0, 0 };

        try_call("mount tmpfs", SYS_mount, STR("tmpfs"), STR("/tmp"), STR("tmpfs"), 0, 0);
        try_call("mount bind", SYS_mount, STR("/usr"), STR("/tmp"), 0, 4096, 0);
        try_call("mount remount", SYS_mount, 0, STR("/usr"), 0, 32 | 4096, 0);
        try_call("umount", SYS_umount2, STR("/proc/sys"), 2, 0, 0, 0);
        try_call("umount proc mask", SYS_umount2, STR("/proc/keys"), 2, 0, 0, 0);
        try_call("fsopen", SYS_fsopen, STR("tmpfs"), 0, 0, 0, 0);
        try_call("open_tree clone", SYS_open_tree, AT_FDCWD, STR("/usr"), 1, 0, 0);
        try_call("move_mount", SYS_move_mount, AT_FDCWD, STR("/usr"), AT_FDCWD, STR("/tmp"), 0);
        try_call("mount_setattr", SYS_mount_setattr, AT_FDCWD, STR("/usr"), 0, STR(&attributes), sizeof(attributes));
        try_call("pivot_root", SYS_pivot_root, STR("/"), STR("/"), 0, 0, 0);
}

static long clone_with(unsigned long flags)
{
        long pid = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);

        if (pid == 0)
                _exit(0);
        if (pid > 0)
                (void)waitpid((pid_t)pid, NULL, 0);
        return pid;
}

static void try_namespaces(void)
{
        struct {
                uint64_t flags, pidfd, child, parent, signal, stack, size, tls;
        } arguments = { 0x10000000, 0, 0, 0, SIGCHLD, 0, 0, 0 };
        int own = open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);
        long pid;

        probe_result("clone newuser", clone_with(CLONE_NEWUSER));
        probe_result("clone newns", clone_with(CLONE_NEWNS));
        probe_result("clone newpid", clone_with(CLONE_NEWPID));
        probe_result("clone newnet", clone_with(CLONE_NEWNET));
        probe_result("clone newuts", clone_with(CLONE_NEWUTS));
        probe_result("clone newipc", clone_with(CLONE_NEWIPC));
        probe_result("clone newcgroup", clone_with(CLONE_NEWCGROUP));
        probe_result("clone high bits", clone_with(CLONE_NEWUSER | (1UL << 40)));
        probe_result("clone plain", clone_with(0));
        pid = syscall(SYS_clone3, &arguments, sizeof(arguments));
        if (pid == 0)
                _exit(0);
        probe_result("clone3 newuser", pid);
        probe_result("unshare newuser", unshare(CLONE_NEWUSER));
        probe_result("unshare newns", unshare(CLONE_NEWNS));
        probe_result("setns own", setns(own, 0));
        probe_result("setns pid 1", open("/proc/1/ns/mnt", O_RDONLY | O_CLOEXEC));
}

static void try_processes(int host_pid)
{
        char byte = 0;
        struct iovec local = { &byte, 1 }, remote = { &byte, 1 };

        probe_result("ptrace pid 1", ptrace(PTRACE_SEIZE, 1, NULL, NULL));
        probe_result("kill pid 1", kill(1, SIGSTOP));
        probe_result("process_vm_readv", process_vm_readv(getpid(), &local, 1, &remote, 1, 0));
        try_call("pidfd_getfd", SYS_pidfd_getfd, (int)syscall(SYS_pidfd_open, getppid(), 0), 0, 0, 0, 0);
        try_call("kcmp", SYS_kcmp, getpid(), getpid(), 0, 0, 0);
        if (host_pid <= 0)
                return;
        probe_result("kill host pid", kill(host_pid, 0));
        try_call("pidfd_open host pid", SYS_pidfd_open, host_pid, 0, 0, 0, 0);
        probe_result("ptrace host pid", ptrace(PTRACE_SEIZE, host_pid, NULL, NULL));
}

static void try_keys(const char *name)
{
        try_call("keyctl user keyring", SYS_keyctl, KEYCTL_READ, KEY_SPEC_USER_KEYRING, 0, 0, 0);
        try_call("keyctl user session", SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_SESSION_KEYRING, 0, 0, 0);
        try_call("add_key", SYS_add_key, STR("user"), STR("probe"), STR("x"), 1, KEY_SPEC_PROCESS_KEYRING);
        try_call("request_key", SYS_request_key, STR("user"), STR(name), 0, 0, 0);
}

static void try_terminal(void)
{
        int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        int slave = -1, discipline = 2;
        char byte = 'x';

        probe_result("openpt", master);
        if (master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0)
                slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
        probe_result("openpt peer", slave);
        probe_result("TIOCGWINSZ", syscall(SYS_ioctl, slave, TIOCGWINSZ, &(struct winsize){ .ws_row = 0 }));
        probe_result("TIOCSTI", syscall(SYS_ioctl, slave, TIOCSTI, &byte));
        probe_result("TIOCSTI high bit", syscall(SYS_ioctl, slave, (unsigned long)TIOCSTI | 1UL << 32, &byte));
        probe_result("TIOCSTI high bits", syscall(SYS_ioctl, slave, (unsigned long)TIOCSTI | ~0xffffffffUL, &byte));
        probe_result("TIOCLINUX", syscall(SYS_ioctl, slave, TIOCLINUX, &byte));
        probe_result("TIOCLINUX high bit", syscall(SYS_ioctl, slave, (unsigned long)TIOCLINUX | 1UL << 32, &byte));
        probe_result("TIOCSETD", syscall(SYS_ioctl, slave, TIOCSETD, &discipline));
        probe_result("TIOCCONS", syscall(SYS_ioctl, slave, TIOCCONS, 0));
}

static void try_kernel(void)
{
        static char buffer[4096];
        struct timespec zero = { 0, 0 };

        try_call("bpf", SYS_bpf, 0, STR(buffer), 64, 0, 0);
        try_call("perf_event_open", SYS_perf_event_open, STR(buffer), 0, -1, -1, 0);
        try_call("userfaultfd", SYS_userfaultfd, 1, 0, 0, 0, 0);
        try_call("io_uring_setup", SYS_io_uring_setup, 4, STR(buffer), 0, 0, 0);
        try_call("kexec_load", SYS_kexec_load, 0, 0, 0, 0, 0);
        try_call("init_module", SYS_init_module, STR(buffer), 16, STR(""), 0, 0);
        try_call("finit_module", SYS_finit_module, 0, STR(""), 0, 0, 0);
        try_call("delete_module", SYS_delete_module, STR("x"), 0, 0, 0, 0);
        try_call("reboot", SYS_reboot, 0xfee1dead, 672274793, 0, 0, 0);
        try_call("swapon", SYS_swapon, STR("/tmp/x"), 0, 0, 0, 0);
        try_call("open_by_handle_at", SYS_open_by_handle_at, AT_FDCWD, STR(buffer), 0, 0, 0);
        try_call("quotactl", SYS_quotactl, 0, 0, 0, 0, 0);
        try_call("acct", SYS_acct, 0, 0, 0, 0, 0);
        try_call("syslog", SYS_syslog, 3, STR(buffer), 16, 0, 0);
        try_call("fanotify_init", SYS_fanotify_init, 0, 0, 0, 0, 0);
        try_call("settimeofday", SYS_settimeofday, STR(&zero), 0, 0, 0, 0);
        try_call("clock_settime", SYS_clock_settime, 0, STR(&zero), 0, 0, 0);
        try_call("adjtimex", SYS_adjtimex, STR(buffer), 0, 0, 0, 0);
        try_call("sethostname", SYS_sethostname, STR("x"), 1, 0, 0, 0);
        try_call("setdomainname", SYS_setdomainname, STR("x"), 1, 0, 0, 0);
        try_call("vhangup", SYS_vhangup, 0, 0, 0, 0, 0);
        try_call("unknown call", 9999, 0, 0, 0, 0, 0);
        probe_result("personality query", personality(0xffffffff));
        probe_result("personality change", syscall(SYS_personality, 0x0040000));
        probe_result("personality high bits", syscall(SYS_personality, 0x0040000UL | 1UL << 33));
#ifdef __x86_64__
        try_call("iopl", SYS_iopl, 3, 0, 0, 0, 0);
        try_call("ioperm", SYS_ioperm, 0x60, 1, 1, 0, 0);
        try_call("modify_ldt", SYS_modify_ldt, 1, STR(buffer), 16, 0, 0);
#endif
        probe_result("setuid 0", setuid(0));
        probe_result("setgid 0", setgid(0));
        probe_result("setgroups", syscall(SYS_setgroups, 0, 0));
        probe_result("nice lower", setpriority(PRIO_PROCESS, 0, -1));
}

static void try_socket(const char *name, int family, int type, int protocol)
{
        char key[64];
        long fd = syscall(SYS_socket, family, type | SOCK_CLOEXEC, protocol);

        (void)snprintf(key, sizeof(key), "socket %s", name);
        probe_result(key, fd);
        if (fd >= 0)
                (void)close((int)fd);
}

static void try_sockets(void)
{
        static const struct {
                const char *name;
                int family, type, protocol;
        } sockets[] = {
                { "unix", AF_UNIX, SOCK_STREAM, 0 },
                { "inet", AF_INET, SOCK_STREAM, 0 },
                { "inet udp", AF_INET, SOCK_DGRAM, 0 },
                { "inet6", AF_INET6, SOCK_STREAM, 0 },
                { "inet raw", AF_INET, SOCK_RAW, 1 },
                { "inet6 raw", AF_INET6, SOCK_RAW, 58 },
                { "inet sctp", AF_INET, SOCK_STREAM, 132 },
                { "inet mptcp", AF_INET, SOCK_STREAM, 262 },
                { "inet packet", AF_INET, SOCK_PACKET, 768 },
                { "netlink route", AF_NETLINK, SOCK_RAW, 0 },
                { "netlink audit", AF_NETLINK, SOCK_RAW, NETLINK_AUDIT },
                { "netlink netfilter", AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER },
                { "netlink uevent", AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT },
                { "netlink generic", AF_NETLINK, SOCK_RAW, NETLINK_GENERIC },
                { "packet", AF_PACKET, SOCK_RAW, 768 },
                { "vsock", AF_VSOCK, SOCK_STREAM, 0 },
                { "alg", AF_ALG, SOCK_SEQPACKET, 0 },
                { "key", AF_KEY, SOCK_RAW, 2 },
                { "can", AF_CAN, SOCK_RAW, 1 },
                { "bluetooth", AF_BLUETOOTH, SOCK_RAW, 1 },
                { "tipc", AF_TIPC, SOCK_RDM, 0 },
                { "xdp", AF_XDP, SOCK_RAW, 0 },
                { "rds", AF_RDS, SOCK_SEQPACKET, 0 },
                { "kcm", AF_KCM, SOCK_DGRAM, 0 },
                { "smc", AF_SMC, SOCK_STREAM, 0 },
                { "x25", AF_X25, SOCK_SEQPACKET, 0 },
                { "appletalk", AF_APPLETALK, SOCK_DGRAM, 0 },
                { "ax25", AF_AX25, SOCK_DGRAM, 0 },
        };
        int pair[2];

        for (size_t i = 0; i < sizeof(sockets) / sizeof(sockets[0]); i++)
                try_socket(sockets[i].name, sockets[i].family, sockets[i].type, sockets[i].protocol);
        probe_result("socket family high bits", syscall(SYS_socket, AF_VSOCK | 1UL << 32, SOCK_STREAM, 0));
        probe_result("socketpair unix", socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
        probe_result("socketpair tipc", socketpair(AF_TIPC, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
}

#ifdef __x86_64__
static void enter_i386(void)
{
        long result;

        __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory", "r8", "r9", "r10", "r11");
}

static void enter_x32(void)
{
        (void)syscall(0x40000000 + SYS_getpid);
}

static void enter_minus_one(void)
{
        (void)syscall(-1);
}

static void try_abi(const char *name, void (*enter)(void))
{
        pid_t pid;
        int status = 0;

        (void)fflush(stdout);
        pid = fork();
        if (pid == 0) {
                enter();
                _exit(0);
        }
        (void)waitpid(pid, &status, 0);
        /* A kernel without this entry (ia32_emulation=off) raises SIGSEGV at the instruction itself. */
        if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGSYS))
                (void)printf("%s=killed\n", name);
        else if (WIFSIGNALED(status))
                (void)printf("%s=SIG%s\n", name, sigabbrev_np(WTERMSIG(status)));
        else
                (void)printf("%s=ok\n", name);
}
#endif

int main(int argc, char **argv)
{
        try_files();
        try_chroot_escape();
        try_mounts();
        try_namespaces();
        try_processes(argc > 1 ? atoi(argv[1]) : 0);
        try_keys(argc > 2 ? argv[2] : "none");
        try_terminal();
        try_sockets();
#ifdef __x86_64__
        try_abi("i386 entry", enter_i386);
        try_abi("x32 entry", enter_x32);
        try_abi("call -1", enter_minus_one);
#endif
        try_kernel();
        return 0;
}
