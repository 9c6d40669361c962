/* qemu_process.c - see qemu_process.h. */
#include "vm/qemu_process.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Above every fd that QEMU is to have. */
#define FD_ASIDE 64
#define FD_COUNT (VM_FD_END - VM_FD_CHANNEL)

/* The fds to their places, by way of numbers where nothing can be hit. */
static int arrange_fds(const int fds[FD_COUNT], int log_fd)
{
        int aside[FD_COUNT + 1], keep[FD_COUNT], null = open("/dev/null", O_RDWR | O_CLOEXEC);
        size_t kept = 0;

        for (size_t i = 0; i <= FD_COUNT; i++) {
                int fd = i == FD_COUNT ? log_fd : fds[i];

                aside[i] = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, FD_ASIDE);
                if (fd >= 0 && aside[i] < 0)
                        return -errno;
        }
        if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(aside[FD_COUNT], 2) < 0)
                return -errno;
        for (size_t i = 0; i < FD_COUNT; i++) {
                if (aside[i] < 0)
                        continue;
                if (dup2(aside[i], VM_FD_CHANNEL + (int)i) < 0)
                        return -errno;
                keep[kept++] = VM_FD_CHANNEL + (int)i;
        }
        return fd_close_others(3, keep, kept, NULL);
}

static int give_up_privilege(void)
{
        if (setgroups(0, NULL) < 0 || setresgid(QEMU_UID, QEMU_UID, QEMU_UID) < 0 ||
            setresuid(QEMU_UID, QEMU_UID, QEMU_UID) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return -errno;
        /* Must fail. */
        return setresuid(0, 0, 0) < 0 ? 0 : -EPERM;
}

__attribute__((noreturn)) static void become(const struct vm_command *command, const int fds[FD_COUNT], int log_fd)
{
        static const char *const environment[] = { "LC_ALL=C", NULL };

        if (chdir("/") < 0 || process_reset_signals(NULL) < 0 || arrange_fds(fds, log_fd) < 0 ||
            give_up_privilege() < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || setsid() < 0)
                _exit(126);
        (void)execve(command->argv[0], (char *const *)(const void *)command->argv,
                     (char *const *)(const void *)environment);
        _exit(127);
}

int qemu_start(const struct vm_command *command, const int fds[FD_COUNT], struct qemu_process *ret, struct error *err)
{
        cleanup_close int log_fd = memfd_create("qemu-log", MFD_CLOEXEC);
        pid_t pid;

        if (log_fd < 0)
                return error_errno(err, errno, "cannot make a memory file");
        pid = fork();
        if (pid < 0)
                return error_errno(err, errno, "cannot start %s", command->argv[0]);
        if (pid == 0)
                become(command, fds, log_fd);
        ret->pid = pid;
        ret->log_fd = TAKE_FD(log_fd);
        return 0;
}

void qemu_done(struct qemu_process *process)
{
        if (process->pid > 0) {
                (void)kill(process->pid, SIGKILL);
                while (waitpid(process->pid, NULL, 0) < 0 && errno == EINTR)
                        ;
        }
        cleanup_close_fd(&process->log_fd);
        process->pid = 0;
}

void qemu_last_words(const struct qemu_process *process, char *ret, size_t size)
{
        char text[1024];
        off_t end = lseek(process->log_fd, 0, SEEK_END);
        off_t start = end > (off_t)sizeof(text) - 1 ? end - ((off_t)sizeof(text) - 1) : 0;
        ssize_t got = pread(process->log_fd, text, sizeof(text) - 1, start);
        char *line;

        text[got > 0 ? got : 0] = '\0';
        while (got > 0 && text[got - 1] == '\n')
                text[--got] = '\0';
        line = strrchr(text, '\n');
        escape_text(ret, size, line == NULL ? text : line + 1);
}
