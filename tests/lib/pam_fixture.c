/* pam_fixture.c - PAM set up for the tests of the module. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/pam_fixture.h"

#include "common/cleanup.h"

#include <fcntl.h>
#include <pwd.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>

const char *pam_fixture_module(void)
{
        return PAM_TEST_DIR "/pam_agentsh.so";
}

const char *pam_fixture_shell(const char *user)
{
        const struct passwd *pw = getpwnam(user);

        assert_non_null(pw);
        return pw->pw_shell;
}

static void policy_path(char *ret, size_t size, const char *user)
{
        (void)snprintf(ret, size, PAM_TEST_DIR "/etc/accounts/%s.ini", user);
}

void pam_fixture_add_policy(const char *user)
{
        char path[512];
        FILE *file;

        (void)mkdir(PAM_TEST_DIR "/etc", 0755);
        /* A test that failed may have left it moved away. */
        (void)unlink(PAM_TEST_DIR "/etc/accounts");
        (void)rename(PAM_TEST_DIR "/etc/accounts-away", PAM_TEST_DIR "/etc/accounts");
        (void)mkdir(PAM_TEST_DIR "/etc/accounts", 0755);
        policy_path(path, sizeof(path), user);
        /* A test that failed may have left a link. */
        (void)unlink(path);
        file = fopen(path, "we");
        assert_non_null(file);
        (void)fclose(file);
}

void pam_fixture_remove_policy(const char *user)
{
        char path[512];

        policy_path(path, sizeof(path), user);
        (void)unlink(path);
}

static int converse(int count, const struct pam_message **messages, struct pam_response **ret, void *data)
{
        struct pam_fixture *fixture = data;

        for (int i = 0; i < count; i++) {
                size_t used = strlen(fixture->said);

                (void)snprintf(fixture->said + used, sizeof(fixture->said) - used, "%s\n", messages[i]->msg);
                fixture->spoken++;
        }
        *ret = calloc((size_t)count, sizeof(**ret));
        return *ret == NULL ? PAM_BUF_ERR : PAM_SUCCESS;
}

void pam_fixture_service(struct pam_fixture *fixture, const char *name, const char *options, const char *more_lines)
{
        static const char control[] = "[success=ok ignore=ok default=bad]";
        cleanup_fclose FILE *file = NULL;
        char path[512];

        (void)snprintf(path, sizeof(path), "%s/%s", fixture->config, name);
        file = fopen(path, "we");
        assert_non_null(file);
        (void)fprintf(file, "account %s %s %s\nsession %s %s %s\n%s", control, pam_fixture_module(), options, control,
                      pam_fixture_module(), options, more_lines);
}

void pam_fixture_start(struct pam_fixture *fixture, const struct fake_script *script)
{
        char options[512];

        memset(fixture, 0, sizeof(*fixture));
        fake_monitor_start(&fixture->fake, script);
        (void)snprintf(fixture->config, sizeof(fixture->config), "%s/pam.d", fixture->fake.dir);
        assert_int_equal(mkdir(fixture->config, 0755), 0);
        fixture->conv = (struct pam_conv){ .conv = converse, .appdata_ptr = fixture };
        pam_fixture_add_policy(AGENT);
        pam_fixture_add_policy(OTHER_AGENT);
        (void)snprintf(options, sizeof(options), "shell=%s socket=%s timeout=1", pam_fixture_shell(AGENT),
                       fixture->fake.socket);
        pam_fixture_service(fixture, SERVICE, options, "");
}

void pam_fixture_stop(struct pam_fixture *fixture)
{
        char command[256];

        pam_fixture_remove_policy(AGENT);
        pam_fixture_remove_policy(OTHER_AGENT);
        (void)snprintf(command, sizeof(command), "rm -rf -- '%s'", fixture->config);
        assert_int_equal(system(command), 0);
        fake_monitor_stop(&fixture->fake);
}

pam_handle_t *pam_fixture_handle(struct pam_fixture *fixture, const char *service, const char *user)
{
        pam_handle_t *pamh = NULL;

        assert_int_equal(pam_start_confdir(service, user, &fixture->conv, fixture->config, &pamh), PAM_SUCCESS);
        return pamh;
}

static bool write_text(const char *path, const char *text)
{
        cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);

        return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

bool pam_fixture_become_root(void)
{
        char map[64];

        if (geteuid() == 0)
                return true;
        (void)snprintf(map, sizeof(map), "0 %u 1", (unsigned)geteuid());
        return unshare(CLONE_NEWUSER) == 0 && write_text("/proc/self/uid_map", map);
}

bool pam_fixture_has_uids(void)
{
        cleanup_fclose FILE *map = fopen("/proc/self/uid_map", "re");
        unsigned long inside, outside, count;

        return geteuid() == 0 && map != NULL && fscanf(map, "%lu %lu %lu", &inside, &outside, &count) == 3 &&
               count > 65534;
}
