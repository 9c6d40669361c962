/* stdio_type.c - one table of what may be a standard stream inside. */
#include "shell/stdio_type.h"

#include "common/fault.h"
#include "shell/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#define MEMORY_DEVICES 1 /* the major number of /dev/null and its kin */

static int refuse(const char *what, const char *remedy, struct error *err)
{
        if (OMIT_POINT_OF("refuse", what))
                return 0;
        return error_text(err, EINVAL, "is %s; %s", what, remedy);
}

/* Linux's fixed minor numbers: null 3, zero 5, full 7, random 8, urandom 9. */
static bool is_harmless_device(dev_t device)
{
        static const unsigned minors[] = { 3, 5, 7, 8, 9 };

        if (major(device) != MEMORY_DEVICES)
                return false;
        for (size_t i = 0; i < sizeof(minors) / sizeof(minors[0]); i++)
                if (minor(device) == minors[i])
                        return true;
        return false;
}

static bool has_option(int fd, int name, int wanted)
{
        int value = -1;
        socklen_t size = sizeof(value);

        return getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 && value == wanted;
}

/* Connected for good: an AF_INET socket could be disconnected inside and connected anew in the host's network. */
static bool is_fixed_socket(int fd)
{
        struct sockaddr_storage peer;
        socklen_t size = sizeof(peer);

        return has_option(fd, SO_DOMAIN, AF_UNIX) && has_option(fd, SO_TYPE, SOCK_STREAM) &&
               getpeername(fd, (struct sockaddr *)&peer, &size) == 0;
}

/* Files of /proc and namespaces stand for kernel objects of the host: not data. */
static int check_file(int fd, int flags, struct error *err)
{
        struct statfs fs;

        if ((flags & O_ACCMODE) == O_RDWR)
                return refuse("a file open for both reading and writing", "open it for one of them", err);
        if (fstatfs(fd, &fs) < 0)
                return error_errno(err, errno, "cannot be examined");
        if (fs.f_type == PROC_SUPER_MAGIC || fs.f_type == NSFS_MAGIC)
                return refuse("a file of /proc", "copy it through a pipe", err);
        return 0;
}

static int check_device(int fd, dev_t device, enum stdio_type *ret, struct error *err)
{
        struct attach_termios termios;

        if (is_harmless_device(device)) {
                *ret = STDIO_PASSED;
                return 0;
        }
        if (!terminal_is_master(fd) && terminal_read(fd, &termios, NULL) == 0) {
                *ret = STDIO_TERMINAL;
                return 0;
        }
        return error_text(err, EINVAL, "is a character device (%u:%u) that may not be passed in", major(device),
                          minor(device));
}

int stdio_type(int fd, enum stdio_type *ret, struct error *err)
{
        static const char streams[] = "only streams may be passed in";
        int flags = fcntl(fd, F_GETFL), r = 0;
        struct stat st;

        if (flags < 0 || fstat(fd, &st) < 0)
                return error_errno(err, errno, "cannot be examined");
        if ((flags & O_PATH) != 0)
                r = refuse("an O_PATH descriptor", streams, err);
        if (r < 0)
                return r;
        if (S_ISCHR(st.st_mode))
                return check_device(fd, st.st_rdev, ret, err);
        if (S_ISREG(st.st_mode))
                r = check_file(fd, flags, err);
        else if (S_ISSOCK(st.st_mode) && !is_fixed_socket(fd))
                r = refuse("a socket", "only connected unix stream sockets may be passed in", err);
        else if (S_ISDIR(st.st_mode))
                r = refuse("a directory", streams, err);
        else if (S_ISBLK(st.st_mode))
                r = refuse("a block device", streams, err);
        else if (!S_ISFIFO(st.st_mode) && !S_ISSOCK(st.st_mode))
                r = error_text(err, EINVAL, "is of a kind that may not be passed in");
        if (r < 0)
                return r;
        *ret = STDIO_PASSED;
        return 0;
}
