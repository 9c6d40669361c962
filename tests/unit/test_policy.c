/* test_policy.c - the policy loader on texts: defaults, syntax, names, checks across keys. */
#include "test_policy_text.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static void test_empty_is_all_defaults(void **state)
{
        (void)state;
        assert_valid("");
        assert_string_equal(policy.account, "agent01");
        assert_true(policy.enabled);
        assert_string_equal(policy.inherits, "");
        assert_int_equal(policy.tier, TIER_JAIL);
        assert_int_equal(policy.risk, RISK_NORMAL);
        assert_int_equal(policy.services.count, 4);
        assert_true(policy_allows_service(&policy, "sshd"));
        assert_true(policy_allows_service(&policy, "su"));
        assert_true(policy_allows_service(&policy, "su-l"));
        assert_true(policy_allows_service(&policy, "login"));
        assert_false(policy_allows_service(&policy, "cron"));
        assert_false(policy_allows_service(&policy, "sudo-i"));
        assert_false(policy_allows_service(&policy, ""));
        assert_int_equal(policy.max_sessions, 8);
        assert_int_equal(policy.expires, 0);
        assert_string_equal(policy.shell, "/bin/bash");
        assert_string_equal(policy.root_source, "host");
        assert_int_equal(policy.root_mode, ROOT_READONLY);
        assert_int_equal(policy.home_mode, HOME_PERSISTENT);
        assert_int_equal(policy.home_size, 0);
        assert_int_equal(policy.network_mode, NETWORK_NONE);
        assert_int_equal(policy.seccomp, SECCOMP_DEFAULT);
        assert_false(policy.nested);
        assert_false(policy.fake_root);
        assert_int_equal(policy.keep.count, 9);
        assert_string_equal(policy.keep.name[4], "LC_*");
        assert_int_equal(policy.set.count, 0);
}

static void test_default_limits(void **state)
{
        (void)state;
        assert_valid("\n# nothing\n");
        assert_int_equal(policy.memory, GIB);
        assert_int_equal(policy.swap, 0);
        assert_int_equal(policy.cpus, 1000);
        assert_int_equal(policy.tasks, 256);
        assert_int_equal(policy.io_read, 0);
        assert_int_equal(policy.io_write, 0);
        assert_int_equal(policy.tmp, 256 * MIB);
        assert_int_equal(policy.open_files, 1024);
        assert_int_equal(policy.file_size, 0);
        assert_int_equal(policy.session_time, 12 * 3600);
        assert_int_equal(policy.idle_time, 0);
}

/* Defaults, and the ends of every range, must satisfy the strict parser and come back as they were written. */
static void test_table_is_consistent(void **state)
{
        char text[4096];

        (void)state;
        assert_valid("");
        assert_int_equal(policy_key_count(), POLICY_KEYS);
        for (size_t i = 0; i < POLICY_KEYS; i++) {
                const struct policy_key *key = table_key(i);
                struct policy_key_info info;
                struct error err;

                policy_key_describe(i, &info);
                assert_int_equal(table_find(info.section, info.key), i);
                assert_true(strlen(info.help) > 0);
                assert_int_equal(info.supported, key->type != TYPE_LATER);
                if (key->min != NULL) {
                        assert_int_equal(value_parse(key, key->min, &policy, &err), 0);
                        value_format(key, &policy, text, sizeof(text));
                        assert_string_equal(text, key->min);
                        assert_int_equal(value_parse(key, key->max, &policy, &err), 0);
                }
                if (info.supported && strcmp(info.key, "size") != 0) {
                        assert_int_equal(value_parse(key, key->fallback, &policy, &err), 0);
                        policy_key_format(&policy, i, text, sizeof(text));
                        assert_string_equal(text, key->fallback);
                }
        }
}

