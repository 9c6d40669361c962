/* session_state.c - the session's record in the runtime directory. Root's file, read by root. */
#include "common/session_state.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define TEMPORARY_NAME SESSION_STATE_FILE ".new"

int session_state_write(int dirfd, const struct session_state *state, struct error *err)
{
        cleanup_close int fd = openat(dirfd, TEMPORARY_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
                                      0600);
        int r;

        if (fd < 0)
                return error_errno(err, errno, "cannot create the session's state file");
        /* Whatever the umask, and whatever a writer that was killed had left. */
        if (fchmod(fd, 0600) < 0)
                return error_errno(err, errno, "cannot set the mode of the session's state file");
        r = fd_write_all(fd, state, sizeof(*state), "the session's state file", err);
        if (r < 0)
                return r;
        if (renameat(dirfd, TEMPORARY_NAME, dirfd, SESSION_STATE_FILE) < 0)
                return error_errno(err, errno, "cannot put the session's state file in place");
        return 0;
}

static int terminated(const char *text, size_t size)
{
        return strnlen(text, size) < size;
}

int session_state_read(int dirfd, struct session_state *ret, struct error *err)
{
        cleanup_close int fd = fd_open_beneath(dirfd, SESSION_STATE_FILE, O_RDONLY, 0, err);
        struct session_state state;
        struct stat st;
        ssize_t got;
        int r;

        if (fd < 0)
                return fd;
        r = fd_check_root_owned(fd, S_IFREG, SESSION_STATE_FILE, err);
        if (r < 0)
                return r;
        if (fstat(fd, &st) < 0)
                return error_errno(err, errno, "cannot stat the session's state file");
        got = read(fd, &state, sizeof(state));
        if (got != (ssize_t)sizeof(state) || st.st_size != got || state.magic != SESSION_STATE_MAGIC)
                return error_text(err, EBADMSG, "a session's state file is of another version");
        if (!terminated(state.id, sizeof(state.id)) || !parse_is_session_id(state.id) ||
            !terminated(state.account, sizeof(state.account)) || !terminated(state.service, sizeof(state.service)) ||
            !terminated(state.tty, sizeof(state.tty)) || !terminated(state.rhost, sizeof(state.rhost)) ||
            !terminated(state.ruser, sizeof(state.ruser)) || !terminated(state.tier, sizeof(state.tier)))
                return error_text(err, EBADMSG, "a session's state file is damaged");
        for (size_t i = 0; i < SESSION_CGROUPS_MAX; i++)
                if (!terminated(state.cgroups[i], sizeof(state.cgroups[i])))
                        return error_text(err, EBADMSG, "a session's state file is damaged");
        *ret = state;
        return 0;
}
