/* test_agentsh_session.c - the way from the variable to the socket: one form only, through root's directories only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/paths.h"
#include "common/seqpacket.h"
#include "shell/agentsh_session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define ID "0123456789abcdef"

static int try_open(const char *path, const char *base)
{
        struct session session = SESSION_INIT;
        struct error err = ERROR_INIT;
        int r = session_open(path, base, &session, &err);

        assert_int_equal(r, -err.number);
        assert_true(r == 0 || (session.socket < 0 && session.directory < 0));
        session_done(&session);
        return r;
}

static void no_variable(void **state)
{
        struct session session = SESSION_INIT;
        struct error err = ERROR_INIT;

        (void)state;
        assert_int_equal(session_open(NULL, AGENTSH_SESSIONS_DIR, &session, &err), -ENOENT);
        assert_non_null(strstr(err.text, "UsePAM"));
        assert_non_null(strstr(err.text, "pam_agentsh"));
}

static void forms(void **state)
{
        static const char *const wrong[] = {
                "",
                "/",
                "attach",
                "/run",
                "/nowhere/" ID,
                "/nowhere/" ID "/",
                "/nowhere/" ID "/attach/",
                "/nowhere/" ID "/attachx",
                "/nowhere/" ID "/keep",
                "/nowhere//" ID "/attach",
                "/nowhere/" ID "//attach",
                "/nowhere/../nowhere/" ID "/attach",
                "/nowhere/0123456789abcde/attach",
                "/nowhere/0123456789abcdef0/attach",
                "/nowhere/0123456789ABCDEF/attach",
                "/nowhere/../../../../etc/attach",
                "/nowherex/" ID "/attach",
                "nowhere/" ID "/attach",
                "/nowhere/0123456789abcde\n/attach",
                "\033[2J",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
                assert_int_equal(try_open(wrong[i], "/nowhere"), -EINVAL);
        assert_int_equal(try_open("/nowhere/" ID "/attach", "/nowhere"), -ENOENT);
}

static char *long_text(void)
{
        char *text = malloc(100001);

        memset(text, '/', 100000);
        text[100000] = '\0';
        return text;
}

static void a_long_variable(void **state)
{
        char *text = long_text();

        (void)state;
        assert_int_equal(try_open(text, "/nowhere"), -EINVAL);
        free(text);
}

static void directories_of_others(void **state)
{
        char base[] = "/tmp/agentsh-test-XXXXXX", path[128];

        (void)state;
        assert_non_null(mkdtemp(base));
        (void)snprintf(path, sizeof(path), "%s/" ID, base);
        assert_int_equal(mkdir(path, 0755), 0);
        (void)snprintf(path, sizeof(path), "%s/" ID "/attach", base);
        /* /tmp is writable by everybody, whatever stands below it. */
        assert_int_equal(try_open(path, base), -EPERM);
        (void)snprintf(path, sizeof(path), "%s/" ID, base);
        assert_int_equal(rmdir(path), 0);
        assert_int_equal(rmdir(base), 0);
}

struct fixture {
        char base[64], directory[96], socket[108], keep[108];
        int listener;
};

static int make_session(void **state)
{
        struct fixture *fixture = calloc(1, sizeof(*fixture));
        int fd;

        *state = fixture;
        fixture->listener = -1;
        if (geteuid() != 0)
                return 0;
        (void)snprintf(fixture->base, sizeof(fixture->base), "/run/agentsh-unit-%d", (int)getpid());
        (void)snprintf(fixture->directory, sizeof(fixture->directory), "%s/" ID, fixture->base);
        (void)snprintf(fixture->socket, sizeof(fixture->socket), "%s/attach", fixture->directory);
        (void)snprintf(fixture->keep, sizeof(fixture->keep), "%s/keep", fixture->directory);
        assert_int_equal(mkdir(fixture->base, 0711), 0);
        assert_int_equal(mkdir(fixture->directory, 0711), 0);
        fixture->listener = seqpacket_listen(fixture->socket, 0600, 4, NULL);
        assert_true(fixture->listener >= 0);
        fd = open(fixture->keep, O_WRONLY | O_CREAT | O_CLOEXEC, 0444);
        assert_int_equal(write(fd, "TERM\n", 5), 5);
        return close(fd);
}

static int remove_session(void **state)
{
        struct fixture *fixture = *state;

        if (fixture->base[0] != '\0') {
                (void)close(fixture->listener);
                (void)unlink(fixture->socket);
                (void)unlink(fixture->keep);
                (void)rmdir(fixture->directory);
                (void)rmdir(fixture->base);
        }
        free(fixture);
        return 0;
}

static void good_session(void **state)
{
        struct fixture *fixture = *state;
        struct session session = SESSION_INIT;
        char *patterns = NULL;
        bool remote = true;
        int fd;

        if (fixture->base[0] == '\0')
                skip(); /* needs root's directories */
        assert_int_equal(session_open(fixture->socket, fixture->base, &session, NULL), 0);
        assert_int_equal(session_read_keep(&session, &patterns, NULL), 0);
        assert_string_equal(patterns, "TERM\n");
        free(patterns);
        assert_int_equal(session_is_remote(&session, &remote, NULL), 0);
        assert_false(remote);
        fd = openat(session.directory, SESSION_REMOTE_FILE, O_WRONLY | O_CREAT | O_CLOEXEC, 0444);
        assert_true(fd >= 0);
        (void)close(fd);
        assert_int_equal(session_is_remote(&session, &remote, NULL), 0);
        assert_true(remote);
        assert_int_equal(fchownat(session.directory, SESSION_REMOTE_FILE, 45803, 0, 0), 0);
        assert_int_equal(session_is_remote(&session, &remote, NULL), -EPERM);
        assert_int_equal(unlinkat(session.directory, SESSION_REMOTE_FILE, 0), 0);
        assert_int_equal(symlinkat("/dev/null", session.directory, SESSION_REMOTE_FILE), 0);
        assert_int_equal(session_is_remote(&session, &remote, NULL), -EPERM);
        assert_int_equal(unlinkat(session.directory, SESSION_REMOTE_FILE, 0), 0);
        assert_int_equal(chmod(fixture->keep, 0666), 0);
        assert_int_equal(session_read_keep(&session, &patterns, NULL), -EPERM);
        assert_int_equal(unlink(fixture->keep), 0);
        assert_int_equal(symlink("/etc/passwd", fixture->keep), 0);
        assert_int_equal(session_read_keep(&session, &patterns, NULL), -ELOOP);
        session_done(&session);
        assert_int_equal(chmod(fixture->directory, 0733), 0);
        assert_int_equal(try_open(fixture->socket, fixture->base), -EPERM);
        assert_int_equal(chown(fixture->directory, 45803, 0), 0);
        assert_int_equal(chmod(fixture->directory, 0711), 0);
        assert_int_equal(try_open(fixture->socket, fixture->base), -EPERM);
}

static void foreign_listener(void **state)
{
        struct fixture *fixture = *state;

        if (fixture->base[0] == '\0')
                skip();
        assert_int_equal(seteuid(45803), 0);
        assert_int_equal(listen(fixture->listener, 4), 0);
        assert_int_equal(seteuid(0), 0);
        assert_int_equal(try_open(fixture->socket, fixture->base), -EPERM);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(no_variable),
                cmocka_unit_test(forms),
                cmocka_unit_test(a_long_variable),
                cmocka_unit_test(directories_of_others),
                cmocka_unit_test_setup_teardown(good_session, make_session, remove_session),
                cmocka_unit_test_setup_teardown(foreign_listener, make_session, remove_session),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
