/*
 * jail_process.c - the rest of a process's state, set to what a fresh login has, whatever the caller's was.
 *
 * Root of the host: raising the nice value's priority needs CAP_SYS_NICE, a login uid CAP_AUDIT_CONTROL.
 */
#include "monitor/jail.h"

#include "common/fd.h"
#include "common/process.h"
#include "monitor/jail_sync.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CPUS_MAX 8192

int jail_leave_terminal(struct jail *jail, struct error *err)
{
        (void)jail;
        /* Not dumpable: nobody may look into or trace this copy of the monitor while it turns into the agent's. */
        if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return error_errno(err, errno, "cannot make the builder undumpable");
        if (setsid() < 0)
                return error_errno(err, errno, "cannot leave the monitor's terminal session");
        return 0;
}

int jail_bind_parent(struct jail *jail, struct error *err)
{
        struct pollfd monitor = { .fd = jail->sync_fd, .events = POLLIN };

        /* Late, since a change of uid or user namespace clears it. */
        if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
                return error_errno(err, errno, "cannot bind process 1 to the monitor's life");
        /* It may have died before: then its end of the line is closed. */
        if (poll(&monitor, 1, 0) < 0)
                return error_errno(err, errno, "cannot look after the monitor");
        if ((monitor.revents & (POLLHUP | POLLERR)) != 0)
                return error_text(err, EPIPE, "the monitor is gone");
        return 0;
}

int jail_reset_scheduling(struct jail *jail, struct error *err)
{
        static const struct sched_param other = { .sched_priority = 0 };
        unsigned char all[CPUS_MAX / 8];

        (void)jail;
        memset(all, 0xff, sizeof(all));
        if (sched_setscheduler(0, SCHED_OTHER, &other) < 0)
                return error_errno(err, errno, "cannot set the normal scheduling policy");
        if (setpriority(PRIO_PROCESS, 0, 0) < 0)
                return error_errno(err, errno, "cannot set the nice value to 0");
        if (syscall(SYS_ioprio_set, 1 /* IOPRIO_WHO_PROCESS */, 0, 0) < 0)
                return error_errno(err, errno, "cannot reset the I/O priority");
        /* The kernel takes of it what the cpuset allows. */
        if (syscall(SYS_sched_setaffinity, 0, sizeof(all), all) < 0)
                return error_errno(err, errno, "cannot reset the CPU affinity");
        if (prctl(PR_SET_TIMERSLACK, 0, 0, 0, 0) < 0)
                return error_errno(err, errno, "cannot reset the timer slack");
        return 0;
}

int jail_reset_oom_score(struct jail *jail, struct error *err)
{
        /* With CAP_SYS_RESOURCE this is also the lowest value that the agent can ever go back to. */
        return fd_write_file_at(jail->proc_fd, "1/oom_score_adj", "0", err);
}

int jail_set_login_uid(struct jail *jail, struct error *err)
{
        char text[16];
        struct stat st;

        if (fstatat(jail->proc_fd, "1/loginuid", &st, 0) < 0) {
                if (errno == ENOENT)
                        return 0; /* a kernel without audit */
                return error_errno(err, errno, "cannot look at the login uid");
        }
        (void)snprintf(text, sizeof(text), "%u", (unsigned)jail->request->uid);
        return fd_write_file_at(jail->proc_fd, "1/loginuid", text, err);
}

int jail_clear_groups(struct jail *jail, struct error *err)
{
        (void)jail;
        if (setgroups(0, NULL) < 0)
                return error_errno(err, errno, "cannot leave the supplementary groups");
        return 0;
}

int jail_reset_signals(struct jail *jail, struct error *err)
{
        (void)jail;
        (void)umask(022);
        return process_reset_signals(err);
}
