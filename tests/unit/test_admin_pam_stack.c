/* test_admin_pam_stack.c - a PAM stack is read as libpam reads it, and a module that can be skipped is found out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/pam_stack.h"
#include "common/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OURS     "pam_agentsh.so"
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct place {
        char path[64];
        int fd;
};

static int set_up(void **state)
{
        struct place *place = calloc(1, sizeof(*place));

        (void)strcpy(place->path, "/tmp/test-pam-XXXXXX");
        assert_non_null(mkdtemp(place->path));
        place->fd = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(place->fd >= 0);
        *state = place;
        return 0;
}

static int tear_down(void **state)
{
        /* /tmp may be a mount of its own, into which no removal goes from outside. */
        int tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
        struct place *place = *state;

        (void)close(place->fd);
        assert_int_equal(fd_remove_tree(tmp, place->path + strlen("/tmp/"), NULL), 0);
        (void)close(tmp);
        free(place);
        return 0;
}

static void put(const struct place *place, const char *name, const char *text)
{
        int fd = openat(place->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
        (void)close(fd);
}

static int judge(const struct place *place, const char *service, enum pam_facility facility, struct error *err)
{
        struct pam_stack stack;
        int r = pam_stack_read(&place->fd, 1, service, facility, &stack, err);

        return r < 0 ? r : pam_stack_check(&stack, OURS, err);
}

static void test_debian_layout(void **state)
{
        const struct place *place = *state;
        struct error err = ERROR_INIT;

        put(place, "common-account",
            "# comment\naccount\t[success=1 new_authtok_reqd=done default=ignore]\tpam_unix.so \n"
            "account requisite pam_deny.so\naccount required pam_permit.so\naccount required " OURS "\n");
        put(place, "sshd", "@include common-auth\naccount required pam_nologin.so\n@include common-account\n");
        put(place, "common-auth", "auth required pam_unix.so\n");
        assert_int_equal(judge(place, "sshd", PAM_FACILITY_ACCOUNT, &err), 0);
        put(place, "common-account",
            "account [success=done new_authtok_reqd=done default=ignore] pam_unix.so\n"
            "account required " OURS "\n");
        assert_int_equal(judge(place, "sshd", PAM_FACILITY_ACCOUNT, &err), -EPERM);
        assert_non_null(strstr(err.text, "common-account:1"));
        put(place, "common-account",
            "account\trequired\t" OURS "\naccount\t[success=1 new_authtok_reqd=done default=ignore]\tpam_unix.so \n"
            "account requisite pam_deny.so\n");
        assert_int_equal(judge(place, "sshd", PAM_FACILITY_ACCOUNT, &err), 0);
        assert_int_equal(judge(place, "sshd", PAM_FACILITY_SESSION, &err), -ENOENT);
}

static void test_verdicts(void **state)
{
        static const struct {
                const char *text;
                int verdict;
        } CASES[] = {
                { "session required " OURS "\n", 0 },
                { "session requisite " OURS " debug\n", 0 },
                { "SESSION Required /lib/security/" OURS "\n", 0 },
                { "session required " OURS, 0 },
                { "session [success=ok ignore=ignore default=bad] " OURS "\n", 0 },
                { "session [default=die] " OURS "\n", 0 },
                { "session [perm_denied=die default=ignore] " OURS "\n", 0 },
                { "session [perm_denied=ignore default=bad] " OURS "\n", -EPERM },
                { "session [default=ignore] " OURS "\n", -EPERM },
                { "session [success=ok] " OURS "\n", -EPERM },
                { "session optional " OURS "\n", -EPERM },
                { "session sufficient " OURS "\n", -EPERM },
                { "-session required " OURS "\n", -EPERM },
                { "session sufficient pam_unix.so\nsession required " OURS "\n", -EPERM },
                { "session required " OURS "\nsession sufficient pam_unix.so\n", 0 },
                { "auth sufficient pam_rootok.so\nsession required " OURS "\n", 0 },
                { "session [success=1 default=ignore] pam_unix.so\nsession required " OURS "\n", -EPERM },
                { "session [success=1 default=ignore] pam_unix.so\nsession required pam_deny.so\n"
                  "session required " OURS "\n",
                  0 },
                { "session [success=2 default=ignore] pam_unix.so\nsession required pam_deny.so\n"
                  "session required " OURS "\n",
                  -EPERM },
                { "session [default=999999999999999999999] pam_unix.so\nsession required " OURS "\n", -EPERM },
                { "session required pam_permit.so\n", -ENOENT },
                { "# session required " OURS "\n", -ENOENT },
                { "", -ENOENT },
                { "session required pam_other.so " OURS "\n", -ENOENT },
                { "session required x" OURS "\n", -ENOENT },
                { "session \\\n required \\\n " OURS " \\\n debug\n", 0 },
                { "session optional " OURS "\nsession required " OURS "\n", 0 },
                { "session required\n", -EINVAL },
                { "session sufficient /lib/security/\nsession required " OURS "\n", -EINVAL },
                { "session [unclosed " OURS "\n", -EINVAL },
                { "sesion required " OURS "\n", -EINVAL },
        };
        const struct place *place = *state;

        for (size_t i = 0; i < COUNT(CASES); i++) {
                struct error err = ERROR_INIT;
                int verdict;

                put(place, "su", CASES[i].text);
                verdict = judge(place, "su", PAM_FACILITY_SESSION, &err);
                if (verdict != CASES[i].verdict)
                        print_error("case %zu: %s-> %d %s\n", i, CASES[i].text, verdict, err.text);
                assert_int_equal(verdict, CASES[i].verdict);
                if (verdict < 0)
                        assert_string_not_equal(err.text, "");
        }
}

static void test_substack_ends_only_itself(void **state)
{
        const struct place *place = *state;
        struct error err = ERROR_INIT;

        put(place, "inner", "session sufficient pam_localuser.so\nsession required pam_unix.so\n");
        put(place, "su", "session substack inner\nsession required " OURS "\n");
        assert_int_equal(judge(place, "su", PAM_FACILITY_SESSION, &err), 0);
        put(place, "su", "session include inner\nsession required " OURS "\n");
        assert_int_equal(judge(place, "su", PAM_FACILITY_SESSION, &err), -EPERM);
        put(place, "inner", "session sufficient pam_localuser.so\nsession required " OURS "\n");
        put(place, "su", "session substack inner\nsession required pam_unix.so\n");
        assert_int_equal(judge(place, "su", PAM_FACILITY_SESSION, &err), -EPERM);
}

static void test_jump_counts_a_substack_as_one(void **state)
{
        const struct place *place = *state;
        struct error err = ERROR_INIT;

        put(place, "inner", "session required pam_a.so\nsession required pam_b.so\nsession required pam_c.so\n");
        put(place, "su", "session [default=1] pam_x.so\nsession substack inner\nsession required " OURS "\n");
        assert_int_equal(judge(place, "su", PAM_FACILITY_SESSION, &err), 0);
        put(place, "su", "session [default=2] pam_x.so\nsession substack inner\nsession required " OURS "\n");
        assert_int_equal(judge(place, "su", PAM_FACILITY_SESSION, &err), -EPERM);
        /* Ours inside of a substack that a rule before it jumps over. */
        put(place, "inner", "session required " OURS "\n");
        put(place, "su", "session [default=1] pam_x.so\nsession substack inner\n");
        assert_int_equal(judge(place, "su", PAM_FACILITY_SESSION, &err), -EPERM);
}

/* libpam refuses a stack that includes what it cannot read, whatever the reason. */
static void test_included_files_that_cannot_be_read(void **state)
{
        const struct place *place = *state;
        static const char *const names[] = { "b/c", "dir", "/dev/zero", "b/session include b" };
        char stack[128];

        put(place, "b", "session required " OURS "\n");
        assert_int_equal(mkdirat(place->fd, "dir", 0700), 0);
        for (size_t i = 0; i < COUNT(names); i++) {
                struct error err = ERROR_INIT;

                (void)snprintf(stack, sizeof(stack), "session include %s\n", names[i]);
                put(place, "a", stack);
                assert_int_equal(judge(place, "a", PAM_FACILITY_SESSION, &err), -EINVAL);
                assert_int_equal(err.number, EINVAL);
        }
}

static void test_missing_files(void **state)
{
        const struct place *place = *state;
        struct error err = ERROR_INIT;

        assert_int_equal(judge(place, "sshd", PAM_FACILITY_SESSION, &err), -ENOENT);
        put(place, "sshd", "@include gone\nsession required " OURS "\n");
        assert_int_equal(judge(place, "sshd", PAM_FACILITY_SESSION, &err), -EINVAL);
        put(place, "sshd", "session required " OURS "\n@include gone\n");
        assert_int_equal(judge(place, "sshd", PAM_FACILITY_SESSION, &err), -EINVAL);
}

static void test_include_loop_and_floods(void **state)
{
        const struct place *place = *state;
        struct error err = ERROR_INIT;
        char many[PAM_RULES_MAX * 40], *end = many;
        char *wide = malloc(70000);

        put(place, "a", "@include b\n");
        put(place, "b", "@include a\n");
        assert_int_equal(judge(place, "a", PAM_FACILITY_SESSION, &err), -EINVAL);
        for (int i = 0; i <= PAM_RULES_MAX; i++)
                end = stpcpy(end, "session required pam_x.so\n");
        put(place, "a", many);
        assert_int_equal(judge(place, "a", PAM_FACILITY_SESSION, &err), -EINVAL);
        assert_non_null(wide);
        memset(wide, 'x', 69999);
        wide[69999] = '\0';
        put(place, "a", wide);
        assert_int_equal(judge(place, "a", PAM_FACILITY_SESSION, &err), -EINVAL);
        free(wide);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_debian_layout, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_verdicts, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_substack_ends_only_itself, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_jump_counts_a_substack_as_one, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_missing_files, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_included_files_that_cannot_be_read, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_include_loop_and_floods, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
