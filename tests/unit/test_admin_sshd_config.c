/* test_admin_sshd_config.c - every switch of sshd that goes around the login shell is noticed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/sshd_config.h"
#include "common/paths.h"

#include <stdlib.h>
#include <string.h>

/* As `sshd -T` prints it: keywords in lower case. */
static const char GOOD[] = "port 22\nusepam yes\nstrictmodes yes\npermituserenvironment no\ndisableforwarding yes\n"
                           "allowtcpforwarding no\nallowstreamlocalforwarding no\nallowagentforwarding no\n"
                           "x11forwarding no\npermittunnel no\ngatewayports no\npermitopen none\npermitlisten none\n"
                           "permituserrc no\nexposeauthinfo no\nchrootdirectory none\n"
                           "authorizedkeysfile " AGENTSH_CONFIG_DIR "/keys/%u\nauthorizedkeyscommand none\n"
                           "authenticationmethods publickey\nsubsystem sftp /usr/lib/openssh/sftp-server\n"
                           "forcecommand none\nacceptenv AGENTSH_NONE\n";

/* GOOD with the first `from` replaced. */
static char *changed(const char *from, const char *to)
{
        const char *at = strstr(GOOD, from);
        char *text = malloc(sizeof(GOOD) + strlen(to));

        assert_non_null(at);
        assert_non_null(text);
        memcpy(text, GOOD, (size_t)(at - GOOD));
        (void)stpcpy(stpcpy(text + (at - GOOD), to), at + strlen(from));
        return text;
}

static void test_good_has_no_finding(void **state)
{
        struct findings findings = { 0 };

        (void)state;
        assert_int_equal(sshd_config_check(GOOD, "agent01", &findings), 0);
        assert_int_equal(findings.count, 0);
        findings_done(&findings);
}

static void check_one(const char *from, const char *to, enum severity severity)
{
        struct findings findings = { 0 };
        char *text = changed(from, to);

        assert_int_equal(sshd_config_check(text, "agent01", &findings), 1);
        assert_int_equal(findings.item[0].severity, severity);
        assert_non_null(strstr(findings.item[0].text, "agent01"));
        assert_string_not_equal(findings.item[0].remedy, "");
        findings_done(&findings);
        free(text);
}

static void test_each_switch(void **state)
{
        (void)state;
        check_one("usepam yes", "usepam no", FINDING_BAD);
        check_one("disableforwarding yes", "disableforwarding no", FINDING_BAD);
        check_one("allowtcpforwarding no", "allowtcpforwarding local", FINDING_BAD);
        check_one("allowtcpforwarding no\n", "", FINDING_BAD);
        check_one("allowstreamlocalforwarding no", "allowstreamlocalforwarding yes", FINDING_BAD);
        check_one("allowagentforwarding no", "allowagentforwarding yes", FINDING_BAD);
        check_one("x11forwarding no", "x11forwarding yes", FINDING_BAD);
        check_one("permittunnel no", "permittunnel point-to-point", FINDING_BAD);
        check_one("permitopen none", "permitopen any", FINDING_BAD);
        check_one("permitlisten none", "permitlisten any", FINDING_BAD);
        check_one("permituserrc no", "permituserrc yes", FINDING_BAD);
        check_one("permituserenvironment no", "permituserenvironment LANG", FINDING_BAD);
        check_one("/keys/%u", "/keys/%u .ssh/authorized_keys", FINDING_BAD);
        check_one("authenticationmethods publickey", "authenticationmethods any", FINDING_WARNING);
        check_one("chrootdirectory none", "chrootdirectory %h", FINDING_BAD);
        check_one("/usr/lib/openssh/sftp-server", "internal-sftp -l INFO", FINDING_BAD);
        check_one("acceptenv AGENTSH_NONE", "acceptenv LANG\nacceptenv *", FINDING_BAD);
        check_one("acceptenv AGENTSH_NONE", "acceptenv LD_*", FINDING_BAD);
        check_one("acceptenv AGENTSH_NONE", "acceptenv AGENTSH_*", FINDING_BAD);
        check_one("forcecommand none", "forcecommand /bin/bash", FINDING_WARNING);
}

static void test_harmless_changes(void **state)
{
        struct findings findings = { 0 };
        char *text = changed("acceptenv AGENTSH_NONE", "acceptenv LANG\nacceptenv LC_*");

        (void)state;
        assert_int_equal(sshd_config_check(text, "agent01", &findings), 0);
        free(text);
        text = changed("forcecommand none", "forcecommand agentsh-session");
        assert_int_equal(sshd_config_check(text, "agent01", &findings), 0);
        free(text);
        findings_done(&findings);
}

static void test_empty_text_is_all_bad(void **state)
{
        struct findings findings = { 0 };

        (void)state;
        assert_true(sshd_config_check("", "agent01", &findings) > 10);
        assert_true(findings_count(&findings, FINDING_BAD) > 10);
        findings_done(&findings);
}

static void test_get(void **state)
{
        char value[8];

        (void)state;
        assert_true(sshd_config_get("a 1\nb 2\na 3", "A", 0, value, sizeof(value)));
        assert_string_equal(value, "1");
        assert_true(sshd_config_get("a 1\nb 2\na 3", "a", 1, value, sizeof(value)));
        assert_string_equal(value, "3");
        assert_false(sshd_config_get("a 1\nb 2\na 3", "a", 2, value, sizeof(value)));
        assert_false(sshd_config_get("ab 1\n", "a", 0, value, sizeof(value)));
        assert_true(sshd_config_get("a\nb 2\n", "a", 0, value, sizeof(value)));
        assert_string_equal(value, "");
        assert_true(sshd_config_get("a 123456789\n", "a", 0, value, sizeof(value)));
        assert_string_equal(value, "1234567");
        assert_true(sshd_config_get("a   x y\r\n", "a", 0, value, sizeof(value)));
        assert_string_equal(value, "x y");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_good_has_no_finding),
                cmocka_unit_test(test_each_switch),
                cmocka_unit_test(test_harmless_changes),
                cmocka_unit_test(test_empty_text_is_all_bad),
                cmocka_unit_test(test_get),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
