/* vm_copy.c - see vm_copy.h. What is copied was written by a guest: it is bytes, nothing more. */
#include "monitor/vm_copy.h"

#include "common/attach.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/paths.h"
#include "common/process.h"
#include "common/seqpacket.h"
#include "common/session_state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define CONNECT_MS  200
#define STANDS_MS   2000
#define PIECE       (16 << 20)
#define SPARE_PARTS 10 /* one of so many of the disk stays free */

int vm_mark_home(const char *session_id, struct error *err)
{
        cleanup_close int fd = -EBADF;
        char path[128];

        (void)snprintf(path, sizeof(path), AGENTSH_SESSIONS_DIR "/%s/" SESSION_HOME_FILE, session_id);
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);
        return fd < 0 ? error_errno(err, errno, "cannot mark the session that has the home") : 0;
}

static bool has_home(int sessions, const char *id, const char *account)
{
        cleanup_close int fd = fd_open_beneath(sessions, id, O_RDONLY | O_DIRECTORY, 0, NULL);
        struct session_state state;

        return fd >= 0 && faccessat(fd, SESSION_HOME_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0 &&
               session_state_read(fd, &state, NULL) >= 0 && strcmp(state.account, account) == 0;
}

/* The attach socket of the session that has the home. */
static int find_socket(const char *account, char *ret, size_t size, struct error *err)
{
        cleanup_closedir DIR *dir = opendir(AGENTSH_SESSIONS_DIR);
        const struct dirent *entry;

        while (dir != NULL && (entry = readdir(dir)) != NULL) {
                if (!parse_is_session_id(entry->d_name) || !has_home(dirfd(dir), entry->d_name, account))
                        continue;
                (void)snprintf(ret, size, AGENTSH_SESSIONS_DIR "/%.*s/" SESSION_ATTACH_SOCKET, SESSION_ID_LENGTH,
                               entry->d_name);
                return 0;
        }
        return error_text(err, EBUSY, "the session of %s that has its home is only beginning, or ending: try again",
                          account);
}

/* The descriptor is the other session's word that its machine stands still, until it can be read. */
static int stop_machine(const char *account, struct error *err)
{
        cleanup_close int fd = -EBADF;
        struct attach_reply reply;
        char path[128];
        size_t fds;
        ssize_t got;
        int r = find_socket(account, path, sizeof(path), err);

        if (r < 0)
                return r;
        fd = seqpacket_connect(path, CONNECT_MS, err);
        if (fd < 0)
                return error_text(err, EBUSY, "the session of %s that has its home is ending: try again", account);
        got = seqpacket_receive(fd, &reply, sizeof(reply), NULL, 0, &fds, STANDS_MS, err);
        if (got != (ssize_t)sizeof(reply) || reply.magic != ATTACH_MAGIC || reply.kind != ATTACH_STARTED)
                return error_text(err, EBUSY,
                                  "the session of %s that has its home does not stand still for a copy: try again",
                                  account);
        return TAKE_FD(fd);
}

/* Now, so that no write of the new session can fill the host's disk later. */
static int reserve(int fd, off_t size, struct error *err)
{
        struct statvfs disk;

        if (ftruncate(fd, size) < 0 || fallocate(fd, 0, 0, size) < 0)
                return error_errno(err, errno, "cannot reserve %lld MiB for a copy of the home", (long long)size >> 20);
        if (fstatvfs(fd, &disk) < 0)
                return error_errno(err, errno, "cannot look at the disk of a copy of the home");
        if (disk.f_bavail < disk.f_blocks / SPARE_PARTS)
                return error_text(err, ENOSPC,
                                  "a copy of the home takes %lld MiB, which would leave less than a tenth of the disk "
                                  "free",
                                  (long long)size >> 20);
        return 0;
}

static int copy_pieces(int from, off_t size, int to, uint64_t until)
{
        for (off_t at = 0; at < size;) {
                off_t end, start = lseek(from, at, SEEK_DATA);

                if (start < 0)
                        return errno == ENXIO ? 0 : -errno;
                end = lseek(from, start, SEEK_HOLE);
                if (end < 0)
                        return -errno;
                for (at = start; at < end;) {
                        off_t target = at;
                        size_t most = end - at < PIECE ? (size_t)(end - at) : PIECE;
                        ssize_t done = copy_file_range(from, &at, to, &target, most, 0);

                        if (done <= 0)
                                return done < 0 ? -errno : -EIO;
                        if (process_monotonic_ms() > until)
                                return -ETIMEDOUT;
                }
        }
        return 0;
}

static int copy_still(const char *account, int source, off_t size, int to, struct error *err)
{
        uint64_t until = process_monotonic_ms() + VM_COPY_MS;
        cleanup_close int standing = stop_machine(account, err);
        char byte;
        int r;

        if (standing < 0)
                return standing;
        r = copy_pieces(source, size, to, until);
        if (r == -ETIMEDOUT)
                return error_text(err, ETIMEDOUT,
                                  "the home of %s is too large to be copied within %d s, for which its other session "
                                  "would stand still",
                                  account, VM_COPY_MS / 1000);
        if (r < 0)
                return error_errno(err, -r, "cannot copy the home of %s", account);
        if (recv(standing, &byte, 1, MSG_DONTWAIT) >= 0 || errno != EAGAIN)
                return error_text(err, EBUSY, "the other session of %s did not stand still for a copy: try again",
                                  account);
        return 0;
}

int vm_copy_home(const char *account, int homes, int source, int *ret_fd, struct error *err)
{
        /* Without a name: nothing is left of it when its last user has gone, however that comes. */
        cleanup_close int copy = openat(homes, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        struct stat status;
        int r;

        if (copy < 0 || fstat(source, &status) < 0)
                return error_errno(err, errno, "cannot make a copy of the home of %s", account);
        r = reserve(copy, status.st_size, err);
        if (r >= 0)
                r = copy_still(account, source, status.st_size, copy, err);
        if (r >= 0)
                *ret_fd = TAKE_FD(copy);
        return r;
}
