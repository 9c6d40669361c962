/* test_policy_files.c - the policy loader on files: order, templates, origins, and files that must not be believed. */
#include "common/cleanup.h"
#include "common/fd.h"
#include "policy/load.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define OTHER_UID 65534

static struct policy policy;
static struct policy_report report;
static struct policy_origin origins[POLICY_KEYS];
static struct error error;

struct tree {
        char path[64];
        int fd;
};

/* Files that others own cannot be made without root, and root's are what the loader wants. */
static struct tree *tree_of(void **state)
{
        if (*state == NULL) {
                print_message("needs root\n");
                skip();
        }
        return *state;
}

static int make_tree(void **state)
{
        struct tree *tree = calloc(1, sizeof(*tree));

        *state = NULL;
        if (tree == NULL || geteuid() != 0) {
                free(tree);
                return 0;
        }
        (void)umask(022);
        (void)snprintf(tree->path, sizeof(tree->path), "/tmp/test_policy.XXXXXX");
        if (mkdtemp(tree->path) == NULL)
                return -1;
        tree->fd = open(tree->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        *state = tree;
        return tree->fd < 0 || mkdirat(tree->fd, "accounts", 0755) < 0 || mkdirat(tree->fd, "templates", 0755) < 0;
}

static int remove_tree(void **state)
{
        /* /tmp may be a mount of its own, into which no removal goes from outside. */
        int tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC), r;
        struct tree *tree = *state;

        if (tree == NULL)
                return 0;
        r = fd_remove_tree(tmp, tree->path + strlen("/tmp/"), &error);
        (void)close(tmp);
        (void)close(tree->fd);
        free(tree);
        return r;
}

