/* rundir.c - runtime directories. Root only; every name below a checked directory fd. */
#include "monitor/rundir.h"

#include "common/cleanup.h"
#include "common/fault.h"
#include "common/fd.h"
#include "common/paths.h"
#include "common/process.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

int rundir_open(struct rundir *ret, struct error *err)
{
        struct rundir rundir = RUNDIR_INIT;
        int r;

        if (mkdir(AGENTSH_RUNTIME_DIR, 0711) < 0 && errno != EEXIST)
                return error_errno(err, errno, "cannot make %s", AGENTSH_RUNTIME_DIR);
        rundir.runtime_fd = open(AGENTSH_RUNTIME_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (rundir.runtime_fd < 0)
                return error_errno(err, errno, "cannot open %s", AGENTSH_RUNTIME_DIR);
        r = fd_check_root_owned(rundir.runtime_fd, S_IFDIR, AGENTSH_RUNTIME_DIR, err);
        if (r >= 0 && fchmod(rundir.runtime_fd, OMIT_POINT("mode of /run/agentsh") ? 0755 : 0711) < 0)
                r = error_errno(err, errno, "cannot set the mode of %s", AGENTSH_RUNTIME_DIR);
        if (r >= 0)
                r = fd_make_dir(rundir.runtime_fd, "sessions", 0711, &rundir.sessions_fd, err);
        if (r < 0) {
                rundir_done(&rundir);
                return r;
        }
        *ret = rundir;
        return 0;
}

static int open_lock(int dirfd, const char *name, int flags, int operation, int *ret_fd, struct error *err)
{
        cleanup_close int fd = fd_open_beneath(dirfd, name, O_RDWR | flags, 0600, err);

        if (fd < 0)
                return fd;
        while (flock(fd, operation) < 0)
                if (errno != EINTR)
                        return error_errno(err, errno, "cannot lock %s", name);
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/*
 * A lock of the process, not of the open file: flock(2) would be shared with the builder, and whoever sweeps behind a
 * monitor that was killed meanwhile would take its session for a living one.
 */
static int lock_session(int session_fd, int flags, int *ret_fd, struct error *err)
{
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        cleanup_close int fd = fd_open_beneath(session_fd, SESSION_LOCK_FILE, O_RDWR | flags, 0600, err);

        if (fd < 0)
                return fd;
        if (fcntl(fd, F_SETLK, &lock) < 0)
                return errno == EAGAIN || errno == EACCES ? -EAGAIN : error_errno(err, errno, "cannot lock a session");
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int rundir_lock_births(int runtime_fd, bool exclusive, int *ret_fd, struct error *err)
{
        return open_lock(runtime_fd, "births.lock", O_CREAT, exclusive ? LOCK_EX : LOCK_SH, ret_fd, err);
}

int rundir_lock_dead(int session_fd, int *ret_lock_fd, struct error *err)
{
        return lock_session(session_fd, O_CREAT, ret_lock_fd, err);
}

int rundir_create(struct rundir *rundir, struct error *err)
{
        cleanup_close int births = -EBADF;
        char id[SESSION_ID_LENGTH + 1];
        int r = process_random_id(id, err);

        if (r < 0)
                return r;
        r = rundir_lock_births(rundir->runtime_fd, false, &births, err);
        if (r < 0)
                return r;
        if (mkdirat(rundir->sessions_fd, id, 0700) < 0)
                return error_errno(err, errno, "cannot make the session's directory");
        memcpy(rundir->id, id, sizeof(id));
        rundir->fd = fd_open_beneath(rundir->sessions_fd, id, O_RDONLY | O_DIRECTORY, 0, err);
        if (rundir->fd < 0)
                return rundir->fd;
        if (fchmod(rundir->fd, OMIT_POINT("mode of the session") ? 0777 : 0711) < 0)
                return error_errno(err, errno, "cannot set the mode of the session's directory");
        return lock_session(rundir->fd, O_CREAT | O_EXCL, &rundir->lock_fd, err);
}

int rundir_remove(struct rundir *rundir, struct error *err)
{
        int r;

        if (rundir->id[0] == '\0')
                return 0;
        r = fd_remove_tree(rundir->sessions_fd, rundir->id, err);
        if (r >= 0)
                rundir->id[0] = '\0';
        return r;
}

void rundir_done(struct rundir *rundir)
{
        cleanup_close_fd(&rundir->lock_fd);
        cleanup_close_fd(&rundir->fd);
        cleanup_close_fd(&rundir->sessions_fd);
        cleanup_close_fd(&rundir->runtime_fd);
}
