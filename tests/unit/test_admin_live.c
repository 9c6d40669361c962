/* test_admin_live.c - what agentsh-probe prints comes from inside: whatever it is, it is taken apart safely. */
#include "admin/live_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct live_facts parse(const char *text)
{
        struct live_facts facts;
        struct error err = ERROR_INIT;

        assert_int_equal(live_facts_parse(strdup(text), &facts, &err), 0);
        return facts;
}

static void facts_are_found(void **state)
{
        cleanup_live_facts struct live_facts facts = parse(
                "begin\nsection=identity\nUid=1\t2\ntwice=a\ntwice=b\nempty=\nsection=escape\nmount=EPERM\n"
                "section=end\n");

        (void)state;
        assert_true(facts.complete);
        assert_string_equal(live_facts_one(&facts, "Uid"), "1 2");
        assert_string_equal(live_facts_one(&facts, "empty"), "");
        assert_null(live_facts_one(&facts, "twice"));
        assert_int_equal(live_facts_count(&facts, "twice"), 2);
        assert_null(live_facts_one(&facts, "nothing"));
        /* Attempts are no facts, and may have the same names. */
        assert_null(live_facts_one(&facts, "mount"));
        assert_int_equal(live_facts_count(&facts, "mount"), 1);
}

static void an_end_that_is_not_the_last_is_none(void **state)
{
        static const char *const texts[] = { "",        "section=end", "section=end\nsection=view\n",
                                             "=\n==\n", "section",     "section=identity\nUid=1\n" };
        static const bool complete[] = { false, true, false, false, false, false };

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                cleanup_live_facts struct live_facts facts = parse(texts[i]);

                assert_int_equal(facts.complete, complete[i]);
        }
}

static void noise_is_escaped(void **state)
{
        cleanup_live_facts struct live_facts facts = parse("\033[2Jagentsh: no channel\n  \n");

        (void)state;
        assert_string_equal(facts.noise, "\\x1b[2Jagentsh: no channel");
}

static void floods_are_cut(void **state)
{
        char *text = malloc(4 * (LIVE_FACTS_MAX + 10) + 1);
        struct live_facts facts;
        struct error err = ERROR_INIT;

        (void)state;
        assert_non_null(text);
        for (size_t i = 0; i < LIVE_FACTS_MAX + 10; i++)
                memcpy(text + 4 * i, "a=b\n", 5);
        assert_int_equal(live_facts_parse(text, &facts, &err), 0);
        assert_int_equal(facts.count, LIVE_FACTS_MAX);
        live_facts_done(&facts);
}

/* Every check runs on nothing, and on the wrong things, and finds that bad. */
static void checks_take_anything(void **state)
{
        static const char *const texts[] = { "", "section=view\nmount /=\nmount /x=y\nfd 9=x\nroute6=\ncgroup=\npid=\n"
                                                 "dev=\nhome=\npasswd=\nhidden =\noom_score_adj=\nns_pid=\n"
                                                 "section=escape\nbpf=\nmount tmpfs=ok\n" };
        struct policy policy = { .tier = TIER_JAIL };
        struct account account = { .name = "agent01", .uid = 1001, .gid = 1001, .home = "/home/agent01" };
        struct session_state session = { .init_pid = 0 };

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                cleanup_live_facts struct live_facts facts = parse(texts[i]);
                cleanup_live_report struct live_report report = { 0 };
                const struct live_check check = { &account, &policy, &session, &facts, &report };

                live_check_identity(&check);
                live_check_mounts(&check);
                live_check_view(&check);
                live_check_attempts(&check);
                live_check_outside(&check);
                live_check_limits(&check);
                assert_false(live_report_good(&report));
                assert_true(live_report_bad(&report) > 50);
        }
}

static void nothing_looked_at_is_not_good(void **state)
{
        struct live_report report = { 0 };

        (void)state;
        assert_false(live_report_good(&report));
        live_add(&report, true, "group", "name", "a", "a");
        assert_true(live_report_good(&report));
        live_equal(&report, "group", "blanks", "1 2", " 1\t  2 ");
        assert_true(live_report_good(&report));
        live_equal(&report, "group", "words", "1 2", "12");
        live_equal(&report, "group", "nothing", "", NULL);
        assert_int_equal(live_report_bad(&report), 2);
        live_report_done(&report);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(facts_are_found),      cmocka_unit_test(an_end_that_is_not_the_last_is_none),
                cmocka_unit_test(noise_is_escaped),     cmocka_unit_test(floods_are_cut),
                cmocka_unit_test(checks_take_anything), cmocka_unit_test(nothing_looked_at_is_not_good)
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