static void put(const struct tree *tree, const char *name, const char *text)
{
        cleanup_close int fd = openat(tree->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

        assert_true(fd >= 0);
        assert_int_equal(fd_write_all(fd, text, strlen(text), name, &error), 0);
}

static int load(const struct tree *tree)
{
        error = (struct error)ERROR_INIT;
        return policy_load(tree->fd, "agent01", &policy, &report, origins, &error);
}

static void assert_issue(const struct tree *tree, const char *expected)
{
        char line[512] = "nothing";
        int r = load(tree);

        if (report.count > 0)
                policy_issue_format(&report.issues[0], line, sizeof(line));
        assert_string_equal(line, expected);
        assert_int_equal(r, -EINVAL);
        assert_int_equal(report.errors, 1);
        assert_string_equal(error.text, expected);
}

static void assert_origin(size_t index, const char *file, unsigned line)
{
        assert_string_equal(origins[index].file, file);
        assert_int_equal(origins[index].line, line);
}

static void test_empty_account(void **state)
{
        struct tree *tree = tree_of(state);

        put(tree, "accounts/agent01.ini", "");
        assert_int_equal(load(tree), 0);
        assert_int_equal(policy.memory, UINT64_C(1) << 30);
        for (size_t i = 0; i < POLICY_KEYS; i++)
                assert_origin(i, "", 0);
}

static void test_no_account_file(void **state)
{
        struct tree *tree = tree_of(state);

        assert_int_equal(load(tree), -ENOENT);
        assert_string_equal(error.text, "agent01 has no policy: accounts/agent01.ini does not exist");
        assert_int_equal(report.errors, 1);
        assert_int_equal(unlinkat(tree->fd, "accounts", AT_REMOVEDIR), 0);
        assert_int_equal(load(tree), -ENOENT);
}

static void test_order_and_origins(void **state)
{
        struct tree *tree = tree_of(state);

        put(tree, "agentsh.ini", "[limits]\nmemory = 2G\ntasks = 100\ncpus = 2\n\nswap = 1G\n");
        put(tree, "templates/base.ini", "[limits]\nmemory = 3G\ntasks = 101\ncpus = 3\n");
        put(tree, "templates/coder.ini", "[account]\ninherits = base\n[limits]\nmemory = 4G\ntasks = 102\n");
        put(tree, "accounts/agent01.ini", "# x\n[account]\ninherits = coder\n[limits]\nmemory = 5G\n");
        assert_int_equal(load(tree), 0);
        assert_int_equal(policy.memory, UINT64_C(5) << 30);
        assert_int_equal(policy.tasks, 102);
        assert_int_equal(policy.cpus, 3000);
        assert_int_equal(policy.swap, UINT64_C(1) << 30);
        assert_string_equal(policy.inherits, "coder");
        assert_origin(KEY_limits_memory, "accounts/agent01.ini", 5);
        assert_origin(KEY_limits_tasks, "templates/coder.ini", 5);
        assert_origin(KEY_limits_cpus, "templates/base.ini", 4);
        assert_origin(KEY_limits_swap, "agentsh.ini", 6);
        assert_origin(KEY_limits_tmp, "", 0);
        assert_origin(KEY_account_inherits, "accounts/agent01.ini", 3);
}

static void test_lists_are_replaced(void **state)
{
        struct tree *tree = tree_of(state);

        put(tree, "agentsh.ini", "[account]\nservices = sshd su su-l\n[environment]\nset = A=1 B=2\n");
        put(tree, "accounts/agent01.ini", "[account]\nservices = login\n[environment]\nset = C=3\n");
        assert_int_equal(load(tree), 0);
        assert_int_equal(policy.services.count, 1);
        assert_false(policy_allows_service(&policy, "sshd"));
        assert_int_equal(policy.set.count, 1);
        assert_string_equal(policy.set.text[0], "C=3");
}

static void test_template_errors(void **state)
{
        struct tree *tree = tree_of(state);

        put(tree, "accounts/agent01.ini", "[account]\ninherits = nosuch\n");
        assert_issue(tree, "accounts/agent01.ini:2: [account] inherits: no such template (templates/nosuch.ini)");
        put(tree, "accounts/agent01.ini", "[account]\ninherits = a\n");
        put(tree, "templates/a.ini", "[account]\ninherits = b\n");
        put(tree, "templates/b.ini", "[account]\n\ninherits = a\n");
        assert_issue(tree, "templates/b.ini:3: [account] inherits: a inherits from itself in the end");
        put(tree, "templates/b.ini", "[limits]\nmemroy = 1G\n");
        assert_issue(tree, "templates/b.ini:2: [limits] memroy: no such key (did you mean memory?)");
        put(tree, "templates/b.ini", "");
        put(tree, "agentsh.ini", "[account]\ninherits = a\n");
        assert_issue(tree, "agentsh.ini:2: [account] inherits: belongs to an account's file or a template");
}

static void test_template_depth(void **state)
{
        struct tree *tree = tree_of(state);
        char name[64], text[64];

        put(tree, "accounts/agent01.ini", "[account]\ninherits = t1\n");
        for (int i = 1; i <= 9; i++) {
                (void)snprintf(name, sizeof(name), "templates/t%d.ini", i);
                (void)snprintf(text, sizeof(text), "[account]\ninherits = t%d\n", i + 1);
                put(tree, name, i == 8 ? "" : text);
        }
        assert_int_equal(load(tree), 0);
        put(tree, "templates/t8.ini", "[account]\ninherits = t9\n");
        assert_issue(tree, "templates/t8.ini:2: [account] inherits: more than 8 templates in a row");
}

static void test_errors_of_all_files(void **state)
{
        struct tree *tree = tree_of(state);

        put(tree, "agentsh.ini", "[limits]\nmemory = 1Q\n");
        put(tree, "templates/a.ini", "[limit]\n");
        put(tree, "accounts/agent01.ini", "[account]\ninherits = a\nteir = jail\n[limits]\nmemory = 1G\n");
        assert_int_equal(load(tree), -EINVAL);
        assert_int_equal(report.errors, 3);
        assert_string_equal(report.issues[0].file, "agentsh.ini");
        assert_string_equal(report.issues[1].file, "templates/a.ini");
        assert_string_equal(report.issues[2].file, "accounts/agent01.ini");
}

static void test_owner_and_mode(void **state)
{
        struct tree *tree = tree_of(state);
        static const struct {
                const char *name, *text;
        } places[] = {
                { "agentsh.ini", "agentsh.ini: the file" },
                { "templates/a.ini", "templates/a.ini: the file" },
                { "accounts/agent01.ini", "accounts/agent01.ini: the file" },
                { "templates", "templates/a.ini: the directory" },
                { "accounts", "accounts/agent01.ini: the directory" },
                { ".", "configuration: the configuration directory" },
        };
        static const mode_t modes[] = { 0664, 0646, 0666 };
        char expected[256];

        put(tree, "agentsh.ini", "");
        put(tree, "templates/a.ini", "");
        put(tree, "accounts/agent01.ini", "[account]\ninherits = a\n");
        assert_int_equal(load(tree), 0);
        for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
                mode_t execute = strstr(places[i].text, "directory") != NULL ? 0111 : 0;

                (void)snprintf(expected, sizeof(expected),
                               "%s belongs to uid %d, not to root (remedy: chown root, "
                               "chmod go-w, no further link)",
                               places[i].text, OTHER_UID);
                assert_int_equal(fchownat(tree->fd, places[i].name, OTHER_UID, (gid_t)-1, 0), 0);
                assert_issue(tree, expected);
                assert_int_equal(fchownat(tree->fd, places[i].name, 0, (gid_t)-1, 0), 0);
                for (size_t j = 0; j < sizeof(modes) / sizeof(modes[0]); j++) {
                        mode_t mode = modes[j] | execute;

                        (void)snprintf(expected, sizeof(expected),
                                       "%s is writable by group or others (mode %04o) "
                                       "(remedy: chown root, chmod go-w, no further link)",
                                       places[i].text, (unsigned)mode);
                        assert_int_equal(fchmodat(tree->fd, places[i].name, mode, 0), 0);
                        assert_issue(tree, expected);
                }
                assert_int_equal(fchmodat(tree->fd, places[i].name, 0644 | execute, 0), 0);
                assert_int_equal(load(tree), 0);
        }
}

