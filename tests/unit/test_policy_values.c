/* test_policy_values.c - values that the policy loader refuses, each with its text; lists of names. */
#include "test_policy_text.h"

static void test_services(void **state)
{
        (void)state;
        assert_valid("[account]\nservices = sshd, su-l\tsudo-i,,login\n");
        assert_int_equal(policy.services.count, 4);
        assert_refused("[account]\nservices = sshd sudo\n",
                       "a.ini:2: [account] services: sudo cannot be allowed: it runs commands without the login shell "
                       "(for sudo -i list sudo-i)");
        assert_refused("[account]\nservices = cron\n",
                       "a.ini:2: [account] services: cron cannot be allowed: it runs commands without the login "
                       "shell");
        assert_refused("[account]\nservices = systemd-user\n",
                       "a.ini:2: [account] services: systemd-user cannot be allowed: it runs commands without the "
                       "login shell");
        assert_refused("[account]\nservices = ,\n",
                       "a.ini:2: [account] services: no service is named (enabled = no closes an account)");
        assert_refused("[account]\nservices = sshd sshd\n", "a.ini:2: [account] services: sshd is listed twice");
        assert_refused("[account]\nservices = SSHD\n",
                       "a.ini:2: [account] services: \"SSHD\" is not a name ([a-z_][a-z0-9_.-]*)");
        assert_refused("[account]\nservices = ../sshd\n",
                       "a.ini:2: [account] services: \"../sshd\" is not a name ([a-z_][a-z0-9_.-]*)");
}

static void test_too_many_names(void **state)
{
        char text[1000] = "[account]\nservices =";
        size_t used = strlen(text);

        (void)state;
        for (int i = 0; i < POLICY_LIST_MAX; i++)
                used += (size_t)snprintf(text + used, sizeof(text) - used, " s%d", i);
        assert_valid(text);
        assert_int_equal(policy.services.count, POLICY_LIST_MAX);
        (void)snprintf(text + used, sizeof(text) - used, " last");
        assert_refused(text, "a.ini:2: [account] services: more than 32 names");
}

static void test_keep(void **state)
{
        static const char *const dangerous[] = {
                "LD_PRELOAD", "LD_*",       "LD_AUDIT",       "GLIBC_TUNABLES", "GCONV_PATH", "BASH_ENV",       "ENV",
                "PERL5LIB",   "PYTHONPATH", "PYTHON*",        "NLSPATH",        "PATH",       "HOME",           "USER",
                "SHELL",      "IFS",        "AGENTSH_SOCKET", "BASH_FUNC_x",    "LOGNAME",    "PROMPT_COMMAND",
        };
        char text[256], expected[256];

        (void)state;
        for (size_t i = 0; i < COUNT(dangerous); i++) {
                (void)snprintf(text, sizeof(text), "[environment]\nkeep = TERM %s\n", dangerous[i]);
                (void)snprintf(expected, sizeof(expected), "[environment] keep: %s cannot be taken from the caller",
                               dangerous[i]);
                assert_int_equal(load(text), -EINVAL);
                assert_int_equal(strncmp(report.issues[0].text, expected, strlen(expected)), 0);
        }
        assert_refused("[environment]\nkeep = L*\n",
                       "a.ini:2: [environment] keep: L* cannot be taken from the caller (it covers LD_*)");
        assert_refused("[environment]\nkeep = PA*\n",
                       "a.ini:2: [environment] keep: PA* cannot be taken from the caller (it covers PATH)");
        assert_refused("[environment]\nkeep = *\n",
                       "a.ini:2: [environment] keep: * would keep everything (name the variables)");
        assert_refused("[environment]\nkeep = A*B\n", "a.ini:2: [environment] keep: \"A*B\" is not a variable name, "
                                                      "nor one with a * at its end");
        assert_refused("[environment]\nkeep = 1A\n", "a.ini:2: [environment] keep: \"1A\" is not a variable name, "
                                                     "nor one with a * at its end");
        assert_refused("[environment]\nkeep = A=B\n", "a.ini:2: [environment] keep: \"A=B\" is not a variable name, "
                                                      "nor one with a * at its end");
        assert_valid("[environment]\nkeep = LANG* GIT_* PATHS ENVIRONMENT lc_x _ USERS\n");
}

