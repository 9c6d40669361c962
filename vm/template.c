/* template.c - see template.h. Made in a directory with a name of its own, which gets the key's name when it is whole. */
#include "vm/template.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/paths.h"
#include "common/process.h"
#include "vm/initramfs.h"
#include "vm/kernel_image.h"
#include "vm/template_boot.h"
#include "vm/template_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define ATTEMPTS        3
#define ATTEMPT_SECONDS 60

void vm_template_done(struct vm_template *template)
{
        cleanup_close_fd(&template->ram_fd);
        cleanup_close_fd(&template->state_fd);
}

__attribute__((format(printf, 2, 3))) static void say(const struct vm_progress *progress, const char *fmt, ...)
{
        char text[256];
        va_list arguments;

        if (progress == NULL || progress->say == NULL)
                return;
        va_start(arguments, fmt);
        (void)vsnprintf(text, sizeof(text), fmt, arguments);
        va_end(arguments);
        progress->say(progress->context, text);
}

int vm_templates_open(int *ret, struct error *err)
{
        cleanup_close int state = fd_open_absolute(AGENTSH_STATE_DIR, O_PATH | O_DIRECTORY, 0, err);
        int r;

        if (state < 0)
                return state;
        r = fd_check_root_owned(state, S_IFDIR, AGENTSH_STATE_DIR, err);
        return r < 0 ? r : fd_make_dir(state, "vm", 0700, ret, err);
}

static int open_file(int directory, const char *name, int *ret, struct error *err)
{
        cleanup_close int fd = fd_open_beneath(directory, name, O_RDONLY, 0, err);
        int r;

        if (fd < 0)
                return fd;
        r = fd_check_root_owned(fd, S_IFREG, name, err);
        if (r < 0)
                return r;
        *ret = TAKE_FD(fd);
        return 0;
}

int vm_template_open(const char *key, struct vm_template *ret, struct error *err)
{
        cleanup_close int templates = -EBADF;
        cleanup_close int directory = -EBADF;
        struct vm_template template = VM_TEMPLATE_INIT;
        int r = vm_templates_open(&templates, err);

        if (r < 0)
                return r;
        directory = fd_open_beneath(templates, key, O_PATH | O_DIRECTORY, 0, err);
        if (directory < 0)
                return directory;
        r = open_file(directory, "ram", &template.ram_fd, err);
        if (r >= 0 && flock(template.ram_fd, LOCK_SH) < 0)
                r = error_errno(err, errno, "cannot lock the template");
        if (r >= 0)
                r = open_file(directory, "state", &template.state_fd, err);
        if (r < 0) {
                vm_template_done(&template);
                return r;
        }
        *ret = template;
        return 0;
}

