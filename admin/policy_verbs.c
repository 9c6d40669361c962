/* policy_verbs.c - agentshctl policy check and policy explain. Needs the right to read the policy files only. */
#include "admin/output.h"
#include "admin/places.h"
#include "admin/policy_report.h"
#include "admin/verb.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/paths.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define VALUE_MAX_SHOWN 8192

/* Where `policy check` puts its findings: lines at once, or members of one JSON array. */
struct check {
        bool as_json;
        struct json json;
        bool failed;
};

static void show_checked(struct check *check, const char *subject, const struct policy_report *report)
{
        if (report->errors > 0)
                check->failed = true;
        if (check->as_json) {
                json_begin_object(&check->json, NULL);
                json_string(&check->json, "policy", subject);
                json_bool(&check->json, "valid", report->errors == 0);
                policy_report_json(report, &check->json, "issues");
                json_end_object(&check->json);
                return;
        }
        policy_report_print(report, stdout);
        (void)printf("%s: %s\n", subject, report->errors == 0 ? "valid" : "not valid");
}

static int check_account(int config_fd, const char *account, struct check *check)
{
        struct policy_report report;
        struct policy policy;

        (void)!policy_report_load(config_fd, account, &policy, &report, NULL);
        show_checked(check, account, &report);
        return 0;
}

static int check_all(int config_fd, struct check *check, struct error *err)
{
        cleanup_close int accounts = places_open_config_subdir(config_fd, "accounts", false, err);
        cleanup_name_list struct name_list files = { 0 };
        int r;

        if (accounts < 0)
                return accounts;
        r = places_list(accounts, NULL, &files, err);
        for (int i = 0; r == 0 && i < files.count; i++) {
                char account[ACCOUNT_NAME_MAX + 1];

                if (places_account_of_file(files.entry[i]->d_name, account))
                        r = check_account(config_fd, account, check);
                else
                        output_note(AGENTSH_ACCOUNTS_DIR "/%s is not looked at: its name is no account's",
                                    files.entry[i]->d_name);
        }
        return r;
}

/* The account that a file would be of: its base name, where that can be one. */
static void guess_account(const char *path, char *ret)
{
        const char *slash = strrchr(path, '/');

        if (!places_account_of_file(slash != NULL ? slash + 1 : path, ret))
                (void)snprintf(ret, ACCOUNT_NAME_MAX + 1, "agent");
}

static int check_file(const char *path, struct check *check, struct error *err)
{
        cleanup_close int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        cleanup_free char *text = NULL;
        struct policy_report report = { 0 };
        char account[ACCOUNT_NAME_MAX + 1];
        struct policy policy;
        size_t size;
        int r;

        if (fd < 0)
                return error_errno(err, errno, "cannot open %s", path);
        r = fd_read_all(fd, POLICY_FILE_SIZE_MAX, &text, &size, err);
        if (r < 0)
                return error_prefix(err, "%s", path);
        guess_account(path, account);
        r = policy_load_text(text, size, path, account, &policy, &report, err);
        if (r < 0 && report.errors == 0)
                return r;
        show_checked(check, path, &report);
        return 0;
}

static bool is_file_operand(const char *operand)
{
        size_t length = strlen(operand);

        return strchr(operand, '/') != NULL || (length > 4 && strcmp(operand + length - 4, ".ini") == 0);
}

/* The path of an account's file in place means that account: only then do its template and the defaults count. */
static bool is_file_in_place(const char *operand, char *ret_account)
{
        size_t length = strlen(AGENTSH_ACCOUNTS_DIR);

        return strncmp(operand, AGENTSH_ACCOUNTS_DIR "/", length + 1) == 0 &&
               strchr(operand + length + 1, '/') == NULL && places_account_of_file(operand + length + 1, ret_account);
}

static int check_operand(const char *operand, struct check *check, struct error *err)
{
        cleanup_close int config = -EBADF;
        char account[ACCOUNT_NAME_MAX + 1];
        int r;

        if (operand != NULL && is_file_operand(operand)) {
                if (!is_file_in_place(operand, account))
                        return check_file(operand, check, err);
                operand = account;
        }
        config = places_open_config(err);
        if (config < 0)
                return config;
        if (operand == NULL)
                return check_all(config, check, err);
        r = parse_account_name(operand, err);
        return r < 0 ? r : check_account(config, operand, check);
}

