/* host.c - see host.h. */
#include "vm/host.h"

#include "common/cleanup.h"
#include "common/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define BOOT  "/boot"
#define IMAGE "vmlinuz-"
#define MIB   (1ULL << 20)

int vm_parse_accel(const char *text, enum vm_wish_accel *ret, struct error *err)
{
        static const char *const words[] = { [VM_WISH_KVM] = "kvm", [VM_WISH_TCG] = "tcg", [VM_WISH_AUTO] = "auto" };

        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
                if (strcmp(text, words[i]) == 0) {
                        *ret = (enum vm_wish_accel)i;
                        return 0;
                }
        }
        return error_text(err, EINVAL, "\"%.32s\" is not kvm, tcg or auto", text);
}

/* A cloud kernel, made for virtual machines, before any other; then the newer one. */
static bool is_better(const char *name, const char *best)
{
        bool cloud = strstr(name, "-cloud-") != NULL, best_cloud = strstr(best, "-cloud-") != NULL;

        return best[0] == '\0' || (cloud != best_cloud ? cloud : strverscmp(name, best) > 0);
}

static int find_newest(char ret[static PATH_MAX], struct error *err)
{
        cleanup_closedir DIR *directory = opendir(BOOT);
        char best[NAME_MAX + 1] = "";
        const struct dirent *entry;

        while (directory != NULL && (entry = readdir(directory)) != NULL)
                if (strncmp(entry->d_name, IMAGE, strlen(IMAGE)) == 0 && is_better(entry->d_name, best))
                        (void)snprintf(best, sizeof(best), "%s", entry->d_name);
        if (best[0] == '\0')
                return error_text(err, ENOENT,
                                  "there is no kernel below " BOOT
                                  " for virtual machines: install linux-image-cloud-amd64, or name one with "
                                  "[vm] kernel");
        (void)snprintf(ret, PATH_MAX, BOOT "/%s", best);
        return 0;
}

/* DIR/boot/vmlinuz-RELEASE has its modules in DIR/lib/modules/RELEASE; where DIR/lib is a link, below DIR/usr. */
static int find_modules(const char *kernel, char ret[static PATH_MAX], struct error *err)
{
        const char *name = strrchr(kernel, '/') + 1, *release = strchr(name, '-');
        const char *end = name - 1;
        char root[PATH_MAX];

        if (release == NULL)
                return error_text(err, EINVAL,
                                  "%s: the file's name must end in the kernel's release, as in " IMAGE
                                  "6.1.0-1-cloud-amd64, by which its modules are found",
                                  kernel);
        while (end > kernel && end[-1] != '/')
                end--;
        if (end > kernel)
                end--;
        (void)snprintf(root, sizeof(root), "%.*s", (int)(end - kernel), kernel);
        for (size_t i = 0; i < 2; i++) {
                if (snprintf(ret, PATH_MAX, "%s%s/lib/modules/%s", root, i == 0 ? "/usr" : "", release + 1) <
                            PATH_MAX &&
                    access(ret, R_OK) == 0)
                        return 0;
        }
        return error_errno(err, errno, "there are no modules of %s in %s/lib/modules/%s", kernel, root, release + 1);
}

static int choose_accel(enum vm_wish_accel wish, enum vm_accel *ret, struct error *err)
{
        int r;

        *ret = VM_TCG;
        if (wish == VM_WISH_TCG)
                return 0;
        r = vm_kvm_probe(err);
        if (r >= 0)
                *ret = VM_KVM;
        return wish == VM_WISH_AUTO ? 0 : r;
}

int vm_host_find(const struct vm_wish *wish, struct vm_host *ret, struct error *err)
{
        int r = 0;

        if (access(VM_QEMU_PATH, X_OK) < 0)
                return error_errno(err, errno, "cannot run " VM_QEMU_PATH " (install qemu-system-x86)");
        if (wish->memory % MIB != 0 || wish->memory < 64 * MIB)
                return error_text(err, EINVAL, "a virtual machine's memory is whole MiB, 64 at least");
        if (wish->kernel == NULL || wish->kernel[0] == '\0')
                r = find_newest(ret->kernel, err);
        else if (snprintf(ret->kernel, sizeof(ret->kernel), "%s", wish->kernel) >= (int)sizeof(ret->kernel))
                r = error_text(err, ENAMETOOLONG, "the kernel's path is too long");
        if (r >= 0)
                r = find_modules(ret->kernel, ret->modules, err);
        if (r >= 0)
                r = choose_accel(wish->accel, &ret->machine.accel, err);
        if (r < 0)
                return r;
        ret->machine.qemu = VM_QEMU_PATH;
        ret->machine.guest = VM_GUEST_PATH;
        ret->machine.init = VM_INIT_PATH;
        ret->machine.kernel = ret->kernel;
        ret->machine.modules = ret->modules;
        ret->machine.memory = wish->memory;
        ret->machine.cpus = wish->cpus;
        return 0;
}