static void test_links(void **state)
{
        struct tree *tree = tree_of(state);

        put(tree, "real", "");
        assert_int_equal(symlinkat("../real", tree->fd, "accounts/agent01.ini"), 0);
        assert_issue(tree, "accounts/agent01.ini: cannot open agent01.ini: Too many levels of symbolic links");
        assert_int_equal(unlinkat(tree->fd, "accounts/agent01.ini", 0), 0);
        put(tree, "accounts/agent01.ini", "");
        assert_int_equal(linkat(tree->fd, "accounts/agent01.ini", tree->fd, "other", 0), 0);
        assert_issue(tree, "accounts/agent01.ini: the file has 2 hard links, not one (remedy: chown root, chmod "
                           "go-w, no further link)");
        assert_int_equal(unlinkat(tree->fd, "other", 0), 0);
        assert_int_equal(symlinkat("nowhere", tree->fd, "agentsh.ini"), 0);
        assert_issue(tree, "agentsh.ini: cannot open agentsh.ini: Too many levels of symbolic links");
        assert_int_equal(unlinkat(tree->fd, "agentsh.ini", 0), 0);
        assert_int_equal(load(tree), 0);
}

/* The directory that was checked at the door is replaced by a link to one that looks right. */
static void test_swapped_directory(void **state)
{
        struct tree *tree = tree_of(state);

        put(tree, "accounts/agent01.ini", "");
        assert_int_equal(renameat(tree->fd, "accounts", tree->fd, "moved"), 0);
        assert_int_equal(symlinkat("moved", tree->fd, "accounts"), 0);
        assert_int_equal(load(tree), -EINVAL);
        assert_string_equal(report.issues[0].file, "accounts/agent01.ini");
        assert_int_equal(unlinkat(tree->fd, "accounts", 0), 0);
        put(tree, "accounts", "");
        assert_issue(tree, "accounts/agent01.ini: cannot open accounts: Not a directory");
}

static void test_special_files(void **state)
{
        struct tree *tree = tree_of(state);

        assert_int_equal(mkfifoat(tree->fd, "accounts/agent01.ini", 0644), 0);
        assert_issue(tree, "accounts/agent01.ini: the file is not a regular file");
        assert_int_equal(unlinkat(tree->fd, "accounts/agent01.ini", 0), 0);
        assert_int_equal(mkdirat(tree->fd, "accounts/agent01.ini", 0755), 0);
        assert_issue(tree, "accounts/agent01.ini: the file is not a regular file");
        assert_int_equal(unlinkat(tree->fd, "accounts/agent01.ini", AT_REMOVEDIR), 0);
        put(tree, "accounts/agent01.ini", "");
        assert_int_equal(mkdirat(tree->fd, "agentsh.ini", 0755), 0);
        assert_issue(tree, "agentsh.ini: the file is not a regular file");
}

