/* test_status.c - what comes over the line between monitor and init: one thing wrong anywhere, and it is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/status.h"

#include <errno.h>
#include <string.h>

static struct status_report good_report(void)
{
        return (struct status_report){
                .magic = STATUS_MAGIC, .kind = STATUS_CLOSED, .channels = 3, .wait_status = 256
        };
}

static int parse_report(const struct status_report *report)
{
        struct error err = ERROR_INIT;
        struct status_report ret = { .magic = 0 };
        int r = status_parse_report(report, sizeof(*report), &ret, &err);

        if (r == 0)
                assert_memory_equal(&ret, report, sizeof(ret));
        else
                assert_true(r == -EBADMSG && err.number == EBADMSG && ret.magic == 0);
        return r;
}

static void reports(void **state)
{
        struct status_report report = good_report();

        (void)state;
        for (report.kind = STATUS_UP; report.kind <= STATUS_CLOSED; report.kind++)
                assert_int_equal(parse_report(&report), 0);
        assert_int_equal(parse_report(&report), -EBADMSG);
        report.kind = 0;
        assert_int_equal(parse_report(&report), -EBADMSG);
        report = good_report();
        report.magic++;
        assert_int_equal(parse_report(&report), -EBADMSG);
        report = good_report();
        report.channels = STATUS_CHANNELS_MAX;
        assert_int_equal(parse_report(&report), 0);
        report.channels++;
        assert_int_equal(parse_report(&report), -EBADMSG);
}

static void sizes(void **state)
{
        char room[sizeof(struct status_report) + 2] = { 0 };
        const struct status_report report = good_report();
        struct status_report ret;
        struct status_notice notice = { .magic = STATUS_MAGIC };

        (void)state;
        /* At an odd address, too. */
        memcpy(room + 1, &report, sizeof(report));
        for (size_t size = 0; size <= sizeof(report) + 1; size++)
                assert_int_equal(status_parse_report(room + 1, size, &ret, NULL),
                                 size == sizeof(report) ? 0 : -EBADMSG);
        memcpy(room + 1, &notice, sizeof(notice));
        for (size_t size = 0; size <= sizeof(notice) + 1; size++)
                assert_int_equal(status_parse_notice(room + 1, size, &notice, NULL),
                                 size == sizeof(notice) ? 0 : -EBADMSG);
}

static void notices(void **state)
{
        struct status_notice notice = { .magic = STATUS_MAGIC, .hit = UINT32_MAX, .ending = ENDINGS - 1 }, ret;

        (void)state;
        assert_int_equal(status_parse_notice(&notice, sizeof(notice), &ret, NULL), 0);
        assert_int_equal(ret.hit, (1U << LIMIT_BITS) - 1);
        assert_int_equal(ret.ending, ENDINGS - 1);
        notice.ending = ENDINGS;
        assert_int_equal(status_parse_notice(&notice, sizeof(notice), &ret, NULL), -EBADMSG);
        notice = (struct status_notice){ .magic = STATUS_MAGIC + 1 };
        assert_int_equal(status_parse_notice(&notice, sizeof(notice), &ret, NULL), -EBADMSG);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(reports),
                cmocka_unit_test(sizes),
                cmocka_unit_test(notices),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
