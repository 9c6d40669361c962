/* test_admin_output.c - figures and tables; hostile text never reaches the terminal as it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/findings.h"
#include "admin/output.h"

#include <stdlib.h>
#include <string.h>

static void check_size(uint64_t bytes, const char *expected)
{
        char text[16];

        format_size(text, sizeof(text), bytes);
        assert_string_equal(text, expected);
}

static void test_format_size(void **state)
{
        (void)state;
        check_size(0, "0");
        check_size(1023, "1023");
        check_size(1024, "1K");
        check_size(1536, "1.5K");
        check_size(64ULL << 20, "64M");
        check_size((64ULL << 20) + (600ULL << 10), "64M");
        check_size(3ULL << 29, "1.5G");
        check_size(UINT64_MAX, "15E");
}

static void check_seconds(uint64_t seconds, const char *expected)
{
        char text[24];

        format_seconds(text, sizeof(text), seconds);
        assert_string_equal(text, expected);
}

static void test_format_seconds(void **state)
{
        (void)state;
        check_seconds(0, "0s");
        check_seconds(59, "59s");
        check_seconds(60, "1m00s");
        check_seconds(3599, "59m59s");
        check_seconds(3600, "1h00m");
        check_seconds(86400 * 2 + 3 * 3600, "2d3h");
}

static void test_table(void **state)
{
        static const char *const HEADINGS[] = { "A", "LONGER" };
        struct error err = ERROR_INIT;
        struct table table;
        char *text = NULL;
        size_t size = 0;
        FILE *stream = open_memstream(&text, &size);

        (void)state;
        table_begin(&table, HEADINGS, 2);
        table_cell(&table, "wide cell");
        table_cell(&table, "\033[2J");
        table_cell(&table, "");
        table_cell(&table, "x\ny");
        table_cell(&table, "lost: its row has no end");
        assert_int_equal(table_print(&table, stream, &err), 0);
        (void)fclose(stream);
        assert_string_equal(text, "A          LONGER\nwide cell  \\x1b[2J\n-          x\\x0ay\n");
        free(text);
        table_done(&table);
}

static void test_table_grows(void **state)
{
        static const char *const HEADINGS[] = { "N" };
        struct error err = ERROR_INIT;
        struct table table;
        char *text = NULL;
        size_t size = 0;
        FILE *stream = open_memstream(&text, &size);

        (void)state;
        table_begin(&table, HEADINGS, 1);
        for (int i = 0; i < 1000; i++)
                table_cell(&table, "ab");
        assert_int_equal(table_print(&table, stream, &err), 0);
        (void)fclose(stream);
        assert_int_equal(size, 2 + 1000 * 3);
        free(text);
        table_done(&table);
}

static void test_findings(void **state)
{
        struct findings findings = { 0 };
        char *text = NULL, longer[2000];
        size_t size = 0;
        FILE *stream = open_memstream(&text, &size);
        struct json json = { .stream = stream };

        (void)state;
        memset(longer, 'x', sizeof(longer) - 1);
        longer[sizeof(longer) - 1] = '\0';
        finding_remedy(&findings, "there is nothing yet");
        finding_add(&findings, FINDING_BAD, "sshd", "evil \033]0;name %s", longer);
        finding_remedy(&findings, "rm \"%s\"", "a\nb");
        finding_add(&findings, FINDING_OK, "pam", "fine");
        assert_int_equal(findings_count(&findings, FINDING_BAD), 1);
        json_begin_object(&json, NULL);
        findings_json(&findings, &json, "findings");
        json_end_object(&json);
        findings_print(&findings, stream);
        (void)fclose(stream);
        assert_null(strchr(text, '\033'));
        assert_non_null(strstr(text, "\"severity\":\"bad\""));
        assert_non_null(strstr(text, "\"remedy\":null"));
        assert_non_null(strstr(text, "remedy: rm \"a\\x0ab\""));
        free(text);
        findings_done(&findings);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_format_size), cmocka_unit_test(test_format_seconds), cmocka_unit_test(test_table),
                cmocka_unit_test(test_table_grows), cmocka_unit_test(test_findings),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