static void test_every_key_is_read(void **state)
{
        (void)state;
        assert_valid("[account]\nenabled = no\ntier = jail\nrisk = normal\nservices = sshd,sudo-i\n"
                     "max_sessions = 3\nexpires = 2026-12-31\nshell = /usr/bin/zsh\n"
                     "[root]\nsource = host\nmode = readonly\n[home]\nmode = ephemeral\nsize = 64M\n"
                     "[limits]\nmemory = 2G\nswap = 1G\ncpus = 0.5\ntasks = 99\nio_read = 10M\nio_write = 5M\n"
                     "tmp = 32M\nopen_files = 128\nfile_size = 1G\nsession_time = 1h30m\nidle_time = 15m\n"
                     "[network]\nmode = none\n[kernel]\nseccomp = strict\nnested = yes\nfake_root = no\n"
                     "[environment]\nkeep = TERM,LC_*\nset = A=1 B=x\\ y C= D==\\\\z\n");
        assert_false(policy.enabled);
        assert_int_equal(policy.services.count, 2);
        assert_true(policy_allows_service(&policy, "sudo-i"));
        assert_int_equal(policy.max_sessions, 3);
        assert_int_equal(policy.expires, 1798761599);
        assert_string_equal(policy.shell, "/usr/bin/zsh");
        assert_int_equal(policy.home_mode, HOME_EPHEMERAL);
        assert_int_equal(policy.home_size, 64 * MIB);
        assert_int_equal(policy.memory, 2 * GIB);
        assert_int_equal(policy.swap, GIB);
        assert_int_equal(policy.cpus, 500);
        assert_int_equal(policy.tasks, 99);
        assert_int_equal(policy.io_read, 10 * MIB);
        assert_int_equal(policy.io_write, 5 * MIB);
        assert_int_equal(policy.tmp, 32 * MIB);
        assert_int_equal(policy.open_files, 128);
        assert_int_equal(policy.file_size, GIB);
        assert_int_equal(policy.session_time, 5400);
        assert_int_equal(policy.idle_time, 900);
        assert_int_equal(policy.seccomp, SECCOMP_STRICT);
        assert_true(policy.nested);
        assert_int_equal(policy.keep.count, 2);
        assert_int_equal(policy.set.count, 4);
        assert_string_equal(policy.set.text[1], "B=x y");
        assert_string_equal(policy.set.text[2], "C=");
        assert_string_equal(policy.set.text[3], "D==\\z");
}

static void test_layout_variants(void **state)
{
        (void)state;
        assert_valid("  [limits]  \n\tmemory=2G\t\n   # indented comment\n ; another\ntasks   =    9");
        assert_int_equal(policy.memory, 2 * GIB);
        assert_int_equal(policy.tasks, 9);
        assert_valid("[ limits ]\nmemory = 3G\n");
        assert_int_equal(policy.memory, 3 * GIB);
        assert_valid("# gr\xc3\xbc\xc3\x9f\n[limits]\n");
        assert_valid("[environment]\nkeep =\nset=\n");
        assert_int_equal(policy.keep.count, 0);
}

