/* sweep.c - clears dead sessions. Root. Acts only on directories whose lock it could take. */
#include "monitor/sweep.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/session_state.h"
#include "monitor/audit.h"
#include "monitor/cgroup.h"
#include "monitor/log.h"
#include "monitor/rundir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <syslog.h>

static int sweep_session(int sessions_fd, const char *id, struct error *err)
{
        cleanup_close int fd = fd_open_beneath(sessions_fd, id, O_RDONLY | O_DIRECTORY, 0, err), lock = -EBADF;
        struct session_state state;
        int r;

        if (fd < 0)
                return fd == -ENOENT ? 0 : fd;
        r = rundir_lock_dead(fd, &lock, err);
        if (r == -EAGAIN)
                return 0;
        if (r < 0)
                return r;
        r = session_state_read(fd, &state, err);
        if (r >= 0) {
                r = cgroup_remove_paths(state.cgroups, err);
                if (r < 0)
                        return r;
                audit_lost(&state);
        } else {
                /* Killed before it had written one: its cgroups may be there all the same. */
                log_line(LOG_WARNING, "sweep: session %s: %s", id, err->text);
                r = cgroup_remove_session(id, err);
                if (r < 0)
                        return r;
        }
        return fd_remove_tree(sessions_fd, id, err);
}

int sweep_run(struct error *err)
{
        struct rundir rundir = RUNDIR_INIT;
        cleanup_close int births = -EBADF;
        cleanup_closedir DIR *dir = NULL;
        struct error first = ERROR_INIT;
        struct dirent *entry;
        int r = rundir_open(&rundir, err);

        if (r < 0)
                return r;
        r = rundir_lock_births(rundir.runtime_fd, true, &births, err);
        if (r < 0) {
                rundir_done(&rundir);
                return r;
        }
        dir = fdopendir(openat(rundir.sessions_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        while (dir != NULL && (entry = readdir(dir)) != NULL) {
                struct error next = ERROR_INIT;

                if (!parse_is_session_id(entry->d_name) || sweep_session(rundir.sessions_fd, entry->d_name, &next) >= 0)
                        continue;
                log_line(LOG_ERR, "sweep: session %s: %s", entry->d_name, next.text);
                if (first.number == 0)
                        first = next;
        }
        rundir_done(&rundir);
        if (first.number != 0) {
                *err = first;
                return -first.number;
        }
        return 0;
}