static int make_file(int directory, const char *name, struct error *err)
{
        int fd = openat(directory, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

        return fd < 0 ? error_errno(err, errno, "cannot make the template's %s", name) : fd;
}

static int make_kernel(const struct vm_machine *machine, int *ret, struct error *err)
{
        cleanup_close int image = fd_open_absolute(machine->kernel, O_RDONLY, 0, err);
        cleanup_close int kernel = memfd_create("vmlinux", MFD_CLOEXEC);
        int r;

        if (image < 0)
                return image;
        if (kernel < 0)
                return error_errno(err, errno, "cannot make a memory file");
        r = kernel_unpack(image, kernel, machine->kernel, err);
        if (r >= 0)
                *ret = TAKE_FD(kernel);
        return r;
}

static int write_about(int directory, const struct vm_machine *machine, struct error *err)
{
        cleanup_close int fd = make_file(directory, "about", err);
        char text[4096];
        int size;

        if (fd < 0)
                return fd;
        size = snprintf(text, sizeof(text),
                        "made=%lld\nkernel=%s\nmodules=%s\nqemu=%s\naccel=%s\nmemory=%lluM\ncpus=%u\n",
                        (long long)process_realtime(), machine->kernel, machine->modules, machine->qemu,
                        vm_accel_name(machine->accel), (unsigned long long)(machine->memory >> 20), machine->cpus);
        if (size < 0 || (size_t)size >= sizeof(text))
                return error_text(err, ENAMETOOLONG, "the template's paths are too long");
        return fd_write_all(fd, text, (size_t)size, "the template's description", err);
}

static int boot(int directory, const struct vm_machine *machine, const struct vm_progress *progress, struct error *err)
{
        cleanup_close int kernel = -EBADF, ram = -EBADF, state = -EBADF;
        cleanup_close int initramfs = memfd_create("initramfs", MFD_CLOEXEC);
        struct vm_boot parts = { .machine = machine };
        int r;

        if (initramfs < 0)
                return error_errno(err, errno, "cannot make a memory file");
        say(progress, "unpacking the kernel %s", machine->kernel);
        r = make_kernel(machine, &kernel, err);
        if (r >= 0)
                r = initramfs_write(machine, initramfs, err);
        if (r < 0)
                return r;
        ram = make_file(directory, "ram", err);
        state = ram < 0 ? ram : make_file(directory, "state", err);
        if (state < 0)
                return state;
        parts.kernel_fd = kernel;
        parts.initramfs_fd = initramfs;
        parts.ram_fd = ram;
        parts.state_fd = state;
        for (unsigned attempt = 1; attempt <= ATTEMPTS; attempt++) {
                say(progress, "starting a guest with %s, at most %d s%s", vm_accel_name(machine->accel),
                    ATTEMPT_SECONDS, attempt > 1 ? " (again)" : "");
                r = vm_boot_and_freeze(&parts, ATTEMPT_SECONDS, err);
                if (r != -ETIMEDOUT)
                        break;
        }
        return r < 0 ? r : write_about(directory, machine, err);
}

static int build_locked(int templates, const char *key, const struct vm_machine *machine,
                        const struct vm_progress *progress, struct error *err)
{
        cleanup_close int directory = -EBADF;
        char name[32];
        int r;

        (void)snprintf(name, sizeof(name), ".%s", key);
        r = fd_remove_tree(templates, name, err);
        if (r >= 0)
                r = fd_make_dir(templates, name, 0700, &directory, err);
        if (r >= 0)
                r = boot(directory, machine, progress, err);
        if (r >= 0 && renameat(templates, name, templates, key) < 0)
                r = error_errno(err, errno, "cannot put the template in place");
        if (r < 0 && fd_remove_tree(templates, name, NULL) < 0)
                (void)error_prefix(err, "(and its files cannot be removed)");
        return r;
}

int vm_templates_lock(int templates, const struct vm_progress *progress, struct error *err)
{
        cleanup_close int lock = openat(templates, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

        if (lock < 0)
                return error_errno(err, errno, "cannot open the templates' lock");
        if (flock(lock, LOCK_EX | LOCK_NB) == 0)
                return TAKE_FD(lock);
        say(progress, "waiting for another process that makes a template");
        if (flock(lock, LOCK_EX) < 0)
                return error_errno(err, errno, "cannot lock the templates");
        return TAKE_FD(lock);
}

int vm_template_build(const struct vm_machine *machine, const struct vm_progress *progress, char ret_key[static 17],
                      struct error *err)
{
        cleanup_close int templates = -EBADF;
        cleanup_close int lock = -EBADF;
        char key[17];
        int r = vm_machine_key(machine, key, err);

        if (r >= 0)
                r = vm_templates_open(&templates, err);
        if (r < 0)
                return r;
        lock = vm_templates_lock(templates, progress, err);
        if (lock < 0)
                return lock;
        if (faccessat(templates, key, F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
                r = build_locked(templates, key, machine, progress, err);
                if (r < 0)
                        return error_prefix(err, "cannot make a virtual machine's template");
        }
        memcpy(ret_key, key, sizeof(key));
        return 0;
}
