/* cpio.c - see cpio.h. Format: Documentation/driver-api/early-userspace/buffer-format.rst of the kernel. */
#include "vm/cpio.h"

#include "common/fd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADER_SIZE 110
#define ALIGNMENT   4
#define END_NAME    "TRAILER!!!"

struct entry {
        const char *name;
        mode_t mode;
        uint64_t size;
        unsigned major, minor;
};

static int pad(struct cpio *cpio, struct error *err)
{
        static const char zeros[ALIGNMENT];
        size_t missing = (ALIGNMENT - cpio->written % ALIGNMENT) % ALIGNMENT;

        cpio->written += missing;
        return fd_write_all(cpio->fd, zeros, missing, "the archive", err);
}

static int write_header(struct cpio *cpio, const struct entry *entry, struct error *err)
{
        char header[HEADER_SIZE + 1];
        size_t name = strlen(entry->name) + 1;
        int r;

        if (entry->size > UINT32_MAX)
                return error_text(err, EFBIG, "%s is too large for the archive", entry->name);
        (void)snprintf(header, sizeof(header), "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
                       ++cpio->inode, (unsigned)entry->mode, 0U, 0U, 1U, 0U, (unsigned)entry->size, 0U, 0U,
                       entry->major, entry->minor, (unsigned)name, 0U);
        r = fd_write_all(cpio->fd, header, HEADER_SIZE, "the archive", err);
        if (r >= 0)
                r = fd_write_all(cpio->fd, entry->name, name, "the archive", err);
        cpio->written += HEADER_SIZE + name;
        return r < 0 ? r : pad(cpio, err);
}

int cpio_add_directory(struct cpio *cpio, const char *name, mode_t mode, struct error *err)
{
        const struct entry entry = { .name = name, .mode = S_IFDIR | mode };

        return write_header(cpio, &entry, err);
}

int cpio_add_device(struct cpio *cpio, const char *name, mode_t mode, unsigned major, unsigned minor, struct error *err)
{
        const struct entry entry = { .name = name, .mode = S_IFCHR | mode, .major = major, .minor = minor };

        return write_header(cpio, &entry, err);
}

int cpio_add_text(struct cpio *cpio, const char *name, mode_t mode, const char *text, struct error *err)
{
        const struct entry entry = { .name = name, .mode = S_IFREG | mode, .size = strlen(text) };
        int r = write_header(cpio, &entry, err);

        if (r >= 0)
                r = fd_write_all(cpio->fd, text, entry.size, "the archive", err);
        cpio->written += entry.size;
        return r < 0 ? r : pad(cpio, err);
}

int cpio_add_file(struct cpio *cpio, const char *name, mode_t mode, int fd, struct error *err)
{
        struct entry entry = { .name = name, .mode = S_IFREG | mode };
        struct stat status;
        off_t at = 0;
        int r;

        if (fstat(fd, &status) < 0)
                return error_errno(err, errno, "cannot look at what becomes %s", name);
        entry.size = (uint64_t)status.st_size;
        r = write_header(cpio, &entry, err);
        if (r < 0)
                return r;
        while (at < status.st_size) {
                ssize_t done = sendfile(cpio->fd, fd, &at, (size_t)(status.st_size - at));

                if (done <= 0)
                        return error_errno(err, done < 0 ? errno : EIO, "cannot put %s into the archive", name);
        }
        cpio->written += entry.size;
        return pad(cpio, err);
}

int cpio_finish(struct cpio *cpio, struct error *err)
{
        const struct entry entry = { .name = END_NAME };

        return write_header(cpio, &entry, err);
}