static void test_set(void **state)
{
        char text[600] = "[environment]\nset = A=";
        size_t used = strlen(text);

        (void)state;
        assert_valid("[environment]\nset = PATH=/usr/bin HOME=/x\n");
        assert_refused("[environment]\nset = LD_PRELOAD=/x.so\n",
                       "a.ini:2: [environment] set: LD_PRELOAD cannot be set (LD_*)");
        assert_refused("[environment]\nset = AGENTSH_SOCKET=/x\n",
                       "a.ini:2: [environment] set: AGENTSH_SOCKET cannot be set (AGENTSH_*)");
        assert_refused("[environment]\nset = A\n", "a.ini:2: [environment] set: \"A\" is not NAME=VALUE");
        assert_refused("[environment]\nset = A-B=1\n", "a.ini:2: [environment] set: \"A-B=1\" is not NAME=VALUE");
        assert_refused("[environment]\nset = A=1 A=2\n", "a.ini:2: [environment] set: A is set twice");
        assert_refused("[environment]\nset = A=\\n\n",
                       "a.ini:2: [environment] set: a backslash stands before a blank or a backslash only");
        memset(text + used, 'x', POLICY_SET_MAX - 3);
        text[used + POLICY_SET_MAX - 3] = '\0';
        assert_valid(text);
        assert_int_equal(strlen(policy.set.text[0]), POLICY_SET_MAX - 1);
        text[used + POLICY_SET_MAX - 3] = 'x';
        assert_refused(text, "a.ini:2: [environment] set: a part is longer than 255 bytes");
}

static void test_later_versions(void **state)
{
        static const struct {
                const char *text, *expected;
        } cases[] = {
                { "[limits]\ndisk = 1G\n", "a.ini:2: [limits] disk: not supported by this version" },
                { "[network]\nallow = x\n", "a.ini:2: [network] allow: not supported by this version" },
                { "[record]\nterminal = no\n", "a.ini:1: [record]: not supported by this version" },
                { "[bind src-1]\nsource = /srv\n", "a.ini:1: [bind src-1]: not supported by this version" },
                { "[vm]\ntemplate = x\n", "a.ini:2: [vm] template: not supported by this version" },
                { "[container]\nimage = x\n", "a.ini:1: [container]: not supported by this version" },
                { "[cluster]\nkind = x\n", "a.ini:1: [cluster]: not supported by this version" },
                { "[cloud]\ntype = x\n", "a.ini:1: [cloud]: not supported by this version" },
                { "[account]\ntier = cloud\n",
                  "a.ini:2: [account] tier: cloud: not supported by this version (supported: chroot, jail, vm)" },
                { "[root]\nsource = dir:/srv/x\n",
                  "a.ini:2: [root] source: dir:/srv/x is not supported by this version but for the tier vm" },
                { "[root]\nsource = image:/srv/x\n",
                  "a.ini:2: [root] source: image:/srv/x is not supported by this version but for the tier vm" },
                { "[account]\ntier = vm\n[root]\nsource = image:/x\n[vm]\nmemory = 900M\n",
                  "a.ini: [limits] memory: must be 192M more than [vm] memory at least, for QEMU itself" },
                { "[root]\nsource = image:x\n", "a.ini:2: [root] source: \"x\" is not an absolute path" },
                { "[root]\nsource = oci:x\n", "a.ini:2: [root] source: oci:x: not supported by this version "
                                              "(supported: host, image:PATH, dir:PATH)" },
                { "[root]\nsource = /\n",
                  "a.ini:2: [root] source: \"/\" is no root source (supported: host, image:PATH, dir:PATH)" },
                { "[root]\nmode = overlay\n",
                  "a.ini:2: [root] mode: overlay: not supported by this version (supported: readonly)" },
                { "[home]\nmode = review\n",
                  "a.ini:2: [home] mode: review: not supported by this version (supported: persistent, ephemeral)" },
                { "[network]\nmode = allow\n",
                  "a.ini:2: [network] mode: allow: not supported by this version (supported: none)" },
                { "[home]\nsize = 1G\n", "a.ini:2: [home] size: not supported by this version for a persistent home "
                                         "(leave it out, or set it to 0)" },
        };

        (void)state;
        for (size_t i = 0; i < COUNT(cases); i++)
                assert_refused(cases[i].text, cases[i].expected);
        assert_valid("[home]\nsize = 0\n");
}