int verb_policy_check(int argc, char **argv)
{
        struct check check = { .json = { .stream = stdout } };
        struct error err = ERROR_INIT;
        int r;

        if (parse_json_option(argc, argv, 0, 1, &check.as_json) != VERB_OK)
                return VERB_USAGE;
        if (check.as_json)
                json_begin_array(&check.json, NULL);
        r = check_operand(argv[optind], &check, &err);
        if (check.as_json) {
                json_end_array(&check.json);
                (void)putchar('\n');
        }
        if (r < 0)
                return output_error(&err);
        return finish_output(check.failed ? VERB_FAILED : VERB_OK);
}

static void format_origin(const struct policy_origin *origin, char *ret, size_t size)
{
        if (origin->file[0] == '\0')
                (void)snprintf(ret, size, "default");
        else
                (void)snprintf(ret, size, "%s:%u", origin->file, origin->line);
}

static int explain_text(const struct policy *policy, const struct policy_origin *origins, struct error *err)
{
        static const char *const HEADINGS[] = { "KEY", "VALUE", "FROM" };
        cleanup_table struct table table;

        table_begin(&table, HEADINGS, 3);
        for (size_t i = 0; i < policy_key_count(); i++) {
                struct policy_key_info info;
                char value[VALUE_MAX_SHOWN], text[256];

                policy_key_describe(i, &info);
                if (!info.supported)
                        continue;
                (void)snprintf(text, sizeof(text), "[%s] %s", info.section, info.key);
                table_cell(&table, text);
                policy_key_format(policy, i, value, sizeof(value));
                table_cell(&table, value);
                format_origin(&origins[i], text, sizeof(text));
                table_cell(&table, text);
        }
        return table_print(&table, stdout, err);
}

static void explain_json(const struct policy *policy, const struct policy_origin *origins)
{
        struct json json = { .stream = stdout };

        json_begin_array(&json, NULL);
        for (size_t i = 0; i < policy_key_count(); i++) {
                struct policy_key_info info;
                char value[VALUE_MAX_SHOWN];

                policy_key_describe(i, &info);
                if (!info.supported)
                        continue;
                policy_key_format(policy, i, value, sizeof(value));
                json_begin_object(&json, NULL);
                json_string(&json, "section", info.section);
                json_string(&json, "key", info.key);
                json_string(&json, "value", value);
                json_string(&json, "file", origins[i].file[0] != '\0' ? origins[i].file : NULL);
                json_number(&json, "line", origins[i].line);
                json_end_object(&json);
        }
        json_end_array(&json);
        (void)putchar('\n');
}

static int explain(const char *account, bool as_json, struct error *err)
{
        cleanup_close int config = -EBADF;
        cleanup_free struct policy_origin *origins = calloc(policy_key_count(), sizeof(*origins));
        struct policy_report report = { 0 };
        struct policy policy;
        int r;

        if (origins == NULL)
                return error_errno(err, ENOMEM, "cannot explain the policy");
        r = parse_account_name(account, err);
        if (r < 0)
                return r;
        config = places_open_config(err);
        if (config < 0)
                return config;
        if (policy_report_load(config, account, &policy, &report, origins) < 0) {
                policy_report_print(&report, stderr);
                return error_text(err, EINVAL, "the policy of %s is not valid: nothing holds, every login is refused",
                                  account);
        }
        if (as_json)
                explain_json(&policy, origins);
        return as_json ? 0 : explain_text(&policy, origins, err);
}

int verb_policy_explain(int argc, char **argv)
{
        struct error err = ERROR_INIT;
        bool as_json;

        if (parse_json_option(argc, argv, 1, 1, &as_json) != VERB_OK)
                return VERB_USAGE;
        if (explain(argv[optind], as_json, &err) < 0)
                return output_error(&err);
        return finish_output(VERB_OK);
}
