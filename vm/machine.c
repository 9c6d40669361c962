/* machine.c - see machine.h. */
#include "vm/machine.h"

#include "common/hash.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Raised when the command line, the initramfs or the way a template is made changes. */
#define TEMPLATE_FORMAT 1

const char *vm_accel_name(enum vm_accel accel)
{
        return accel == VM_KVM ? "kvm" : "tcg";
}

static void add(struct vm_command *command, const char *word)
{
        if (command->count < VM_WORDS_MAX)
                command->argv[command->count] = word;
        command->count++;
}

__attribute__((format(printf, 2, 3))) static void add_text(struct vm_command *command, const char *fmt, ...)
{
        size_t room = sizeof(command->text) - command->used;
        char *at = command->text + command->used;
        va_list arguments;
        int size;

        va_start(arguments, fmt);
        size = vsnprintf(at, room, fmt, arguments);
        va_end(arguments);
        if (size < 0 || (size_t)size >= room) {
                command->count = VM_WORDS_MAX + 1;
                return;
        }
        command->used += (size_t)size + 1;
        add(command, at);
}

static void add_all(struct vm_command *command, const char *const words[])
{
        for (; *words != NULL; words++)
                add(command, *words);
}

/*
 * Nothing but what a session needs: no default device, no display, no network, no file named by a path that QEMU would
 * choose. force-legacy: virtio 1.0, without which newer devices do not work. acpi: how Debian's kernel finds devices.
 */
static void add_machine(struct vm_command *command, const struct vm_machine *machine)
{
        static const char *const fixed[] = {
                "-nodefaults",
                "-no-user-config",
                "-display",
                "none",
                "-no-reboot",
                "-name",
                "agentsh",
                "-sandbox",
                "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
                "-M",
                "microvm,acpi=on,pcie=off,usb=off,memory-backend=ram",
                "-global",
                "virtio-mmio.force-legacy=false",
                NULL,
        };

        add(command, machine->qemu);
        add_all(command, fixed);
        if (machine->accel == VM_KVM)
                add_all(command, (const char *const[]){ "-accel", "kvm", "-cpu", "host", NULL });
        else
                add_all(command, (const char *const[]){ "-accel", "tcg", "-cpu", "max", NULL });
        add(command, "-smp");
        add_text(command, "%u", machine->cpus);
        add(command, "-m");
        add_text(command, "%lluM", (unsigned long long)(machine->memory >> 20));
}

static void add_memory(struct vm_command *command, const struct vm_machine *machine, const char *share)
{
        add(command, "-object");
        add_text(command, "memory-backend-file,id=ram,size=%lluM,mem-path=/proc/self/fd/%d,share=%s",
                 (unsigned long long)(machine->memory >> 20), VM_FD_RAM, share);
}

/* The devices, in the order in which they get their places. */
static void add_devices(struct vm_command *command)
{
        static const char *const devices[] = {
                "-device", "virtio-serial-device,id=serial",
                "-device", "virtserialport,chardev=channel,name=agentsh.0",
                "-device", "virtio-blk-device,drive=root,serial=root",
                "-device", "virtio-blk-device,drive=home,serial=home",
                "-device", "virtio-rng-device",
                NULL,
        };

        add(command, "-chardev");
        add_text(command, "socket,id=channel,fd=%d", VM_FD_CHANNEL);
        add(command, "-chardev");
        add_text(command, "socket,id=qmp,fd=%d", VM_FD_QMP);
        add_all(command, (const char *const[]){ "-mon", "chardev=qmp,mode=control", NULL });
        add_all(command, devices);
}

/* A disk of the template, or one that a session does not use: it reads as zeros. */
static void add_placeholder(struct vm_command *command, const char *name, const char *mode)
{
        add(command, "-blockdev");
        add_text(command, "null-co,node-name=%s,size=1048576,read-zeroes=on,read-only=%s", name, mode);
}

static int finish(struct vm_command *command, struct error *err)
{
        if (command->count > VM_WORDS_MAX)
                return error_text(err, E2BIG, "QEMU's command line is too long");
        command->argv[command->count] = NULL;
        return 0;
}

int vm_template_command(const struct vm_machine *machine, uint64_t tsc_khz, struct vm_command *ret, struct error *err)
{
        *ret = (struct vm_command){ .count = 0 };
        add_machine(ret, machine);
        add_memory(ret, machine, "on");
        add_placeholder(ret, "root", "on");
        add_placeholder(ret, "home", "off");
        add_devices(ret);
        add(ret, "-kernel");
        add_text(ret, "/proc/self/fd/%d", VM_FD_KERNEL);
        add(ret, "-initrd");
        add_text(ret, "/proc/self/fd/%d", VM_FD_INITRAMFS);
        add(ret, "-append");
        /* A guest that has to measure its time stamp counter hangs now and then on a busy host. */
        if (tsc_khz > 0)
                add_text(ret, "quiet reboot=t panic=-1 rdinit=/init tsc_early_khz=%llu", (unsigned long long)tsc_khz);
        else
                add(ret, "quiet reboot=t panic=-1 rdinit=/init");
        return finish(ret, err);
}

int vm_session_command(const struct vm_machine *machine, enum vm_home home, struct vm_command *ret, struct error *err)
{
        *ret = (struct vm_command){ .count = 0 };
        add_machine(ret, machine);
        add_memory(ret, machine, "off");
        add(ret, "-add-fd");
        add_text(ret, "fd=%d,set=1", VM_FD_ROOT);
        /* locking=off: shared by sessions, and written by nobody. */
        add_all(ret, (const char *const[]){ "-blockdev",
                                            "raw,node-name=root,read-only=on,file.driver=file,"
                                            "file.filename=/dev/fdset/1,file.locking=off",
                                            NULL });
        if (home == VM_HOME_NONE) {
                add_placeholder(ret, "home", "off");
        } else {
                add(ret, "-add-fd");
                add_text(ret, "fd=%d,set=2", VM_FD_HOME);
                add_all(ret, (const char *const[]){ "-blockdev",
                                                    "raw,node-name=home,discard=unmap,file.driver=file,"
                                                    "file.filename=/dev/fdset/2,file.discard=unmap",
                                                    NULL });
        }
        add_devices(ret);
        add_all(ret, (const char *const[]){ "-incoming", "defer", NULL });
        return finish(ret, err);
}

static int mix_file(uint64_t *hash, const char *path, struct error *err)
{
        struct stat status;

        if (stat(path, &status) < 0)
                return error_errno(err, errno, "cannot look at %s", path);
        hash_mix(hash, path, strlen(path) + 1);
        hash_mix(hash, &status.st_dev, sizeof(status.st_dev));
        hash_mix(hash, &status.st_ino, sizeof(status.st_ino));
        hash_mix(hash, &status.st_size, sizeof(status.st_size));
        hash_mix(hash, &status.st_mtim, sizeof(status.st_mtim));
        hash_mix(hash, &status.st_ctim, sizeof(status.st_ctim));
        return 0;
}

int vm_machine_key(const struct vm_machine *machine, char ret[static 17], struct error *err)
{
        const char *const files[] = { machine->qemu, machine->guest, machine->init, machine->kernel, machine->modules };
        const uint64_t numbers[] = { TEMPLATE_FORMAT, (uint64_t)machine->accel, machine->memory, machine->cpus };
        uint64_t hash = HASH_INIT;

        hash_mix(&hash, numbers, sizeof(numbers));
        for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
                int r = mix_file(&hash, files[i], err);

                if (r < 0)
                        return r;
        }
        (void)snprintf(ret, 17, "%016llx", (unsigned long long)hash);
        return 0;
}
