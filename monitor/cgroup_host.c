/* cgroup_host.c - disks and swap of the host. Reads /sys and /proc only. */
#include "monitor/cgroup_driver.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/parse.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

int cgroup_whole_disk(int sys_fd, dev_t device, unsigned *ret_major, unsigned *ret_minor, struct error *err)
{
        cleanup_close int fd = -EBADF;
        char name[32], text[32];
        unsigned found_major = major(device), found_minor = minor(device);
        struct stat st;

        (void)snprintf(name, sizeof(name), "%u:%u", found_major, found_minor);
        /* sysfs, where every entry is the kernel's link to the device. */
        fd = openat(sys_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || found_major == 0)
                return error_text(err, ENODEV,
                                  "cannot limit io: the home's file system (device %s) is not on a disk of "
                                  "its own; put it on one, or leave io_read and io_write out",
                                  name);
        if (fstatat(fd, "partition", &st, AT_SYMLINK_NOFOLLOW) == 0) {
                cleanup_close int parent = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                int r;

                if (parent < 0)
                        return error_errno(err, errno, "cannot find the disk of partition %s", name);
                r = fd_read_file_at(parent, "dev", text, sizeof(text), err);
                if (r < 0)
                        return error_prefix(err, "cannot find the disk of partition %s", name);
                r = parse_device(text, &found_major, &found_minor, err);
                if (r < 0)
                        return error_prefix(err, "cannot find the disk of partition %s", name);
        }
        *ret_major = found_major;
        *ret_minor = found_minor;
        return 0;
}

bool cgroup_swaps_listed(const char *text)
{
        const char *second = strchr(text, '\n');

        return second != NULL && second[1] != '\0';
}

int cgroup_require_no_swap(struct error *err)
{
        cleanup_close int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        char text[1024];
        int r;

        if (proc < 0)
                return error_errno(err, errno, "cannot open /proc");
        r = fd_read_file_at(proc, "swaps", text, sizeof(text), err);
        if (r == -ENOENT) /* a kernel without swap */
                return 0;
        if (r < 0)
                return r;
        if (cgroup_swaps_listed(text))
                return error_text(err, EOPNOTSUPP,
                                  "cannot limit swap: the kernel does not account for it; boot with "
                                  "swapaccount=1, or turn the host's swap off");
        return 0;
}
