/* test_vm_template_list.c - what a template says of itself is taken whole or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vm/template_list.h"

#include <stdlib.h>
#include <string.h>

#define GOOD "made=12\nkernel=/boot/k\nmodules=/lib/m\nqemu=/usr/bin/q\naccel=tcg\nmemory=256M\ncpus=2\n"

static void test_good(void **state)
{
        struct vm_description *found = calloc(1, sizeof(*found));

        (void)state;
        assert_non_null(found);
        assert_true(vm_description_parse(GOOD, found));
        assert_string_equal(found->kernel, "/boot/k");
        assert_string_equal(found->modules, "/lib/m");
        assert_string_equal(found->qemu, "/usr/bin/q");
        assert_int_equal(found->accel, VM_TCG);
        assert_int_equal(found->memory, 256 << 20);
        assert_int_equal(found->cpus, 2);
        assert_int_equal(found->made, 12);
        free(found);
}

static void test_bad(void **state)
{
        static const char *const texts[] = {
                "",
                "made",
                "made=12\n",
                "made=x\nkernel=/boot/k\nmodules=/lib/m\nqemu=/usr/bin/q\naccel=tcg\nmemory=256M\ncpus=2\n",
                "made=12\nkernel=/boot/k\nmodules=/lib/m\nqemu=/usr/bin/q\naccel=xen\nmemory=256M\ncpus=2\n",
                "made=12\nkernel=/boot/k\nmodules=/lib/m\nqemu=/usr/bin/q\naccel=tcg\nmemory=-1\ncpus=2\n",
                "made=12\nkernel=/boot/k\nmodules=/lib/m\nqemu=/usr/bin/q\naccel=tcg\nmemory=256M\ncpus=0\n",
                "made=12345678901234567890123456\nkernel=/k\nmodules=/m\nqemu=/q\naccel=tcg\nmemory=256M\ncpus=2\n",
                "made=12\nkernelx=/boot/k\nmodules=/lib/m\nqemu=/usr/bin/q\naccel=tcg\nmemory=256M\ncpus=2\n",
        };
        struct vm_description *found = calloc(1, sizeof(*found));

        (void)state;
        assert_non_null(found);
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                assert_false(vm_description_parse(texts[i], found));
        free(found);
}

static void test_a_path_that_is_too_long(void **state)
{
        struct vm_description *found = calloc(1, sizeof(*found));
        char *text = calloc(1, PATH_MAX + sizeof(GOOD) + 16);

        (void)state;
        assert_non_null(found);
        assert_non_null(text);
        memset(text, 'k', PATH_MAX + 7);
        memcpy(text, "kernel=/", strlen("kernel=/"));
        memcpy(text + PATH_MAX + 7, "\n" GOOD, sizeof("\n" GOOD));
        assert_false(vm_description_parse(text, found));
        free(text);
        free(found);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_good), cmocka_unit_test(test_bad),
                                            cmocka_unit_test(test_a_path_that_is_too_long) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
