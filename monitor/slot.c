/* slot.c - session slots as open-file-description locks. */
#include "monitor/slot.h"

#include "common/cleanup.h"
#include "common/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

int slot_take(int runtime_fd, const char *account, uint64_t max_sessions, int *ret_fd, struct error *err)
{
        cleanup_close int dir = -EBADF, fd = -EBADF;
        int r = fd_make_dir(runtime_fd, "slots", 0700, &dir, err);

        if (r < 0)
                return r;
        fd = fd_open_beneath(dir, account, O_RDWR | O_CREAT, 0600, err);
        if (fd < 0)
                return fd;
        r = fd_check_root_owned(fd, S_IFREG, account, err);
        if (r < 0)
                return r;
        for (uint64_t slot = 0; slot < max_sessions; slot++) {
                struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)slot, .l_len = 1 };

                if (fcntl(fd, F_OFD_SETLK, &lock) == 0) {
                        *ret_fd = TAKE_FD(fd);
                        return 0;
                }
                if (errno != EAGAIN && errno != EACCES)
                        return error_errno(err, errno, "cannot lock a session slot of %s", account);
        }
        return error_text(err, EBUSY, "%s has %llu sessions already, as many as its policy allows (max_sessions)",
                          account, (unsigned long long)max_sessions);
}
