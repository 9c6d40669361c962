/* guest_machine.c - process 1 of a machine, before and after its channels. */
#include "shell/guest_machine.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/process.h"
#include "shell/guest_disks.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/random.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#define LIST_MAX (16 * 1024)

static int mount_system(struct error *err)
{
        static const struct {
                const char *type, *target, *options;
                unsigned long flags;
        } mounts[] = {
                { "devtmpfs", "/dev", "mode=0755", MS_NOSUID | MS_NOEXEC },
                { "proc", "/proc", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC },
                { "sysfs", "/sys", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC },
                { "tmpfs", "/run", "mode=0755,size=1m", MS_NOSUID | MS_NODEV | MS_NOEXEC },
        };

        for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
                (void)mkdir(mounts[i].target, 0755);
                /* A kernel may have mounted /dev by itself. */
                if (mount(mounts[i].type, mounts[i].target, mounts[i].type, mounts[i].flags, mounts[i].options) < 0 &&
                    errno != EBUSY)
                        return error_errno(err, errno, "cannot mount %s", mounts[i].target);
        }
        return 0;
}

static int load_module(const char *name, struct error *err)
{
        cleanup_close int fd = -EBADF;
        char path[PATH_MAX];

        (void)snprintf(path, sizeof(path), GUEST_MODULES "/%s", name);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return error_errno(err, errno, "cannot open %s", path);
        if (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST)
                return error_errno(err, errno, "cannot load %s", path);
        return 0;
}

/* No list: everything is in the kernel. */
static int load_modules(const char *list, struct error *err)
{
        cleanup_close int fd = open(list, O_RDONLY | O_CLOEXEC);
        cleanup_free char *names = NULL;
        char *rest, *name;
        size_t size;
        int r;

        if (fd < 0)
                return errno == ENOENT ? 0 : error_errno(err, errno, "cannot open %s", list);
        r = fd_read_all(fd, LIST_MAX, &names, &size, err);
        for (rest = names; r == 0 && (name = strsep(&rest, "\n")) != NULL;)
                if (*name != '\0')
                        r = load_module(name, err);
        return r;
}

static int open_port(struct transport *ret, struct error *err)
{
        uint64_t until = process_monotonic_ms() + GUEST_WAIT_MS;
        char device[64];
        int fd, r;

        do {
                r = guest_find("/sys/class/virtio-ports", "name", GUEST_PORT, device, sizeof(device), err);
                if (r == 0)
                        break;
                (void)nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
        } while (process_monotonic_ms() < until);
        if (r < 0)
                return r;
        fd = transport_virtio.open(device, err);
        if (fd < 0)
                return fd;
        *ret = (struct transport){ &transport_virtio, fd };
        return 0;
}

/* What is not yet in the home's image is what a session's end waits for: so little that this takes no time. */
static int bound_unwritten(struct error *err)
{
        static const char *const settings[][2] = {
                { "/proc/sys/vm/dirty_bytes", "33554432" },
                { "/proc/sys/vm/dirty_background_bytes", "8388608" },
        };

        for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
                cleanup_close int fd = open(settings[i][0], O_WRONLY | O_CLOEXEC);
                int r = fd < 0 ? error_errno(err, errno, "cannot open %s", settings[i][0])
                               : fd_write_all(fd, settings[i][1], strlen(settings[i][1]), settings[i][0], err);

                if (r < 0)
                        return r;
        }
        return 0;
}

int guest_machine_boot(struct transport *ret, struct error *err)
{
        int r = mount_system(err);

        if (r == 0)
                r = bound_unwritten(err);
        if (r < 0)
                return r;
        r = fd_open_stdio(err);
        if (r < 0)
                return r;
        r = load_modules(GUEST_BOOT_LIST, err);
        if (r < 0)
                return r;
        return open_port(ret, err);
}

/* Everything random in a machine from a template is what it was in its brothers, until this. */
static int add_entropy(const uint8_t seed[static FRAME_SEED], struct error *err)
{
        struct {
                struct rand_pool_info info;
                uint8_t bytes[FRAME_SEED];
        } pool = { .info = { .entropy_count = FRAME_SEED * 8, .buf_size = FRAME_SEED } };
        cleanup_close int fd = open("/dev/urandom", O_RDWR | O_CLOEXEC);
        int r = 0;

        memcpy(pool.bytes, seed, FRAME_SEED);
        if (fd < 0 || ioctl(fd, RNDADDENTROPY, &pool) < 0 || ioctl(fd, RNDRESEEDCRNG) < 0)
                r = error_errno(err, errno, "cannot add entropy");
        explicit_bzero(&pool, sizeof(pool));
        return r;
}

static int set_clock(const struct frame_setup *setup, struct error *err)
{
        const struct timespec now = { .tv_sec = setup->seconds, .tv_nsec = setup->nanoseconds };

        return clock_settime(CLOCK_REALTIME, &now) < 0 ? error_errno(err, errno, "cannot set the clock") : 0;
}

int guest_machine_set_up(const struct frame_setup *setup, const char **ret_root, struct error *err)
{
        int r = add_entropy(setup->seed, err);

        if (r == 0)
                r = set_clock(setup, err);
        if (r == 0 && setup->host_name[0] != '\0' && sethostname(setup->host_name, strlen(setup->host_name)) < 0)
                r = error_errno(err, errno, "cannot set the host name");
        if (r == 0)
                r = load_modules(GUEST_SESSION_LIST, err);
        if (r == 0)
                r = guest_disks_mount(setup, ret_root, err);
        return r;
}

_Noreturn void guest_machine_end(void)
{
        guest_disks_unmount();
        sync();
        /* The engine runs with -no-reboot: a restart ends it where nothing can switch the power off. */
        (void)reboot(RB_AUTOBOOT);
        for (;;)
                (void)pause();
}
