/* test_error.c - error texts stay one printable, terminated line, whatever goes in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void assert_printable(const char *text)
{
        for (; *text != '\0'; text++)
                assert_in_range((unsigned char)*text, 0x20, 0x7e);
}

static void test_errno_text(void **state)
{
        struct error err = ERROR_INIT;

        (void)state;
        assert_int_equal(error_errno(&err, EPERM, "cannot mount %s", "/proc"), -EPERM);
        assert_int_equal(err.number, EPERM);
        assert_string_equal(err.text, "cannot mount /proc: Operation not permitted");
}

static void test_text_alone(void **state)
{
        struct error err = ERROR_INIT;

        (void)state;
        assert_int_equal(error_text(&err, EINVAL, "no"), -EINVAL);
        assert_string_equal(err.text, "no");
}

static void test_failure_is_never_success(void **state)
{
        static const int odd[] = { 0, -1, -EPERM };

        (void)state;
        for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
                struct error err = ERROR_INIT;

                assert_int_equal(error_text(&err, odd[i], "x"), -EIO);
                assert_int_equal(err.number, EIO);
                assert_int_equal(error_errno(&err, odd[i], "x"), -EIO);
                assert_string_equal(err.text, "x: Input/output error");
        }
}

static void test_null_error(void **state)
{
        (void)state;
        assert_int_equal(error_errno(NULL, ENOENT, "x"), -ENOENT);
        assert_int_equal(error_text(NULL, 0, "x"), -EIO);
        assert_int_equal(error_prefix(NULL, "x"), -EIO);
}

static void test_prefix(void **state)
{
        struct error err = ERROR_INIT;

        (void)state;
        (void)error_text(&err, ENOENT, "a\x1b");
        assert_int_equal(error_prefix(&err, "%s:%d", "file", 3), -ENOENT);
        assert_string_equal(err.text, "file:3: a\\x1b");
        assert_int_equal(err.number, ENOENT);
        /* Its own text as an argument. */
        assert_int_equal(error_prefix(&err, "%s", err.text), -ENOENT);
        assert_string_equal(err.text, "file:3: a\\x1b: file:3: a\\x1b");
}

static void test_hostile_bytes(void **state)
{
        char bytes[256];
        struct error err = ERROR_INIT;

        (void)state;
        for (int i = 1; i < 256; i++)
                bytes[i - 1] = (char)i;
        bytes[255] = '\0';
        (void)error_text(&err, EINVAL, "%s", bytes);
        assert_printable(err.text);
        assert_non_null(strstr(err.text, "\\x01\\x02"));
        assert_non_null(strstr(err.text, "\\x1b"));
}

static void test_long_text(void **state)
{
        struct error err;
        char long_text[5000];

        (void)state;
        memset(long_text, 'x', sizeof(long_text) - 1);
        long_text[sizeof(long_text) - 1] = '\0';
        memset(&err, 0x7f, sizeof(err));
        assert_int_equal(error_errno(&err, EPERM, "%s", long_text), -EPERM);
        assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
        (void)error_prefix(&err, "%s", long_text);
        assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
        memset(long_text, '\n', sizeof(long_text) - 1);
        (void)error_text(&err, EPERM, "%s", long_text);
        assert_true(strlen(err.text) < ERROR_TEXT_MAX);
        assert_printable(err.text);
}

/* Every size: terminated within, no escape cut in half, nothing written behind. */
static void test_escape_sizes(void **state)
{
        (void)state;
        for (unsigned long size = 0; size < 16; size++) {
                char *buffer = malloc(size + 1);

                assert_non_null(buffer);
                memset(buffer, 'Z', size + 1);
                escape_text(buffer, size,
                            "a\n\xff"
                            "b");
                assert_int_equal(buffer[size], 'Z');
                if (size > 0)
                        assert_true(strlen(buffer) < size);
                free(buffer);
        }
        char whole[16], cut[6];

        escape_text(whole, sizeof(whole),
                    "a\n\xff"
                    "b");
        assert_string_equal(whole, "a\\x0a\\xffb");
        escape_text(cut, sizeof(cut), "a\n\xff");
        assert_string_equal(cut, "a\\x0a");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_errno_text),
                cmocka_unit_test(test_text_alone),
                cmocka_unit_test(test_failure_is_never_success),
                cmocka_unit_test(test_null_error),
                cmocka_unit_test(test_prefix),
                cmocka_unit_test(test_hostile_bytes),
                cmocka_unit_test(test_long_text),
                cmocka_unit_test(test_escape_sizes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