static void test_syntax_errors(void **state)
{
        static const struct {
                const char *text, *expected;
        } cases[] = {
                { "memory = 1G\n", "a.ini:1: \"memory = 1G\": a key before any section" },
                { "[limits\n", "a.ini:1: \"[limits\": the \"]\" of a section is missing" },
                { "[limits] # x\n", "a.ini:1: \"[limits] # x\": text behind the \"]\" of a section" },
                { "[limits]]\n", "a.ini:1: \"[limits]]\": text behind the \"]\" of a section" },
                { "[]\n", "a.ini:1: []: not a section name" },
                { "[a:b]\n", "a.ini:1: [a:b]: not a section name" },
                { "[Limits]\nmemory = 1\n", "a.ini:1: [Limits]: not a section name (names are lower case)" },
                { "[limits]\nMemory = 1G\n", "a.ini:2: [limits] Memory: not a key name (names are lower case)" },
                { "[limits]\n= 1G\n", "a.ini:2: [limits] : not a key name" },
                { "[limits]\na b = 1G\n", "a.ini:2: [limits] a b: not a key name" },
                { "[limits]\nx:y = 1G\n", "a.ini:2: [limits] x:y: not a key name" },
                { "[limits]\nmemory 1G\n", "a.ini:2: \"memory 1G\": neither [SECTION] nor KEY = VALUE nor a comment" },
                { "[limits]\n]", "a.ini:2: \"]\": neither [SECTION] nor KEY = VALUE nor a comment" },
                { "[limits]\nmemory = 1G\n[limits]\n", "a.ini:3: [limits]: given twice (first in line 1)" },
                { "[limits]\nmemory = 1G\n\nmemory = 2G\n", "a.ini:4: [limits] memory: given twice (first in line 2)" },
                { "[limits]\nmemory = 1G # x\n",
                  "a.ini:2: [limits] memory: \"#\" in a value (a comment goes on a line of its own)" },
                { "[limits]\nmemory = 1G;\n",
                  "a.ini:2: [limits] memory: \";\" in a value (a comment goes on a line of its own)" },
                { "[limits]\nmemory = \"1G\"\n",
                  "a.ini:2: [limits] memory: a quote in a value (values are written bare)" },
                { "[limits]\nmemory = '1G'\n",
                  "a.ini:2: [limits] memory: a quote in a value (values are written bare)" },
                { "[limits]\nmemory = 1\\\nG\n# x", "a.ini:2: a backslash at the end (lines cannot be continued)" },
                { "# hidden \\  \n[limits]\nmemory = 1G\n",
                  "a.ini:1: a backslash at the end (lines cannot be continued)" },
                { "\xef\xbb\xbf[limits]\n", "a.ini:1: a byte order mark (save the file without one)" },
                { "[limits]\r\nmemory = 1G\r\n", "a.ini:1: a carriage return (lines end in a line feed alone)" },
                { "# x\ry\n", "a.ini:1: a carriage return (lines end in a line feed alone)" },
                { "[limits]\nmemory = \v1G\n", "a.ini:2: a control character (byte 0x0b)" },
                { "# \x1b[2J\n", "a.ini:1: a control character (byte 0x1b)" },
                { "# \x7f\n", "a.ini:1: a control character (byte 0x7f)" },
                { "[environment]\nset = A=\xc3\xbc\n", "a.ini:2: a byte beyond ASCII (0xc3) outside of a comment" },
                { "[limits]\nmemory\xa0= 1G\n", "a.ini:2: a byte beyond ASCII (0xa0) outside of a comment" },
        };

        (void)state;
        for (size_t i = 0; i < COUNT(cases); i++)
                if (strstr(cases[i].text, "1\\\nG") == NULL)
                        assert_refused(cases[i].text, cases[i].expected);
        assert_int_equal(load("[limits]\nmemory = 1\\\nG\n"), -EINVAL);
        assert_string_equal(report.issues[0].text, "a backslash at the end (lines cannot be continued)");
}

static void test_nul_does_not_hide(void **state)
{
        static const char inside[] = "[limits]\nmemory = 1G\0tasks = 9\n";
        static const char comment[] = "# a\0b\n[limits]\nmemory = 2G\n";

        (void)state;
        assert_refused_bytes(inside, sizeof(inside) - 1, "a.ini:2: a control character (byte 0x00)");
        assert_refused_bytes(comment, sizeof(comment) - 1, "a.ini:1: a control character (byte 0x00)");
        assert_refused_bytes("\0", 1, "a.ini:1: a control character (byte 0x00)");
}

static void test_line_length(void **state)
{
        char text[1100], *end;

        (void)state;
        memset(text, 'x', sizeof(text));
        text[0] = '#';
        text[1000] = '\n';
        text[1001] = '\0';
        assert_valid(text);
        text[1000] = 'x';
        text[1001] = '\n';
        text[1002] = '\0';
        assert_refused(text, "a.ini:1: the line is longer than 1000 bytes");
        memset(text, ' ', sizeof(text));
        end = stpcpy(text, "[limits]\nmemory = 1G");
        *end = ' ';
        text[1050] = '\0';
        assert_refused(text, "a.ini:2: the line is longer than 1000 bytes");
}

