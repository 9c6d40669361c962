/* template.c - see template.h. */
#include "vm/template.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/paths.h"
#include "common/process.h"
#include "vm/initramfs.h"
#include "vm/kernel_image.h"
#include "vm/template_boot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define ATTEMPTS        3
#define ATTEMPT_SECONDS 60

const struct store vm_templates = { .name = "vm", .shared = "ram", .what = "template", .list = "agentshctl vm list" };

void vm_template_done(struct vm_template *template)
{
        cleanup_close_fd(&template->ram_fd);
        cleanup_close_fd(&template->state_fd);
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
        cleanup_close int entry = -EBADF;
        struct vm_template template = VM_TEMPLATE_INIT;
        int r = store_use(&vm_templates, key, &entry, &template.ram_fd, err);

        if (r >= 0)
                r = open_file(entry, "state", &template.state_fd, err);
        if (r < 0) {
                vm_template_done(&template);
                return r;
        }
        *ret = template;
        return 0;
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
        cleanup_close int fd = store_make_file(directory, "about", err);
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

static int boot(int directory, void *context, const struct vm_progress *progress, struct error *err)
{
        const struct vm_machine *machine = context;
        cleanup_close int kernel = -EBADF, ram = -EBADF, state = -EBADF;
        cleanup_close int initramfs = memfd_create("initramfs", MFD_CLOEXEC);
        struct vm_boot parts = { .machine = machine };
        int r;

        if (initramfs < 0)
                return error_errno(err, errno, "cannot make a memory file");
        progress_say(progress, "unpacking the kernel %s", machine->kernel);
        r = make_kernel(machine, &kernel, err);
        if (r >= 0)
                r = initramfs_write(machine, initramfs, err);
        if (r < 0)
                return r;
        ram = store_make_file(directory, "ram", err);
        state = ram < 0 ? ram : store_make_file(directory, "state", err);
        if (state < 0)
                return state;
        parts.kernel_fd = kernel;
        parts.initramfs_fd = initramfs;
        parts.ram_fd = ram;
        parts.state_fd = state;
        for (unsigned attempt = 1; attempt <= ATTEMPTS; attempt++) {
                progress_say(progress, "starting a guest with %s, at most %d s%s", vm_accel_name(machine->accel),
                             ATTEMPT_SECONDS, attempt > 1 ? " (again)" : "");
                r = vm_boot_and_freeze(&parts, ATTEMPT_SECONDS, err);
                if (r != -ETIMEDOUT)
                        break;
        }
        return r < 0 ? r : write_about(directory, machine, err);
}

int vm_template_build(const struct vm_machine *machine, const struct vm_progress *progress, char ret_key[static 17],
                      struct error *err)
{
        struct vm_machine copy = *machine;
        char key[STORE_KEY_SIZE];
        int r = vm_machine_key(machine, key, err);

        if (r >= 0)
                r = store_make(&vm_templates, key, boot, &copy, progress, err);
        if (r < 0)
                return error_prefix(err, "cannot make a virtual machine's template");
        memcpy(ret_key, key, sizeof(key));
        return 0;
}
