/* guest_init.c - the steps from root of the guest to agentsh-init as the account; they are in the order of `steps`. */
#include "shell/guest_init.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/process.h"
#include "common/seqpacket.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define CAPABILITIES_MAX 64

struct child {
        int program, status, listener;
        const char *root;
        uid_t uid;
        gid_t gid;
};

static int enter_root(const struct child *child)
{
        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return -1;
        return child->root != NULL && (chroot(child->root) < 0 || chdir("/") < 0) ? -1 : 0;
}

static int mount_own(const struct child *child)
{
        (void)child;
        if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0 ||
            mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5") <
                    0)
                return -1;
        return mount("/dev/pts/ptmx", "/dev/ptmx", NULL, MS_BIND, NULL);
}

/* Nothing of ours reaches it but what its number says. */
static int keep_descriptors(const struct child *child)
{
        static const int keep[] = { STATUS_FD, ATTACH_LISTEN_FD, ATTACH_LISTEN_FD + 1 };
        int program = fcntl(child->program, F_DUPFD, 10), status = fcntl(child->status, F_DUPFD, 10);
        int listener = fcntl(child->listener, F_DUPFD, 10);

        if (program < 0 || status < 0 || listener < 0 || dup2(status, STATUS_FD) < 0 ||
            dup2(listener, ATTACH_LISTEN_FD) < 0 || dup3(program, ATTACH_LISTEN_FD + 1, O_CLOEXEC) < 0)
                return -1;
        return fd_close_others(3, keep, sizeof(keep) / sizeof(keep[0]), NULL) < 0 ? -1 : 0;
}

static int drop_bounding_set(const struct child *child)
{
        (void)child;
        for (unsigned long i = 0; i < CAPABILITIES_MAX; i++)
                if (prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0 && errno != EINVAL)
                        return -1;
        return prctl(PR_SET_SECUREBITS, SECURE_ALL_BITS | SECURE_ALL_LOCKS, 0, 0, 0);
}

static int become_account(const struct child *child)
{
        if (setgroups(0, NULL) < 0 || setresgid(child->gid, child->gid, child->gid) < 0)
                return -1;
        return setresuid(child->uid, child->uid, child->uid);
}

/* With the fixup of set-ids locked away, the change of identity has cleared nothing. */
static int drop_capabilities(const struct child *child)
{
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        const struct __user_cap_data_struct none[2] = { { 0 } };

        (void)child;
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
                return -1;
        return (int)syscall(SYS_capset, &header, none);
}

static int forbid_privileges(const struct child *child)
{
        (void)child;
        return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* What was given up must not come back. */
static int prove(const struct child *child)
{
        (void)child;
        if (setresuid(0, 0, 0) == 0 || setresgid(0, 0, 0) == 0 || chroot("/") == 0) {
                errno = EPERM;
                return -1;
        }
        return 0;
}

static int execute(const struct child *child)
{
        const struct rlimit no_core = { 0, 0 };
        char name[] = "agentsh-init", *arguments[] = { name, NULL }, *environment[] = { NULL };

        (void)child;
        if (setrlimit(RLIMIT_CORE, &no_core) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
                return -1;
        (void)syscall(SYS_execveat, ATTACH_LISTEN_FD + 1, "", arguments, environment, AT_EMPTY_PATH);
        return -1;
}

static const struct {
        const char *name;
        int (*run)(const struct child *child);
} steps[] = {
        { "enter the root", enter_root },          { "mount /proc and /dev/pts", mount_own },
        { "close descriptors", keep_descriptors }, { "empty the bounding set", drop_bounding_set },
        { "become the account", become_account },  { "drop the capabilities", drop_capabilities },
        { "set no_new_privs", forbid_privileges }, { "give up privilege for good", prove },
        { "execute agentsh-init", execute },
};

_Noreturn static void run_child(const struct child *child)
{
        struct error err = ERROR_INIT;

        for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
                if (steps[i].run(child) == 0)
                        continue;
                (void)error_errno(&err, errno, "agentsh-guest: cannot %s", steps[i].name);
                (void)strncat(err.text, "\n", sizeof(err.text) - strlen(err.text) - 1);
                if (write(STDERR_FILENO, err.text, strlen(err.text)) < 0)
                        _exit(126);
                break;
        }
        _exit(127);
}

/* An address that the kernel chooses: there may be no file system to put a socket in. init serves root's uid alone. */
static int make_listener(struct guest_init *init, struct error *err)
{
        cleanup_close int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        const sa_family_t any = AF_UNIX;

        init->address_size = sizeof(init->address);
        if (fd < 0 || bind(fd, (const struct sockaddr *)&any, sizeof(any)) < 0 || listen(fd, 128) < 0 ||
            getsockname(fd, (struct sockaddr *)&init->address, &init->address_size) < 0)
                return error_errno(err, errno, "cannot make the attach socket");
        init->listener = TAKE_FD(fd);
        return 0;
}

static int start_process(struct guest_init *init, struct child *child, struct error *err)
{
        cleanup_close int theirs = -EBADF;
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return error_errno(err, errno, "cannot make a socket pair");
        init->status = pair[0];
        child->status = theirs = pair[1];
        child->listener = init->listener;
        init->pid = (pid_t)syscall(SYS_clone, CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | SIGCHLD, NULL, NULL, NULL, 0);
        if (init->pid < 0)
                return error_errno(err, errno, "cannot start agentsh-init");
        if (init->pid == 0)
                run_child(child);
        return 0;
}

int guest_init_start(struct guest_init *init, int program, const char *root, const struct init_config *config,
                     gid_t gid, struct error *err)
{
        struct child child = { .program = program, .root = root, .uid = config->uid, .gid = gid };
        struct init_config ours = *config;
        int r;

        if (config->uid == 0 || gid == 0)
                return error_text(err, EPERM, "root cannot be an agent");
        init->uid = config->uid;
        r = make_listener(init, err);
        if (r < 0)
                return r;
        r = start_process(init, &child, err);
        if (r < 0)
                return r;
        ours.uid = 0;
        r = seqpacket_send(init->status, &ours, sizeof(ours), NULL, 0, 1000, err);
        return r < 0 ? error_prefix(err, "agentsh-init takes no settings") : 0;
}

int guest_init_connect(const struct guest_init *init, int *ret, struct error *err)
{
        cleanup_close int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd < 0 || connect(fd, (const struct sockaddr *)&init->address, init->address_size) < 0)
                return error_errno(err, errno, "cannot connect to agentsh-init");
        *ret = TAKE_FD(fd);
        return 0;
}

int guest_init_take_report(const struct guest_init *init, struct error *err)
{
        const struct status_notice notice = { .magic = STATUS_MAGIC };
        struct status_report report;
        size_t count;
        ssize_t got = seqpacket_receive(init->status, &report, sizeof(report), NULL, 0, &count, 0, NULL);

        if (got == -ETIMEDOUT)
                return 0;
        if (got != (ssize_t)sizeof(report) || report.magic != STATUS_MAGIC)
                return error_text(err, ECONNRESET, "agentsh-init has ended");
        /* Limits are the host's to name. */
        if (report.kind == STATUS_CLOSED)
                return seqpacket_send(init->status, &notice, sizeof(notice), NULL, 0, 0, err);
        return 0;
}

void guest_init_done(struct guest_init *init)
{
        cleanup_close_fd(&init->status);
        cleanup_close_fd(&init->listener);
        /* With process 1 of the namespace all of its processes end, and let go of the home. */
        if (init->pid > 0 && kill(init->pid, SIGKILL) == 0)
                (void)waitpid(init->pid, NULL, 0);
        init->pid = 0;
}
