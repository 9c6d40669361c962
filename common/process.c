/* process.c - facts about processes. Needs no capability. */
#include "common/process.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/parse.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>

int process_reset_signals(struct error *err)
{
        sigset_t none;

        for (int number = 1; number < NSIG; number++) {
                struct sigaction action = { .sa_handler = SIG_DFL };

                if (number == SIGKILL || number == SIGSTOP)
                        continue;
                if (sigaction(number, &action, NULL) < 0 && errno != EINVAL)
                        return error_errno(err, errno, "cannot reset signal %d", number);
        }
        sigemptyset(&none);
        if (sigprocmask(SIG_SETMASK, &none, NULL) < 0)
                return error_errno(err, errno, "cannot unblock signals");
        return 0;
}

int process_open_pidfd(pid_t pid, struct error *err)
{
        long fd = syscall(SYS_pidfd_open, pid, 0);

        if (fd < 0)
                return error_errno(err, errno, "cannot open a pidfd of process %d", (int)pid);
        return (int)fd;
}

int process_send_signal(int pidfd, int signal, struct error *err)
{
        if (syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) < 0)
                return error_errno(err, errno, "cannot send signal %d", signal);
        return 0;
}

int process_parse_start_time(const char *stat, uint64_t *ret, struct error *err)
{
        /* The command name may hold blanks and parentheses: count fields behind the last ')'. */
        const char *at = strrchr(stat, ')');
        char number[24];
        size_t length;

        for (int field = 2; at != NULL && field < 22; field++)
                at = strchr(at + 1, ' ');
        length = at != NULL ? strcspn(at + 1, " \n") : 0;
        if (length == 0 || length >= sizeof(number))
                return error_text(err, EIO, "it has no start time");
        memcpy(number, at + 1, length);
        number[length] = '\0';
        return parse_number(number, 0, UINT64_MAX, ret, err);
}

int process_read_start_time(pid_t pid, uint64_t *ret, struct error *err)
{
        cleanup_close int dir = -EBADF;
        char name[32], stat[1024];
        int r;

        (void)snprintf(name, sizeof(name), "/proc/%d", (int)pid);
        dir = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0)
                return error_errno(err, errno, "cannot open %s", name);
        r = fd_read_file_at(dir, "stat", stat, sizeof(stat), err);
        if (r < 0)
                return r;
        r = process_parse_start_time(stat, ret, err);
        return r < 0 ? error_prefix(err, "cannot understand %s/stat", name) : 0;
}

uint64_t process_monotonic_ms(void)
{
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int64_t process_realtime(void)
{
        struct timespec now;

        (void)clock_gettime(CLOCK_REALTIME, &now);
        return now.tv_sec;
}

int process_random_id(char ret[static 17], struct error *err)
{
        uint64_t random;

        if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
                return error_errno(err, errno, "cannot get random bytes");
        (void)snprintf(ret, 17, "%016llx", (unsigned long long)random);
        return 0;
}
