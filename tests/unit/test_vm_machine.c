/* test_vm_machine.c - the command lines of template and session, and what a template is named by. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vm/machine.h"
#include "vm/modules.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct vm_machine MACHINE = {
        .qemu = "/bin/sh",
        .guest = "/bin/ls",
        .init = "/bin/cat",
        .kernel = "/bin/cp",
        .modules = "/usr",
        .accel = VM_TCG,
        .memory = 256ULL << 20,
        .cpus = 2,
};

static bool has(const struct vm_command *command, const char *word)
{
        for (size_t i = 0; i < command->count; i++)
                if (strstr(command->argv[i], word) != NULL)
                        return true;
        return false;
}

static size_t count_devices(const struct vm_command *command, const char *ret[static 16])
{
        size_t count = 0;

        for (size_t i = 0; i + 1 < command->count; i++)
                if (strcmp(command->argv[i], "-device") == 0)
                        ret[count++] = command->argv[i + 1];
        return count;
}

/* A state can only be restored into the same devices in the same order. */
static void test_same_devices(void **state)
{
        struct vm_command template, session;
        const char *first[16], *second[16];
        size_t count;

        (void)state;
        assert_int_equal(vm_template_command(&MACHINE, 1000, &template, NULL), 0);
        assert_int_equal(vm_session_command(&MACHINE, VM_HOME_IMAGE, &session, NULL), 0);
        count = count_devices(&template, first);
        assert_int_equal(count_devices(&session, second), count);
        for (size_t i = 0; i < count; i++)
                assert_string_equal(first[i], second[i]);
        assert_null(template.argv[template.count]);
        assert_null(session.argv[session.count]);
}

static void test_what_a_session_has_not(void **state)
{
        static const char *const never[] = {
                "net", "nic", "vga", "usb=on", "fsdev", "virtfs", "vnc", "spice", "audio"
        };
        struct vm_command session;

        (void)state;
        assert_int_equal(vm_session_command(&MACHINE, VM_HOME_NONE, &session, NULL), 0);
        for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
                assert_false(has(&session, never[i]));
        assert_true(has(&session, "-nodefaults"));
        assert_true(has(&session, "spawn=deny"));
        assert_true(has(&session, "share=off"));
        assert_false(has(&session, "/dev/fdset/2"));
}

static void test_key(void **state)
{
        struct vm_machine other = MACHINE;
        char first[17], second[17];

        (void)state;
        assert_int_equal(vm_machine_key(&MACHINE, first, NULL), 0);
        assert_int_equal(vm_machine_key(&other, second, NULL), 0);
        assert_string_equal(first, second);
        assert_int_equal(strlen(first), 16);
        other.memory += 1 << 20;
        assert_int_equal(vm_machine_key(&other, second, NULL), 0);
        assert_string_not_equal(first, second);
        other = MACHINE;
        other.kernel = "/bin/mv";
        assert_int_equal(vm_machine_key(&other, second, NULL), 0);
        assert_string_not_equal(first, second);
        other.kernel = "/nonexistent";
        assert_int_equal(vm_machine_key(&other, second, NULL), -ENOENT);
}

/* A file that is replaced, with the same name and size. */
static void test_key_of_a_replaced_file(void **state)
{
        char name[] = "/tmp/test_vm_machine.XXXXXX", again[64], first[17], second[17];
        struct vm_machine machine = MACHINE;
        int fd = mkstemp(name), other;

        (void)state;
        assert_true(fd >= 0);
        machine.kernel = name;
        assert_int_equal(vm_machine_key(&machine, first, NULL), 0);
        (void)snprintf(again, sizeof(again), "%s.new", name);
        other = open(again, O_WRONLY | O_CREAT | O_EXCL, 0600);
        assert_true(other >= 0);
        assert_int_equal(rename(again, name), 0);
        assert_int_equal(vm_machine_key(&machine, second, NULL), 0);
        assert_string_not_equal(first, second);
        (void)unlink(name);
        (void)close(fd);
        (void)close(other);
}

static void test_modules(void **state)
{
        static const char list[] = "kernel/drivers/virtio/virtio_mmio.ko\nkernel/fs/erofs/erofs.ko.xz\n"
                                   "kernel/drivers/char/hw_random/virtio-rng.ko\nkernel/x/erofs_more.ko";
        char path[MODULE_PATH_MAX];

        (void)state;
        assert_true(modules_look_up(list, "virtio_rng", path));
        assert_string_equal(path, "kernel/drivers/char/hw_random/virtio-rng.ko");
        assert_true(modules_look_up(list, "erofs", path));
        assert_string_equal(path, "kernel/fs/erofs/erofs.ko.xz");
        assert_true(modules_look_up(list, "erofs_more", path));
        assert_false(modules_look_up(list, "virtio", path));
        assert_false(modules_look_up("", "virtio", path));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_same_devices), cmocka_unit_test(test_what_a_session_has_not),
                cmocka_unit_test(test_key),          cmocka_unit_test(test_key_of_a_replaced_file),
                cmocka_unit_test(test_modules),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
