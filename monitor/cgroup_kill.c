/*
 * cgroup_kill.c - ends everything in a cgroup. Root with CAP_KILL.
 *
 * The pids in cgroup.procs are only numbers: by the time of the signal one may belong to a process of somebody else.
 * So each is turned into a pidfd first and signalled only if the cgroup still lists it then.
 */
#include "monitor/cgroup_driver.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/parse.h"
#include "common/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define KILL_BATCH      64
#define KILL_DEPTH      8
#define KILL_TEXT_MAX   8192
#define KILL_TIMEOUT_MS 2000U

/* Reads the next pid off *text; 0 at its end. A last line that the buffer cut off is left to the next round. */
static pid_t next_pid(const char **text)
{
        char number[16];
        size_t length = strcspn(*text, "\n");
        uint64_t pid = 0;

        if (**text == '\0' || length >= sizeof(number))
                return 0;
        memcpy(number, *text, length);
        number[length] = '\0';
        *text += length;
        *text += **text == '\n';
        return parse_number(number, 1, INT32_MAX, &pid, NULL) < 0 ? 0 : (pid_t)pid;
}

static bool lists(const char *text, pid_t wanted)
{
        pid_t pid;

        while ((pid = next_pid(&text)) != 0)
                if (pid == wanted)
                        return true;
        return false;
}

static int read_procs(int fd, char text[KILL_TEXT_MAX], struct error *err)
{
        int r = fd_read_file_at(fd, "cgroup.procs", text, KILL_TEXT_MAX, err);
        char *last;

        if (r == -ENODEV || r == -ENOENT) {
                text[0] = '\0'; /* removed meanwhile */
                return 0;
        }
        if (r == 0 && strlen(text) == KILL_TEXT_MAX - 1) {
                last = strrchr(text, '\n');
                if (last != NULL)
                        *last = '\0';
        }
        return r;
}

static int kill_batch(int fd, const pid_t *pids, size_t count, struct error *err)
{
        char text[KILL_TEXT_MAX];
        int pidfds[KILL_BATCH];
        int result = 0;

        for (size_t i = 0; i < count; i++) {
                pidfds[i] = process_open_pidfd(pids[i], err);
                if (pidfds[i] < 0 && pidfds[i] != -ESRCH)
                        result = pidfds[i];
        }
        if (result == 0)
                result = read_procs(fd, text, err);
        for (size_t i = 0; i < count; i++) {
                if (pidfds[i] >= 0 && result == 0 && lists(text, pids[i])) {
                        int r = process_send_signal(pidfds[i], SIGKILL, err);

                        if (r < 0 && r != -ESRCH)
                                result = r;
                }
                cleanup_close_fd(&pidfds[i]);
        }
        return result;
}

static int kill_own(int fd, size_t *seen, struct error *err)
{
        char text[KILL_TEXT_MAX];
        pid_t pids[KILL_BATCH];
        const char *next = text;
        int r = read_procs(fd, text, err);

        while (r == 0) {
                size_t count = 0;
                pid_t pid = 0;

                while (count < KILL_BATCH && (pid = next_pid(&next)) != 0)
                        pids[count++] = pid;
                if (count == 0)
                        break;
                *seen += count;
                r = kill_batch(fd, pids, count, err);
        }
        if (r == 0 && *next != '\0') /* a pid 0: a process that this pid namespace cannot name */
                return error_text(err, ESRCH, "cannot end the session's processes: some are out of reach");
        return r;
}

static int kill_below(int fd, unsigned depth, size_t *seen, struct error *err)
{
        cleanup_closedir DIR *dir = NULL;
        struct dirent *entry;
        int copy, r;

        r = kill_own(fd, seen, err);
        if (r < 0)
                return r;
        if (depth == 0)
                return error_text(err, ELOOP, "cannot end the session's processes: its cgroups are nested too deeply");
        copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (copy < 0)
                return errno == ENOENT ? 0 : error_errno(err, errno, "cannot open a cgroup");
        dir = fdopendir(copy);
        if (dir == NULL) {
                cleanup_close_fd(&copy);
                return error_errno(err, errno, "cannot list a cgroup");
        }
        while ((errno = 0, entry = readdir(dir)) != NULL) {
                cleanup_close int child = -EBADF;

                if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
                        continue;
                child = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                if (child < 0)
                        continue;
                r = kill_below(child, depth - 1, seen, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

int cgroup_kill_round(int fd, size_t *ret_seen, struct error *err)
{
        size_t seen = 0;
        int r = kill_below(fd, KILL_DEPTH, &seen, err);

        if (r < 0)
                return r;
        *ret_seen = seen;
        return 0;
}

int cgroup_kill_atomic(int fd, struct error *err)
{
        return fd_write_file_at(fd, "cgroup.kill", "1", err);
}

static bool is_v2_tree(int fd)
{
        return cgroup_file_exists(fd, "cgroup.controllers");
}

/* From here on no fork succeeds, so that a loop over a list of pids comes to an end. */
static int forbid_forks(const struct cgroup *cgroup, struct error *err)
{
        for (size_t i = 0; i < cgroup->count; i++) {
                if (!cgroup_file_exists(cgroup->dir[i].fd, "pids.max"))
                        continue;
                if (fd_write_file_at(cgroup->dir[i].fd, "pids.max", "0", err) < 0)
                        return error_prefix(err, "cannot stop %s", cgroup->dir[i].path);
        }
        return 0;
}

static int kill_by_loop(const struct cgroup *cgroup, struct error *err)
{
        uint64_t deadline = process_monotonic_ms() + KILL_TIMEOUT_MS;
        int r = forbid_forks(cgroup, err);

        for (;;) {
                struct timespec pause = { .tv_nsec = 2000000 };
                size_t left = 0;

                for (size_t i = 0; i < cgroup->count && r == 0; i++) {
                        size_t seen = 0;

                        r = cgroup_kill_round(cgroup->dir[i].fd, &seen, err);
                        left += seen;
                }
                if (r < 0 || left == 0)
                        return r;
                if (process_monotonic_ms() > deadline)
                        return error_text(err, EBUSY, "cannot end the processes of %s in time: %zu are left",
                                          cgroup->dir[0].path, left);
                (void)nanosleep(&pause, NULL);
        }
}

int cgroup_kill(const struct cgroup *cgroup, struct error *err)
{
        bool atomic = false;

        for (size_t i = 0; i < cgroup->count; i++) {
                int r;

                if (!is_v2_tree(cgroup->dir[i].fd))
                        continue;
                r = cgroup_kill_atomic(cgroup->dir[i].fd, err);
                if (r == -ENODEV) /* removed */
                        continue;
                if (r < 0 && r != -ENOENT)
                        return error_prefix(err, "cannot end the processes of %s", cgroup->dir[i].path);
                atomic = atomic || r == 0;
        }
        if (!atomic)
                return kill_by_loop(cgroup, err);
        /* On v1 something may stand in one hierarchy only: one round finds it. */
        for (size_t i = 0; i < cgroup->count && cgroup->count > 1; i++) {
                size_t seen = 0;
                int r = cgroup_kill_round(cgroup->dir[i].fd, &seen, err);

                if (r < 0)
                        return r;
        }
        return 0;
}