static void test_size_of_file_and_entries(void **state)
{
        static char text[POLICY_FILE_SIZE_MAX + 2];
        size_t used = 0;

        (void)state;
        for (size_t i = 0; i < sizeof(text); i++)
                text[i] = i % 100 == 99 ? '\n' : '#';
        assert_int_equal(load_bytes(text, POLICY_FILE_SIZE_MAX), 0);
        assert_refused_bytes(text, POLICY_FILE_SIZE_MAX + 1, "a.ini: the file is larger than 65536 bytes");
        used += (size_t)snprintf(text, sizeof(text), "[x]\n");
        for (int i = 0; i < 600; i++)
                used += (size_t)snprintf(text + used, sizeof(text) - used, "k%d=\n", i);
        assert_int_equal(load_bytes(text, used), -EINVAL);
        assert_string_equal(report.issues[0].text, "more than 512 sections and keys");
}

static void test_unknown_names(void **state)
{
        static const struct {
                const char *text, *expected;
        } cases[] = {
                { "[limits]\nmemroy = 1G\n", "a.ini:2: [limits] memroy: no such key (did you mean memory?)" },
                { "[limits]\ntask = 9\n", "a.ini:2: [limits] task: no such key (did you mean tasks?)" },
                { "[limits]\nwhatever = 9\n", "a.ini:2: [limits] whatever: no such key" },
                { "[account]\nmemory = 1G\n", "a.ini:2: [account] memory: no such key (it belongs to [limits])" },
                { "[limts]\nmemory = 1G\n", "a.ini:1: [limts]: no such section (did you mean [limits]?)" },
                { "[bnid x]\nsource = /\n", "a.ini:1: [bnid x]: no such section" },
                { "[quotas]\nmemory = 1G\n", "a.ini:1: [quotas]: no such section" },
                { "[account]\ntier = jial\n",
                  "a.ini:2: [account] tier: \"jial\" is no value of it (did you mean jail?)" },
                { "[account]\ntier = x\n",
                  "a.ini:2: [account] tier: \"x\" is no value of it (supported: chroot, jail, vm)" },
                { "[kernel]\nnested = yess\n",
                  "a.ini:2: [kernel] nested: \"yess\" is neither yes nor no (did you mean yes?)" },
                { "[kernel]\nnested = maybe\n", "a.ini:2: [kernel] nested: \"maybe\" is neither yes nor no" },
                { "[kernel]\nnested = Yes\n",
                  "a.ini:2: [kernel] nested: \"Yes\" is neither yes nor no (did you mean yes?)" },
        };

        (void)state;
        for (size_t i = 0; i < COUNT(cases); i++)
                assert_refused(cases[i].text, cases[i].expected);
}

static void test_cross_checks(void **state)
{
        (void)state;
        assert_refused("[kernel]\nnested = yes\nfake_root = yes\n",
                       "a.ini:3: [kernel] fake_root: cannot be combined with nested = yes");
        assert_valid("[account]\ntier = chroot\n[kernel]\nseccomp = strict\n");
        assert_int_equal(policy.tier, TIER_CHROOT);
        assert_refused("[account]\ntier = chroot\n[kernel]\nnested = yes\n",
                       "a.ini:4: [kernel] nested: needs a user namespace, which the tier chroot does not have (set "
                       "tier = jail)");
        assert_refused("[kernel]\nfake_root = yes\n[account]\ntier = chroot\n",
                       "a.ini:2: [kernel] fake_root: needs a user namespace, which the tier chroot does not have "
                       "(set tier = jail)");
        assert_refused("[home]\nmode = ephemeral\nsize = 0\n", "a.ini:3: [home] size: an ephemeral home needs a size");
        assert_int_equal(load("[home]\nmode = ephemeral\nsize = 2G\n"), 0);
        assert_true(report.issues[0].warning);
        assert_string_equal(report.issues[0].text, "[home] size: 2G is more than memory = 1G, which it counts against");
        assert_int_equal(load("[limits]\nmemory = 64M\n"), 0);
        assert_int_equal(report.issues[0].line, 2);
        assert_string_equal(report.issues[0].text,
                            "[limits] tmp: 256M is more than memory = 64M, which it counts against");
        assert_int_equal(load("[limits]\nsession_time = 1h\nidle_time = 2h\n"), 0);
        assert_int_equal(report.errors, 0);
        assert_string_equal(report.issues[0].text, "[limits] idle_time: never reached, session_time is shorter");
        assert_valid("[limits]\nsession_time = 0\nidle_time = 2h\n");
        assert_valid("[account]\nsshd = strict\n");
        assert_int_equal(load("[account]\nsshd = any\n"), 0);
        assert_int_equal(report.errors, 0);
        assert_non_null(strstr(report.issues[0].text, "sshd's own configuration"));
}

