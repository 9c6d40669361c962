/*
 * home_file.h - the archive on this side: a file that is there when it is complete, and not at all otherwise. Root.
 */
#ifndef AGENTSH_ADMIN_HOME_FILE_H
#define AGENTSH_ADMIN_HOME_FILE_H

#include "common/error.h"

struct home_file {
        int fd;        /* where to write */
        int directory; /* owned; -EBADF: it is written in place, being none that could be put there */
        char *name;    /* owned, in the directory */
};

#define HOME_FILE_INIT                            \
        {                                         \
                .fd = -EBADF, .directory = -EBADF \
        }

/*
 * A new file without a name, 0600, that home_file_commit puts at `path`; or, when what is there is no regular file (a
 * device, a FIFO), that one. Links on the way are followed: the path is the administrator's.
 */
must_check int home_file_create(const char *path, struct home_file *ret, struct error *err);

/* Written to the disk, it takes the place of whatever was at its path. */
must_check int home_file_commit(struct home_file *file, struct error *err);

void home_file_done(struct home_file *file);

#define cleanup_home_file __attribute__((cleanup(home_file_done)))

#endif
