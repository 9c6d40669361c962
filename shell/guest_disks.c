/* guest_disks.c - finds and mounts the disks of a session. */
#include "shell/guest_disks.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/process.h"
#include "shell/guest_machine.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#define LOWER "/run/lower"
#define SPACE "/run/space"

int guest_find(const char *class, const char *attribute, const char *value, char *ret, size_t size, struct error *err)
{
        cleanup_closedir DIR *directory = opendir(class);
        const struct dirent *entry;

        while (directory != NULL && (entry = readdir(directory)) != NULL) {
                char path[PATH_MAX], text[64];

                if (entry->d_name[0] == '.')
                        continue;
                (void)snprintf(path, sizeof(path), "%s/%s", entry->d_name, attribute);
                if (fd_read_file_at(dirfd(directory), path, text, sizeof(text), NULL) < 0 || strcmp(text, value) != 0)
                        continue;
                if ((size_t)snprintf(ret, size, "/dev/%s", entry->d_name) < size)
                        return 0;
        }
        return error_text(err, ENODEV, "no device of %s is called %s", class, value);
}

static int mount_disk(const struct frame_disk *disk, const char *target, unsigned long flags, struct error *err)
{
        uint64_t until = process_monotonic_ms() + GUEST_WAIT_MS;
        char device[64];
        int r;

        do {
                r = guest_find("/sys/block", "serial", disk->serial, device, sizeof(device), err);
                if (r == 0)
                        break;
                (void)nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
        } while (process_monotonic_ms() < until);
        if (r < 0)
                return r;
        if (mount(device, target, disk->type, flags, NULL) < 0)
                return error_errno(err, errno, "cannot mount %s as %s", disk->serial, disk->type);
        return 0;
}

static int make_directory(const char *path, struct error *err)
{
        return mkdir(path, 0755) < 0 && errno != EEXIST ? error_errno(err, errno, "cannot make %s", path) : 0;
}

static int mount_root(const struct frame_setup *setup, struct error *err)
{
        static const char *const directories[] = { LOWER, SPACE, GUEST_ROOT };
        char options[128];
        int r = 0;

        for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]) && r == 0; i++)
                r = make_directory(directories[i], err);
        if (r == 0)
                r = mount_disk(&setup->root, LOWER, MS_RDONLY | MS_NODEV, err);
        if (r < 0)
                return r;
        (void)snprintf(options, sizeof(options), "mode=0755,size=%llu", (unsigned long long)setup->root_size);
        if (mount("tmpfs", SPACE, "tmpfs", MS_NODEV, options) < 0 || mkdir(SPACE "/upper", 0755) < 0 ||
            mkdir(SPACE "/work", 0755) < 0 ||
            mount("overlay", GUEST_ROOT, "overlay", MS_NODEV,
                  "lowerdir=" LOWER ",upperdir=" SPACE "/upper,workdir=" SPACE "/work") < 0)
                return error_errno(err, errno, "cannot make the root writable");
        return 0;
}

static int mount_places(struct error *err)
{
        static const struct {
                const char *target, *options;
                unsigned long flags;
        } places[] = {
                { GUEST_ROOT "/dev", "mode=0755,size=64k", MS_NOSUID | MS_NOEXEC },
                { GUEST_ROOT "/tmp", "mode=1777", MS_NOSUID | MS_NODEV },
                { GUEST_ROOT "/run", "mode=0755", MS_NOSUID | MS_NODEV },
        };

        for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
                int r = make_directory(places[i].target, err);

                if (r < 0)
                        return r;
                if (mount("tmpfs", places[i].target, "tmpfs", places[i].flags, places[i].options) < 0)
                        return error_errno(err, errno, "cannot mount %s", places[i].target);
        }
        return 0;
}

/* Linux's fixed numbers. What else the machine has is not for the account. */
static int make_devices(struct error *err)
{
        static const struct {
                const char *path;
                unsigned major, minor;
        } devices[] = {
                { GUEST_ROOT "/dev/null", 1, 3 },    { GUEST_ROOT "/dev/zero", 1, 5 },
                { GUEST_ROOT "/dev/full", 1, 7 },    { GUEST_ROOT "/dev/random", 1, 8 },
                { GUEST_ROOT "/dev/urandom", 1, 9 }, { GUEST_ROOT "/dev/tty", 5, 0 },
        };
        static const char *const links[][2] = {
                { "/proc/self/fd", GUEST_ROOT "/dev/fd" },
                { "/proc/self/fd/0", GUEST_ROOT "/dev/stdin" },
                { "/proc/self/fd/1", GUEST_ROOT "/dev/stdout" },
                { "/proc/self/fd/2", GUEST_ROOT "/dev/stderr" },
        };

        for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++)
                if (mknod(devices[i].path, S_IFCHR, makedev(devices[i].major, devices[i].minor)) < 0 ||
                    chmod(devices[i].path, 0666) < 0)
                        return error_errno(err, errno, "cannot make %s", devices[i].path);
        for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
                if (symlink(links[i][0], links[i][1]) < 0)
                        return error_errno(err, errno, "cannot make %s", links[i][1]);
        if (mknod(GUEST_ROOT "/dev/ptmx", S_IFREG | 0666, 0) < 0 || mkdir(GUEST_ROOT "/dev/pts", 0755) < 0 ||
            mkdir(GUEST_ROOT "/dev/shm", 01777) < 0 ||
            mount("tmpfs", GUEST_ROOT "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") < 0)
                return error_errno(err, errno, "cannot fill /dev");
        return 0;
}

