/*
 * jail_exec.c - agentsh-init: opened and checked on the host, executed as the last step with nothing but its fds.
 */
#include "monitor/jail.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/status.h"
#include "monitor/jail_mount.h"
#include "monitor/jail_sync.h"

#include <errno.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Above every fd that init is to have, so that moving one never hits another. */
#define FD_ASIDE 16

int jail_open_init(struct jail *jail, struct error *err)
{
        const char *path = jail->places->init;
        cleanup_close int file = fd_open_absolute(path, O_PATH, 0, err);
        int fd, r;

        if (file < 0)
                return file;
        r = fd_check_root_owned(file, S_IFREG, path, err);
        if (r < 0)
                return r;
        /* Through its own mount: /proc/1/exe then leads to a file that cannot be opened for writing. */
        fd = mount_clone(file, "", false, MOUNT_READONLY, err);
        if (fd < 0)
                return fd;
        jail->init_fd = fd;
        return 0;
}

static int set_aside(int *fd, struct error *err)
{
        int moved = fcntl(*fd, F_DUPFD_CLOEXEC, FD_ASIDE);

        if (moved < 0)
                return error_errno(err, errno, "cannot move an fd");
        *fd = moved;
        return 0;
}

int jail_arrange_fds(struct jail *jail, struct error *err)
{
        const struct jail_inheritance *more = jail->places->inheritance;
        int keep[JAIL_INHERITED_MAX + 2] = { 0 }, given[JAIL_INHERITED_MAX];
        size_t kept = 0;
        int attach = jail->request->attach_fd;
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        int *const needed[] = { &null, &attach, &jail->status_fd, &jail->init_fd, &jail->sync_fd };

        if (null < 0)
                return error_errno(err, errno, "cannot open /dev/null in the jail");
        for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
                int r = set_aside(needed[i], err);

                if (r < 0)
                        return r;
        }
        for (size_t i = 0; more != NULL && i < more->count; i++) {
                int r;

                given[i] = more->fds[i];
                r = set_aside(&given[i], err);
                if (r < 0)
                        return r;
        }
        for (int fd = 0; fd <= 2; fd++)
                if (dup2(null, fd) < 0)
                        return error_errno(err, errno, "cannot set fd %d", fd);
        if (dup2(jail->status_fd, STATUS_FD) < 0 || dup2(attach, ATTACH_LISTEN_FD) < 0)
                return error_errno(err, errno, "cannot give init its sockets");
        for (size_t i = 0; more != NULL && i < more->count; i++) {
                if (dup2(given[i], more->first + (int)i) < 0)
                        return error_errno(err, errno, "cannot give process 1 its files");
                keep[kept++] = more->first + (int)i;
        }
        keep[kept++] = jail->init_fd;
        keep[kept++] = jail->sync_fd;
        return fd_close_others(ATTACH_LISTEN_FD + 1, keep, kept, err);
}

int jail_execute_init(struct jail *jail, struct error *err)
{
        static char name[] = "agentsh-init";
        char *const alone[] = { name, NULL }, *const environment[] = { NULL };
        const struct jail_inheritance *more = jail->places->inheritance;
        char *const *arguments = more == NULL ? alone : (char *const *)(const void *)more->words;
        int r = jail_sync_send(jail->sync_fd, JAIL_SYNC_EXECUTING, err);

        if (r < 0)
                return r;
        (void)syscall(SYS_execveat, jail->init_fd, "", arguments, environment, AT_EMPTY_PATH);
        return error_errno(err, errno, "cannot execute %s", jail->places->init);
}
