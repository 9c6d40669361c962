/* vm_images.c - see vm_images.h. */
#include "monitor/vm_images.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/paths.h"
#include "monitor/vm_copy.h"
#include "vm/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOMES        AGENTSH_STATE_DIR "/homes"
#define MKFS_SECONDS 30

static int copy_data(int from, off_t size, int to)
{
        off_t at = 0;

        while (at < size) {
                off_t end, start = lseek(from, at, SEEK_DATA);

                if (start < 0)
                        return errno == ENXIO ? 0 : -errno;
                end = lseek(from, start, SEEK_HOLE);
                if (end < 0 || lseek(to, start, SEEK_SET) < 0)
                        return -errno;
                for (at = start; at < end;) {
                        ssize_t done = sendfile(to, from, &at, (size_t)(end - at));

                        if (done <= 0)
                                return done < 0 ? -errno : -EIO;
                }
        }
        return 0;
}

int vm_copy_memory(int ram_fd, int *ret_fd, struct error *err)
{
        cleanup_close int memory = memfd_create("vm-memory", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        struct stat status;
        int r;

        if (memory < 0 || fstat(ram_fd, &status) < 0 || ftruncate(memory, status.st_size) < 0)
                return error_errno(err, errno, "cannot make a memory file");
        r = copy_data(ram_fd, status.st_size, memory);
        if (r < 0)
                return error_errno(err, -r, "cannot copy the template's memory");
        if (fcntl(memory, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
                return error_errno(err, errno, "cannot seal the template's memory");
        *ret_fd = TAKE_FD(memory);
        return 0;
}

/* In a file with another name, so that a half-made image is never taken for a home. */
static int make_home(int homes, const char *name, const struct policy *policy, uid_t uid, gid_t gid, struct error *err)
{
        char temporary[80], path[160], owner[64];
        const char *const argv[] = { "mkfs.ext4", "-q", "-F", "-m", "0", "-E", owner, path, NULL };
        cleanup_close int fd = -EBADF;
        int r;

        (void)snprintf(temporary, sizeof(temporary), ".%s.new", name);
        (void)snprintf(path, sizeof(path), HOMES "/%s", temporary);
        (void)snprintf(owner, sizeof(owner), "root_owner=%u:%u,lazy_itable_init=1,lazy_journal_init=1", (unsigned)uid,
                       (unsigned)gid);
        if (unlinkat(homes, temporary, 0) < 0 && errno != ENOENT)
                return error_errno(err, errno, "cannot remove %s", path);
        fd = openat(homes, temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0 || ftruncate(fd, (off_t)policy->vm_home) < 0)
                return error_errno(err, errno, "cannot make %s", path);
        r = spawn_program(argv, -1, -1, MKFS_SECONDS, "cannot make a home for the virtual machine", err);
        if (r >= 0 && renameat(homes, temporary, homes, name) < 0)
                r = error_errno(err, errno, "cannot put the home %s in place", name);
        if (r < 0)
                (void)unlinkat(homes, temporary, 0);
        return r;
}

/* One login at a time, over all accounts: a second one finds what the first has made. */
static int make_home_once(int homes, const char *name, const struct policy *policy, uid_t uid, gid_t gid,
                          struct error *err)
{
        cleanup_close int lock = openat(homes, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (lock < 0 || flock(lock, LOCK_EX) < 0)
                return error_errno(err, errno, "cannot lock " HOMES);
        if (faccessat(homes, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                return 0;
        return make_home(homes, name, policy, uid, gid, err);
}

/* The file that is locked is the one of this name: not one that was replaced meanwhile. */
static int check_same(int homes, const char *name, int fd, struct error *err)
{
        struct stat named, opened;

        if (fstat(fd, &opened) < 0 || fstatat(homes, name, &named, AT_SYMLINK_NOFOLLOW) < 0)
                return error_errno(err, errno, "cannot look at the home %s", name);
        if (named.st_dev != opened.st_dev || named.st_ino != opened.st_ino)
                return error_text(err, ESTALE, "the home %s was replaced meanwhile: try again", name);
        return 0;
}

/* The image, made when it is missing; not locked. */
static int open_image(int homes, const char *name, const struct policy *policy, uid_t uid, gid_t gid, struct error *err)
{
        cleanup_close int fd = fd_open_beneath(homes, name, O_RDWR | O_NONBLOCK, 0, err);
        int r;

        if (fd == -ENOENT) {
                r = make_home_once(homes, name, policy, uid, gid, err);
                if (r < 0)
                        return r;
                fd = fd_open_beneath(homes, name, O_RDWR | O_NONBLOCK, 0, err);
        }
        if (fd < 0)
                return fd;
        r = fd_check_root_owned(fd, S_IFREG, name, err);
        return r < 0 ? r : TAKE_FD(fd);
}

static int take_home(const struct policy *policy, int homes, const char *name, int *fd, bool *ret_copy,
                     struct error *err)
{
        int r;

        *ret_copy = false;
        if (flock(*fd, LOCK_EX | LOCK_NB) == 0)
                return check_same(homes, name, *fd, err);
        if (errno != EWOULDBLOCK)
                return error_errno(err, errno, "cannot lock the home %s", name);
        if (policy->vm_second != SECOND_COPY)
                return error_text(err, EBUSY,
                                  "another session of %s has its home (one virtual machine at a time can; [vm] "
                                  "second_session = copy would give a copy)",
                                  policy->account);
        r = check_same(homes, name, *fd, err);
        if (r >= 0) {
                cleanup_close int source = TAKE_FD(*fd);

                r = vm_copy_home(policy->account, homes, source, fd, err);
                *ret_copy = true;
        }
        return r;
}

int vm_open_home(const struct policy *policy, uid_t uid, gid_t gid, int *ret_fd, bool *ret_copy, struct error *err)
{
        cleanup_close int homes = fd_open_absolute(HOMES, O_RDONLY | O_DIRECTORY, 0, err);
        cleanup_close int fd = -EBADF;
        char name[64];
        int r;

        if (homes < 0)
                return homes;
        r = fd_check_root_owned(homes, S_IFDIR, HOMES, err);
        if (r < 0)
                return r;
        (void)snprintf(name, sizeof(name), "%s.guest", policy->account);
        fd = open_image(homes, name, policy, uid, gid, err);
        if (fd < 0)
                return fd;
        r = take_home(policy, homes, name, &fd, ret_copy, err);
        if (r < 0)
                return r;
        *ret_fd = TAKE_FD(fd);
        return 0;
}