/* The root is shared; these are not. Never through a link that the image may have there. */
static int write_name(const char *path, const char *text, struct error *err)
{
        cleanup_close int fd = -EBADF;

        if (text[0] == '\0')
                return 0;
        (void)unlink(path);
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444);
        if (fd < 0 || dprintf(fd, "%s\n", text) < 0)
                return error_errno(err, errno, "cannot write %s", path);
        return 0;
}

/* The account, behind what the image has. Its root is root's, and so is all that this touches; no link is followed. */
static int add_line(const char *path, const char *line, struct error *err)
{
        cleanup_close int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);

        return fd < 0 ? error_errno(err, errno, "cannot open %s", path)
                      : fd_write_all(fd, line, strlen(line), path, err);
}

static int add_account(const struct frame_setup *setup, struct error *err)
{
        const struct init_config *config = &setup->config;
        char line[sizeof(config->user) + sizeof(config->home) + sizeof(config->shell) + 64];
        int r;

        (void)snprintf(line, sizeof(line), "%s:x:%u:%u::%s:%s\n", config->user, (unsigned)config->uid, setup->gid,
                       config->home, config->shell);
        r = add_line(GUEST_ROOT "/etc/passwd", line, err);
        (void)snprintf(line, sizeof(line), "%s:x:%u:\n", config->user, setup->gid);
        return r < 0 ? r : add_line(GUEST_ROOT "/etc/group", line, err);
}

/* One that ends with its session. */
static int mount_memory_home(const struct frame_setup *setup, const char *path, struct error *err)
{
        char options[96];

        (void)snprintf(options, sizeof(options), "mode=0700,uid=%u,gid=%u,size=%llu", (unsigned)setup->config.uid,
                       setup->gid, (unsigned long long)setup->root_size);
        return mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, options) < 0
                       ? error_errno(err, errno, "cannot mount the home")
                       : 0;
}

static int mount_home(const struct frame_setup *setup, const char *root, struct error *err)
{
        char path[sizeof(GUEST_ROOT) + sizeof(setup->config.home)];

        (void)snprintf(path, sizeof(path), "%s%s", root, setup->config.home);
        for (char *at = path + strlen(root) + 1;; at++) {
                char was = *at;
                int r;

                if (was != '/' && was != '\0')
                        continue;
                *at = '\0';
                r = make_directory(path, err);
                if (r < 0)
                        return r;
                *at = was;
                if (was == '\0')
                        break;
        }
        return setup->home.serial[0] == '\0' ? mount_memory_home(setup, path, err)
                                             : mount_disk(&setup->home, path, MS_NOSUID | MS_NODEV, err);
}

int guest_disks_mount(const struct frame_setup *setup, const char **ret_root, struct error *err)
{
        bool own = setup->root.serial[0] != '\0';
        int r = 0;

        if (own)
                r = mount_root(setup, err);
        if (r == 0 && own)
                r = mount_places(err);
        if (r == 0 && own)
                r = make_devices(err);
        if (r == 0 && own)
                r = make_directory(GUEST_ROOT "/proc", err);
        if (r == 0 && own)
                r = write_name(GUEST_ROOT "/etc/hostname", setup->host_name, err);
        if (r == 0 && own)
                r = write_name(GUEST_ROOT "/etc/machine-id", setup->machine_id, err);
        if (r == 0 && own)
                r = add_account(setup, err);
        if (r == 0 && (own || setup->home.serial[0] != '\0'))
                r = mount_home(setup, own ? GUEST_ROOT : "", err);
        if (r == 0)
                *ret_root = own ? GUEST_ROOT : NULL;
        return r;
}

void guest_disks_unmount(void)
{
        /* What has it open was killed with agentsh-init; should something be left, sync does the rest. */
        (void)umount2(GUEST_ROOT, MNT_DETACH);
}