static void test_bad_values(void **state)
{
        static const struct {
                const char *text, *expected;
        } cases[] = {
                { "[limits]\nmemory =\n", "a.ini:2: [limits] memory: a value is missing" },
                { "[account]\nexpires =\n", "a.ini:2: [account] expires: a value is missing" },
                { "[limits]\nmemory = 64Q\n",
                  "a.ini:2: [limits] memory: \"64Q\" is not a size (digits, then K, M, G or T)" },
                { "[limits]\nmemory = -1\n",
                  "a.ini:2: [limits] memory: \"-1\" is not a size (digits, then K, M, G or T)" },
                { "[limits]\nmemory = 0x10\n",
                  "a.ini:2: [limits] memory: \"0x10\" is not a size (digits, then K, M, G or T)" },
                { "[limits]\nmemory = 99999999999G\n",
                  "a.ini:2: [limits] memory: \"99999999999G\" is too large a size" },
                { "[limits]\nmemory = 15M\n", "a.ini:2: [limits] memory: 15M is out of range (16M to 64T)" },
                { "[limits]\nmemory = 0\n", "a.ini:2: [limits] memory: 0 is out of range (16M to 64T)" },
                { "[limits]\nmemory = 65T\n", "a.ini:2: [limits] memory: 65T is out of range (16M to 64T)" },
                { "[limits]\ntasks = 7\n", "a.ini:2: [limits] tasks: 7 is out of range (8 to 4194304)" },
                { "[limits]\ntasks = 1K\n", "a.ini:2: [limits] tasks: \"1K\" is not a whole number" },
                { "[limits]\ncpus = 0.04\n", "a.ini:2: [limits] cpus: 0.04 is out of range (0, or 0.05 to 1024)" },
                { "[limits]\ncpus = 1025\n", "a.ini:2: [limits] cpus: 1025 is out of range (0, or 0.05 to 1024)" },
                { "[limits]\ncpus = 1,5\n",
                  "a.ini:2: [limits] cpus: \"1,5\" is not a number with at most three decimals" },
                { "[limits]\nsession_time = 1m2h\n",
                  "a.ini:2: [limits] session_time: \"1m2h\" is not a duration (90, 90s, 15m, 1h30m, 2d)" },
                { "[limits]\nsession_time = 366d\n",
                  "a.ini:2: [limits] session_time: 366d is out of range (0, or 1s to 365d)" },
                { "[account]\nmax_sessions = 0\n", "a.ini:2: [account] max_sessions: 0 is out of range (1 to 1000)" },
                { "[account]\nexpires = 2026-02-29\n",
                  "a.ini:2: [account] expires: \"2026-02-29\" is not a date (YYYY-MM-DD or never)" },
                { "[account]\nexpires = 31.12.2026\n",
                  "a.ini:2: [account] expires: \"31.12.2026\" is not a date (YYYY-MM-DD or never)" },
                { "[account]\nshell = bash\n", "a.ini:2: [account] shell: \"bash\" is not an absolute path" },
                { "[account]\nshell = /bin/../x\n",
                  "a.ini:2: [account] shell: the path \"/bin/../x\" is not normalised" },
                { "[account]\nshell = /\n", "a.ini:2: [account] shell: / is no shell for the inside" },
                { "[account]\nshell = /usr/local/bin/agentsh\n",
                  "a.ini:2: [account] shell: /usr/local/bin/agentsh is no shell for the inside" },
                { "[account]\ninherits = ../coder\n",
                  "a.ini:2: [account] inherits: \"../coder\" is not a name ([a-z_][a-z0-9_.-]*)" },
        };

        (void)state;
        for (size_t i = 0; i < COUNT(cases); i++)
                assert_refused(cases[i].text, cases[i].expected);
        assert_valid("[limits]\nmemory = 16M\ntmp = 1M\ntasks = 8\ncpus = 0.05\n");
        assert_valid("[limits]\ncpus = 0\nsession_time = 0\n");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_services),       cmocka_unit_test(test_too_many_names),
                cmocka_unit_test(test_keep),           cmocka_unit_test(test_set),
                cmocka_unit_test(test_later_versions), cmocka_unit_test(test_bad_values),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
