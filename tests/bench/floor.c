/*
 * floor.c - how cheap can it be? The namespaces of a session and its list of mounts, with no check and no care.
 *
 *   floor FILTER PLAN PROGRAM ARGV0 [ARGUMENT...]     as the agent's uid
 *
 * FILTER: a raw BPF program. PLAN, a line each: "d PATH" directory, "f PATH" file, "l PATH TARGET" link, "t PATH" tmpfs,
 * "p PATH" procfs, "v PATH" devpts, "b PATH SOURCE" bind, "r PATH" read-only with all below. PATH is below the new root.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAMESPACES \
        (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)
#define FILTER_MAX (4096 * sizeof(struct sock_filter))
#define PLAN_MAX   65536
#define DETACH     2

static char filter_code[FILTER_MAX], plan[PLAN_MAX];

__attribute__((noreturn)) static void fail(const char *what)
{
        (void)fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
        _exit(2);
}

static size_t read_file(const char *path, char *ret, size_t size)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t length = fd < 0 ? -1 : read(fd, ret, size - 1);

        if (length < 0)
                fail(path);
        (void)close(fd);
        return (size_t)length;
}

static void put(const char *path, const char *text)
{
        int fd = open(path, O_WRONLY | O_CLOEXEC);

        if (fd < 0 || write(fd, text, strlen(text)) < 0)
                fail(path);
        (void)close(fd);
}

static long do_mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)
{
        return syscall(SYS_mount, source, target, type, flags, data);
}

static long run_line(char kind, const char *path, const char *argument)
{
        struct mount_attr readonly = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID };
        int fd;

        switch (kind) {
        case 'd':
                return mkdir(path, 0755) < 0 && errno != EEXIST ? -1 : 0;
        case 'f':
                fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
                return fd < 0 ? -1 : close(fd);
        case 'l':
                return symlink(argument, path);
        case 't':
                return do_mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");
        case 'p':
                return do_mount("proc", path, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
        case 'v':
                return do_mount("devpts", path, "devpts", MS_NOSUID | MS_NOEXEC, "ptmxmode=0666,mode=620");
        case 'b':
                return do_mount(argument, path, NULL, MS_BIND | MS_REC, NULL);
        case 'r':
                return syscall(SYS_mount_setattr, AT_FDCWD, path, 0x8000, &readonly, sizeof(readonly));
        default:
                return errno = EINVAL, -1;
        }
}

/* The new root is a tmpfs over /mnt; what is bound comes from the old one, whose paths stay valid until the pivot. */
static void make_view(void)
{
        char *rest = plan, *line;

        if (do_mount("tmpfs", "/mnt", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755") < 0 || chdir("/mnt") < 0)
                fail("root");
        while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
                char kind = line[0], *path = line + 2, *argument = strchr(path, ' ');

                if (argument != NULL)
                        *argument++ = '\0';
                if (run_line(kind, path, argument) < 0) {
                        (void)fprintf(stderr, "%c ", kind);
                        fail(path);
                }
        }
        if (syscall(SYS_pivot_root, ".", ".") < 0 || syscall(SYS_umount2, ".", DETACH) < 0 || chdir("/") < 0)
                fail("pivot");
}

static void map_ids(uid_t uid, gid_t gid)
{
        char map[64];

        put("/proc/self/setgroups", "deny");
        (void)snprintf(map, sizeof(map), "%u %u 1", uid, uid);
        put("/proc/self/uid_map", map);
        (void)snprintf(map, sizeof(map), "%u %u 1", gid, gid);
        put("/proc/self/gid_map", map);
}

static void raise_loopback(void)
{
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };

        if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
                fail("lo");
        (void)close(fd);
}

static void drop(size_t filter_size)
{
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct none[2] = { { 0 } };
        struct sock_fprog program = { .len = (unsigned short)(filter_size / sizeof(struct sock_filter)),
                                      .filter = (struct sock_filter *)(void *)filter_code };

        for (int capability = 0; prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0; capability++)
                continue;
        if (syscall(SYS_capset, &header, none) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
            prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
                fail("capabilities");
        if (filter_size > 0 && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
                fail("seccomp");
}

int main(int argc, char **argv)
{
        struct clone_args arguments = { .flags = NAMESPACES | CLONE_VFORK, .exit_signal = SIGCHLD };
        uid_t uid = getuid();
        gid_t gid = getgid();
        size_t filter_size;
        pid_t pid;
        int status;

        if (argc < 5)
                return 2;
        filter_size = read_file(argv[1], filter_code, sizeof(filter_code));
        (void)read_file(argv[2], plan, sizeof(plan));
        pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));
        if (pid < 0)
                fail("clone3");
        if (pid == 0) {
                map_ids(uid, gid);
                make_view();
                raise_loopback();
                (void)sethostname("floor", 5);
                drop(filter_size);
                execv(argv[3], argv + 4);
                fail(argv[3]);
        }
        return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