static void test_inherits_in_a_text(void **state)
{
        (void)state;
        assert_int_equal(load("[account]\ninherits = coder\n"), 0);
        assert_true(report.issues[0].warning);
        assert_string_equal(policy.inherits, "coder");
}

static void test_all_errors_at_once(void **state)
{
        struct error err = ERROR_INIT;
        const char *text = "[account]\nteir = jail\n[limts]\nx = 1\n[limits]\nmemory = 1Q\nmemory = 2G\n";

        (void)state;
        assert_int_equal(policy_load_text(text, strlen(text), "a.ini", "agent01", &policy, &report, &err), -EINVAL);
        assert_int_equal(report.errors, 4);
        assert_string_equal(err.text, "a.ini:7: [limits] memory: given twice (first in line 6) (and 3 more)");
        assert_int_equal(report.issues[1].line, 2);
        assert_int_equal(report.issues[2].line, 3);
        assert_int_equal(report.issues[3].line, 6);
}

static void test_more_issues_than_fit(void **state)
{
        char text[2000] = "[limits]\n";
        size_t used = strlen(text);

        (void)state;
        for (int i = 0; i < 100; i++)
                used += (size_t)snprintf(text + used, sizeof(text) - used, "zz%d = 1\n", i);
        assert_int_equal(load(text), -EINVAL);
        assert_int_equal(report.count, POLICY_ISSUES_MAX);
        assert_int_equal(report.more, 100 - POLICY_ISSUES_MAX);
        assert_int_equal(report.errors, 100);
}

static void test_bad_account_name(void **state)
{
        struct error err = ERROR_INIT;

        (void)state;
        assert_int_equal(policy_load_text("", 0, "a.ini", "../root", &policy, &report, &err), -EINVAL);
        assert_string_equal(err.text, "cannot load a policy: \"../root\" is not a name ([a-z_][a-z0-9_.-]*)");
        assert_int_equal(policy_load_text("", 0, "a.ini", "", &policy, &report, NULL), -EINVAL);
}

static void test_edit_distance(void **state)
{
        (void)state;
        assert_int_equal(edit_distance("memory", "memory"), 0);
        assert_int_equal(edit_distance("memroy", "memory"), 1);
        assert_int_equal(edit_distance("", "abc"), 3);
        assert_int_equal(edit_distance("kitten", "sitting"), 3);
        assert_int_equal(edit_distance("a123456789a123456789a123456789a123456789a123456789a123456789abcd", "a"),
                         SIZE_MAX);
}

static void test_tier_names(void **state)
{
        (void)state;
        assert_string_equal(policy_tier_name(TIER_JAIL), "jail");
        assert_string_equal(policy_tier_name(TIER_CLOUD), "cloud");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_empty_is_all_defaults),
                cmocka_unit_test(test_default_limits),
                cmocka_unit_test(test_table_is_consistent),
                cmocka_unit_test(test_every_key_is_read),
                cmocka_unit_test(test_layout_variants),
                cmocka_unit_test(test_syntax_errors),
                cmocka_unit_test(test_nul_does_not_hide),
                cmocka_unit_test(test_line_length),
                cmocka_unit_test(test_size_of_file_and_entries),
                cmocka_unit_test(test_unknown_names),
                cmocka_unit_test(test_cross_checks),
                cmocka_unit_test(test_inherits_in_a_text),
                cmocka_unit_test(test_all_errors_at_once),
                cmocka_unit_test(test_more_issues_than_fit),
                cmocka_unit_test(test_bad_account_name),
                cmocka_unit_test(test_edit_distance),
                cmocka_unit_test(test_tier_names),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
