/* names.c - the lists: services, variables to keep, variables to set, paths. Pure. */
#include "policy/value.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* These run a command as the account without its login shell, so outside of any isolation. */
static const char *const unconfined_services[] = { "at", "atd", "cron", "crond", "sudo", "systemd-user" };

/*
 * What a caller may not choose: it makes programs load or run something, or is set by agentsh itself. A '*' at the end
 * stands for any rest.
 */
static const char *const never_kept[] = {
        "LD_*",
        "GLIBC_TUNABLES",
        "GCONV_PATH",
        "NLSPATH",
        "LOCPATH",
        "BASH_ENV",
        "BASH_FUNC_*",
        "ENV",
        "SHELLOPTS",
        "BASHOPTS",
        "PERL5*",
        "PERLLIB",
        "PYTHON*",
        "RUBYLIB",
        "RUBYOPT",
        "NODE_OPTIONS",
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "IFS",
        "PS4",
        "AGENTSH_*",
        "PROMPT_COMMAND",
};
static const char *const never_set[] = { "LD_*", "AGENTSH_*" };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool is_variable_byte(char c)
{
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/* Length of the variable name at `text`; 0 when there is none. */
static size_t variable_length(const char *text)
{
        size_t length = 0;

        if (*text >= '0' && *text <= '9')
                return 0;
        while (is_variable_byte(text[length]))
                length++;
        return length;
}

/* Whether some name fits both patterns. */
static bool overlap(const char *a, const char *b)
{
        while (*a != '\0' && *a == *b) {
                a++;
                b++;
        }
        return *a == *b || *a == '*' || *b == '*';
}

static const char *find_overlap(const char *pattern, const char *const *list, size_t count)
{
        for (size_t i = 0; i < count; i++)
                if (overlap(pattern, list[i]))
                        return list[i];
        return NULL;
}

static bool is_separator(char c)
{
        return c == ' ' || c == '\t' || c == ',';
}

/* Take the next name of a list at *text. 1 with a name in `ret`, 0 at the end. */
static int next_name(const char **text, char ret[POLICY_NAME_MAX], struct error *err)
{
        size_t length = 0;

        while (is_separator(**text))
                (*text)++;
        while ((*text)[length] != '\0' && !is_separator((*text)[length]))
                length++;
        if (length >= POLICY_NAME_MAX)
                return error_text(err, EINVAL, "a name is longer than %d bytes", POLICY_NAME_MAX - 1);
        memcpy(ret, *text, length);
        ret[length] = '\0';
        *text += length;
        return length > 0;
}

static int add_name(struct policy_names *names, const char *name, struct error *err)
{
        for (size_t i = 0; i < names->count; i++)
                if (strcmp(names->name[i], name) == 0)
                        return error_text(err, EINVAL, "%s is listed twice", name);
        if (names->count == POLICY_LIST_MAX)
                return error_text(err, E2BIG, "more than %d names", POLICY_LIST_MAX);
        (void)snprintf(names->name[names->count++], POLICY_NAME_MAX, "%s", name);
        return 0;
}

static int check_service(const char *name, struct error *err)
{
        int r = parse_account_name(name, err);

        if (r < 0)
                return r;
        for (size_t i = 0; i < COUNT(unconfined_services); i++)
                if (strcmp(name, unconfined_services[i]) == 0)
                        return error_text(err, EPERM,
                                          "%s cannot be allowed: it runs commands without the login shell%s", name,
                                          strcmp(name, "sudo") == 0 ? " (for sudo -i list sudo-i)" : "");
        return 0;
}

static int check_keep(const char *name, struct error *err)
{
        size_t length = variable_length(name);
        const char *dangerous;

        if (strcmp(name, "*") == 0)
                return error_text(err, EPERM, "* would keep everything (name the variables)");
        if (length == 0 || (strcmp(name + length, "*") != 0 && name[length] != '\0'))
                return error_text(err, EINVAL, "\"%s\" is not a variable name, nor one with a * at its end", name);
        dangerous = find_overlap(name, never_kept, COUNT(never_kept));
        if (dangerous == NULL)
                return 0;
        if (strcmp(name, dangerous) == 0)
                return error_text(err, EPERM, "%s cannot be taken from the caller", name);
        return error_text(err, EPERM, "%s cannot be taken from the caller (it covers %s)", name, dangerous);
}

static int parse_names(const char *text, int (*check)(const char *name, struct error *err), struct policy_names *ret,
                       struct error *err)
{
        char name[POLICY_NAME_MAX] = "";
        int r;

        ret->count = 0;
        while ((r = next_name(&text, name, err)) > 0) {
                r = check(name, err);
                if (r < 0)
                        return r;
                r = add_name(ret, name, err);
                if (r < 0)
                        return r;
        }
        return r;
}

int names_parse_services(const char *text, struct policy_names *ret, struct error *err)
{
        int r = parse_names(text, check_service, ret, err);

        if (r < 0)
                return r;
        if (ret->count == 0)
                return error_text(err, EINVAL, "no service is named (enabled = no closes an account)");
        return 0;
}

int names_parse_keep(const char *text, struct policy_names *ret, struct error *err)
{
        return parse_names(text, check_keep, ret, err);
}

/* Take the next word of a list of settings or paths, backslashes resolved. 1 with a setting in `ret`, 0 at the end. */
static int next_setting(const char **text, char ret[POLICY_SET_MAX], struct error *err)
{
        const char *at = *text;
        size_t used = 0;

        while (*at == ' ' || *at == '\t')
                at++;
        for (; *at != '\0' && *at != ' ' && *at != '\t'; at++) {
                if (*at == '\\' && *++at != ' ' && *at != '\\')
                        return error_text(err, EINVAL, "a backslash stands before a blank or a backslash only");
                if (used == POLICY_SET_MAX - 1)
                        return error_text(err, EINVAL, "a part is longer than %d bytes", POLICY_SET_MAX - 1);
                ret[used++] = *at;
        }
        ret[used] = '\0';
        *text = at;
        return used > 0;
}

static int add_setting(struct policy_texts *set, const char *setting, struct error *err)
{
        size_t length = variable_length(setting);
        char name[POLICY_SET_MAX];
        const char *dangerous;

        if (length == 0 || setting[length] != '=')
                return error_text(err, EINVAL, "\"%s\" is not NAME=VALUE", setting);
        (void)snprintf(name, sizeof(name), "%.*s", (int)length, setting);
        dangerous = find_overlap(name, never_set, COUNT(never_set));
        if (dangerous != NULL)
                return error_text(err, EPERM, "%s cannot be set (%s)", name, dangerous);
        for (size_t i = 0; i < set->count; i++)
                if (strncmp(set->text[i], setting, length + 1) == 0)
                        return error_text(err, EINVAL, "%s is set twice", name);
        if (set->count == POLICY_LIST_MAX)
                return error_text(err, E2BIG, "more than %d variables", POLICY_LIST_MAX);
        (void)snprintf(set->text[set->count++], POLICY_SET_MAX, "%s", setting);
        return 0;
}

static int parse_texts(const char *text, int (*add)(struct policy_texts *texts, const char *one, struct error *err),
                       struct policy_texts *ret, struct error *err)
{
        char one[POLICY_SET_MAX] = "";
        int r;

        ret->count = 0;
        while ((r = next_setting(&text, one, err)) > 0) {
                r = add(ret, one, err);
                if (r < 0)
                        return r;
        }
        return r;
}

static int add_path(struct policy_texts *paths, const char *path, struct error *err)
{
        int r = parse_path(path, err);

        if (r < 0)
                return r;
        if (path[1] == '\0')
                return error_text(err, EINVAL, "/ cannot be in such a list");
        for (size_t i = 0; i < paths->count; i++)
                if (strcmp(paths->text[i], path) == 0)
                        return error_text(err, EINVAL, "%s is listed twice", path);
        if (paths->count == POLICY_LIST_MAX)
                return error_text(err, E2BIG, "more than %d paths", POLICY_LIST_MAX);
        (void)snprintf(paths->text[paths->count++], POLICY_SET_MAX, "%s", path);
        return 0;
}

int names_parse_set(const char *text, struct policy_texts *ret, struct error *err)
{
        return parse_texts(text, add_setting, ret, err);
}

int names_parse_paths(const char *text, struct policy_texts *ret, struct error *err)
{
        return parse_texts(text, add_path, ret, err);
}

static void append(char *ret, size_t size, size_t *used, char c)
{
        if (*used + 1 < size)
                ret[(*used)++] = c;
}

void names_format(const struct policy_names *names, char *ret, size_t size)
{
        size_t used = 0;

        for (size_t i = 0; i < names->count; i++) {
                if (i > 0)
                        append(ret, size, &used, ' ');
                for (const char *c = names->name[i]; *c != '\0'; c++)
                        append(ret, size, &used, *c);
        }
        ret[used] = '\0';
}

void names_format_set(const struct policy_texts *set, char *ret, size_t size)
{
        size_t used = 0;

        for (size_t i = 0; i < set->count; i++) {
                if (i > 0)
                        append(ret, size, &used, ' ');
                for (const char *c = set->text[i]; *c != '\0'; c++) {
                        if (*c == ' ' || *c == '\\')
                                append(ret, size, &used, '\\');
                        append(ret, size, &used, *c);
                }
        }
        ret[used] = '\0';
}

bool policy_allows_service(const struct policy *policy, const char *service)
{
        for (size_t i = 0; i < policy->services.count; i++)
                if (strcmp(policy->services.name[i], service) == 0)
                        return true;
        return false;
}