static void test_size_limit(void **state)
{
        struct tree *tree = tree_of(state);
        static char text[POLICY_FILE_SIZE_MAX + 2];

        for (size_t i = 0; i < POLICY_FILE_SIZE_MAX + 1; i++)
                text[i] = i % 64 == 63 ? '\n' : ';';
        put(tree, "accounts/agent01.ini", text);
        assert_issue(tree, "accounts/agent01.ini: the file is larger than 65536 bytes");
        text[POLICY_FILE_SIZE_MAX] = '\0';
        put(tree, "accounts/agent01.ini", text);
        assert_int_equal(load(tree), 0);
}

static void test_no_fd_leaks(void **state)
{
        struct tree *tree = tree_of(state);
        int before = dup(0);

        assert_true(before >= 0);
        (void)close(before);
        put(tree, "accounts/agent01.ini", "[account]\ninherits = a\n");
        put(tree, "templates/a.ini", "[x]\n");
        for (int i = 0; i < 50; i++)
                assert_int_equal(load(tree), -EINVAL);
        assert_int_equal(load(tree), -EINVAL);
        assert_int_equal(dup(0), before);
        (void)close(before);
}

static void test_quiet(void **state)
{
        struct tree *tree = tree_of(state);
        cleanup_close int saved = dup(2);
        cleanup_close int file = openat(tree->fd, "stderr", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        struct stat st;

        assert_true(saved >= 0 && file >= 0);
        put(tree, "accounts/agent01.ini", "[limits]\nnonsense\n[\n=\n");
        assert_int_equal(dup2(file, 2), 2);
        assert_int_equal(load(tree), -EINVAL);
        assert_int_equal(dup2(saved, 2), 2);
        assert_int_equal(fstat(file, &st), 0);
        assert_int_equal(st.st_size, 0);
}

static void copy_shipped(const struct tree *tree, const char *from, const char *to)
{
        static char text[POLICY_FILE_SIZE_MAX];
        cleanup_close int fd = open(from, O_RDONLY | O_CLOEXEC);
        ssize_t size;

        if (fd < 0) {
                print_message("needs %s: run from the top of the tree\n", from);
                skip();
        }
        size = read(fd, text, sizeof(text) - 1);
        assert_true(size > 0);
        text[size] = '\0';
        put(tree, to, text);
}

static void test_shipped_files(void **state)
{
        struct tree *tree = tree_of(state);
        static const char *const accounts[] = {
                "",
                "[account]\ninherits = coder\n",
                "[account]\ninherits = build\n",
                "[account]\ninherits = locked-down\n",
        };

        copy_shipped(tree, "etc/agentsh.ini", "agentsh.ini");
        copy_shipped(tree, "etc/templates/coder.ini", "templates/coder.ini");
        copy_shipped(tree, "etc/templates/build.ini", "templates/build.ini");
        copy_shipped(tree, "etc/templates/locked-down.ini", "templates/locked-down.ini");
        for (size_t i = 0; i < sizeof(accounts) / sizeof(accounts[0]); i++) {
                put(tree, "accounts/agent01.ini", accounts[i]);
                assert_int_equal(load(tree), 0);
                assert_int_equal(report.count, 0);
        }
        copy_shipped(tree, "etc/accounts/example.ini.txt", "accounts/agent01.ini");
        assert_int_equal(load(tree), 0);
        assert_int_equal(report.count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_tree, remove_tree)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_empty_account),       TEST(test_no_account_file), TEST(test_order_and_origins),
                TEST(test_lists_are_replaced),  TEST(test_template_errors), TEST(test_template_depth),
                TEST(test_errors_of_all_files), TEST(test_owner_and_mode),  TEST(test_links),
                TEST(test_swapped_directory),   TEST(test_special_files),   TEST(test_size_limit),
                TEST(test_no_fd_leaks),         TEST(test_quiet),           TEST(test_shipped_files),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
