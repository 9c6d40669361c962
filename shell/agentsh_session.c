/* agentsh_session.c - from the variable to a connection that is proved to be root's. Runs as the agent. */
#include "shell/agentsh_session.h"

#include "common/cleanup.h"
#include "common/fault.h"
#include "common/fd.h"
#include "common/parse.h"
#include "common/paths.h"
#include "common/seqpacket.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define KEEP_MAX (16 * 1024)

/* The session id in BASE/<id>/attach, and nothing else around it. */
static int take_id(const char *path, const char *base, char ret[static SESSION_ID_LENGTH + 1], struct error *err)
{
        size_t length = strlen(base);
        char id[SESSION_ID_LENGTH + 1] = "";
        const char *rest = path;

        if (strncmp(path, base, length) == 0 && path[length] == '/' &&
            strnlen(path + length + 1, SESSION_ID_LENGTH) == SESSION_ID_LENGTH) {
                memcpy(id, path + length + 1, SESSION_ID_LENGTH);
                rest = path + length + 1 + SESSION_ID_LENGTH;
        }
        if (!parse_is_session_id(id) || strcmp(rest, "/" SESSION_ATTACH_SOCKET) != 0)
                return error_text(err, EINVAL, "%s is \"%.100s\", which is not a session's socket below %s",
                                  AGENTSH_SOCKET_VARIABLE, path, base);
        memcpy(ret, id, sizeof(id));
        return 0;
}

/* Opens the absolute directory `path`, checking each directory from "/" on. */
static int open_checked(const char *path, int *ret_fd, struct error *err)
{
        cleanup_close int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        char component[NAME_MAX + 1];

        if (fd < 0)
                return error_errno(err, errno, "cannot open /");
        for (path += strspn(path, "/"); *path != '\0'; path += strspn(path, "/")) {
                size_t length = strcspn(path, "/");
                int next, r;

                if (length > NAME_MAX)
                        return error_errno(err, ENAMETOOLONG, "cannot open %s", path);
                memcpy(component, path, length);
                component[length] = '\0';
                next = openat(fd, component, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                if (next < 0)
                        return error_errno(err, errno, "cannot open the session's directory (at \"%s\")", component);
                cleanup_close_fd(&fd);
                fd = next;
                r = OMIT_POINT("directories of root") ? 0 : fd_check_root_owned(fd, S_IFDIR, component, err);
                if (r < 0)
                        return r;
                path += length;
        }
        *ret_fd = TAKE_FD(fd);
        return 0;
}

static int check_listener(int socket, struct error *err)
{
        uid_t uid;
        int r = seqpacket_peer_uid(socket, &uid, err);

        if (r < 0)
                return r;
        if (uid != 0 && !OMIT_POINT("listener of root"))
                return error_text(err, EPERM, "the session's socket belongs to uid %u, not to root", (unsigned)uid);
        return 0;
}

int session_open(const char *path, const char *base, struct session *ret, struct error *err)
{
        cleanup_close int directory = -EBADF, socket = -EBADF;
        char id[SESSION_ID_LENGTH + 1], name[PATH_MAX];
        int r;

        if (path == NULL)
                return error_text(err, ENOENT,
                                  "no session exists for this login (%s is not set): the service's PAM "
                                  "stack needs pam_agentsh.so, and sshd needs \"UsePAM yes\"",
                                  AGENTSH_SOCKET_VARIABLE);
        r = take_id(path, base, id, err);
        if (r < 0)
                return r;
        (void)snprintf(name, sizeof(name), "%s/%s", base, id);
        r = open_checked(name, &directory, err);
        if (r < 0)
                return r;
        socket = seqpacket_connect(path, SESSION_CONNECT_MS, err);
        if (socket < 0)
                return socket;
        r = check_listener(socket, err);
        if (r < 0)
                return r;
        ret->directory = TAKE_FD(directory);
        ret->socket = TAKE_FD(socket);
        return 0;
}

int session_read_keep(const struct session *session, char **ret_patterns, struct error *err)
{
        cleanup_close int fd = fd_open_beneath(session->directory, SESSION_KEEP_FILE, O_RDONLY, 0, err);
        size_t size;
        int r;

        if (fd < 0)
                return fd;
        r = fd_check_root_owned(fd, S_IFREG, "the session's list of variables", err);
        if (r < 0)
                return r;
        return fd_read_all(fd, KEEP_MAX, ret_patterns, &size, err);
}

int session_is_remote(const struct session *session, bool *ret, struct error *err)
{
        struct stat st;

        /* Whatever lies in the directory is root's: session_open has seen to that. */
        if (fstatat(session->directory, SESSION_REMOTE_FILE, &st, AT_SYMLINK_NOFOLLOW) < 0) {
                if (errno != ENOENT)
                        return error_errno(err, errno, "cannot look at the session");
                *ret = false;
                return 0;
        }
        if (!S_ISREG(st.st_mode) || st.st_uid != 0)
                return error_text(err, EPERM, "the session's directory is not as root makes it");
        *ret = true;
        return 0;
}

void session_done(struct session *session)
{
        cleanup_close_fd(&session->socket);
        cleanup_close_fd(&session->directory);
}
