/* pam_stack.c - parses /etc/pam.d. Pure but for reading the files. */
#include "admin/pam_stack.h"

#include "common/cleanup.h"
#include "common/fd.h"

#include <ctype.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>

#define FILE_SIZE_MAX (256 * 1024)
#define LOGICAL_MAX   1024
#define INCLUDE_DEPTH 16 /* libpam gives up at 32 */
#define BLANKS        " \t"

struct reader {
        const int *directories;
        size_t directory_count;
        const char *facility;
        struct pam_stack *stack;
};

static int read_service(const struct reader *reader, const char *service, unsigned level, unsigned depth,
                        struct error *err);

static int open_service(const struct reader *reader, const char *service, struct error *err)
{
        for (size_t i = 0; i < reader->directory_count; i++) {
                /* libpam follows links here (authselect makes some), and so must we to see what it sees. */
                int fd = openat(reader->directories[i], service, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

                if (fd >= 0)
                        return fd;
                if (errno != ENOENT)
                        return error_errno(err, errno, "cannot open the PAM file %s", service);
        }
        return error_text(err, ENOENT, "there is no PAM file %s", service);
}

/* The content of a service's file. libpam refuses a stack that includes what it cannot read; a service need not be. */
static int read_text(const struct reader *reader, const char *service, bool included, char **ret_text, size_t *ret_size,
                     struct error *err)
{
        cleanup_close int fd = open_service(reader, service, err);
        int r = fd;

        if (fd >= 0) {
                r = fd_read_all(fd, FILE_SIZE_MAX, ret_text, ret_size, err);
                if (r >= 0)
                        return 0;
                r = error_prefix(err, "cannot read the PAM file %s", service);
        }
        if (!included)
                return r;
        if (err != NULL)
                err->number = EINVAL;
        return -EINVAL;
}

/* One word, or one [...] group, off *at. Returns false at the end of the line, or when it does not fit. */
static bool next_word(const char **at, char *ret, size_t size)
{
        const char *start = *at + strspn(*at, BLANKS);
        size_t length = strcspn(start, BLANKS);

        if (start[0] == '[') {
                const char *end = strchr(start, ']');

                if (end == NULL)
                        return false;
                length = (size_t)(end - start) + 1;
        }
        if (length == 0 || length >= size)
                return false;
        memcpy(ret, start, length);
        ret[length] = '\0';
        *at = start + length;
        return true;
}

static int add_rule(const struct reader *reader, const struct pam_rule *rule, struct error *err)
{
        if (reader->stack->count == PAM_RULES_MAX)
                return error_text(err, EINVAL, "the stack has more than %d rules", PAM_RULES_MAX);
        reader->stack->rule[reader->stack->count++] = *rule;
        return 0;
}

static int bad_line(struct error *err, const struct pam_rule *rule)
{
        return error_text(err, EINVAL, "%s:%u: cannot understand the line", rule->file, rule->line);
}

/* The line behind its facility word. */
static int take_rule(const struct reader *reader, struct pam_rule *rule, const char *at, unsigned depth,
                     struct error *err)
{
        char module[256];
        const char *base;
        int r;

        if (!next_word(&at, rule->control, sizeof(rule->control)) || !next_word(&at, module, sizeof(module)))
                return bad_line(err, rule);
        if (strcasecmp(rule->control, "include") == 0)
                return read_service(reader, module, rule->level, depth + 1, err);
        if (strcasecmp(rule->control, "substack") == 0) {
                r = add_rule(reader, rule, err);
                return r < 0 ? r : read_service(reader, module, rule->level + 1, depth + 1, err);
        }
        base = strrchr(module, '/');
        base = base != NULL ? base + 1 : module;
        if (base[0] == '\0')
                return bad_line(err, rule);
        (void)snprintf(rule->module, sizeof(rule->module), "%s", base);
        (void)snprintf(rule->arguments, sizeof(rule->arguments), "%.*s", (int)sizeof(rule->arguments) - 1,
                       at + strspn(at, BLANKS));
        return add_rule(reader, rule, err);
}

static bool is_facility(const char *word)
{
        return strcasecmp(word, "auth") == 0 || strcasecmp(word, "account") == 0 || strcasecmp(word, "session") == 0 ||
               strcasecmp(word, "password") == 0;
}

static int take_line(const struct reader *reader, const char *line, const char *file, unsigned number, unsigned level,
                     unsigned depth, struct error *err)
{
        struct pam_rule rule = { .line = number, .level = level };
        const char *at = line;
        char word[64];

        if (line[strspn(line, BLANKS)] == '\0')
                return 0;
        (void)snprintf(rule.file, sizeof(rule.file), "%.*s", (int)sizeof(rule.file) - 1, file);
        if (!next_word(&at, word, sizeof(word)))
                return bad_line(err, &rule);
        if (strcmp(word, "@include") == 0) {
                if (!next_word(&at, word, sizeof(word)))
                        return bad_line(err, &rule);
                return read_service(reader, word, level, depth + 1, err);
        }
        rule.optional_file = word[0] == '-';
        if (!is_facility(word + rule.optional_file))
                return bad_line(err, &rule);
        if (strcasecmp(word + rule.optional_file, reader->facility) != 0)
                return 0;
        return take_rule(reader, &rule, at, depth, err);
}

/*
 * One logical line: physical lines joined at a backslash before their end, comments cut. *at moves behind it. -EINVAL
 * when it does not fit.
 */
static int next_line(const char **at, char *ret, unsigned *number)
{
        size_t used = 0;
        bool goes_on;

        do {
                size_t length = strcspn(*at, "\n"), content = strcspn(*at, "#\n");

                while (content > 0 && isspace((unsigned char)(*at)[content - 1]))
                        content--;
                goes_on = content == length && content > 0 && (*at)[content - 1] == '\\';
                if (used + content + 2 > LOGICAL_MAX)
                        return -EINVAL;
                memcpy(ret + used, *at, content - goes_on);
                used += content - goes_on;
                if (goes_on)
                        ret[used++] = ' ';
                *at += length;
                if (**at == '\n')
                        (*at)++;
                (*number)++;
        } while (goes_on && **at != '\0');
        ret[used] = '\0';
        return 0;
}

static int read_service(const struct reader *reader, const char *service, unsigned level, unsigned depth,
                        struct error *err)
{
        cleanup_free char *text = NULL;
        const char *slash = strrchr(service, '/');
        char line[LOGICAL_MAX];
        unsigned number = 0;
        size_t size;
        int r;

        if (depth > INCLUDE_DEPTH)
                return error_text(err, EINVAL, "PAM files include each other too deeply, at %s", service);
        r = read_text(reader, service, depth > 0, &text, &size, err);
        if (r < 0)
                return r;
        if (strlen(text) != size)
                return error_text(err, EINVAL, "there is a NUL byte in the PAM file %s", service);
        for (const char *at = text; *at != '\0';) {
                unsigned first = number + 1;

                if (next_line(&at, line, &number) < 0)
                        return error_text(err, EINVAL, "%s:%u: the line is too long", service, first);
                r = take_line(reader, line, slash != NULL ? slash + 1 : service, first, level, depth, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

const char *pam_facility_name(enum pam_facility facility)
{
        static const char *const NAMES[] = { "account", "session", "auth" };

        return NAMES[facility];
}

int pam_stack_read(const int *directories, size_t count, const char *service, enum pam_facility facility,
                   struct pam_stack *ret, struct error *err)
{
        cleanup_free struct pam_stack *stack = calloc(1, sizeof(*stack));
        struct reader reader = { .directories = directories,
                                 .directory_count = count,
                                 .stack = stack,
                                 .facility = pam_facility_name(facility) };
        int r;

        if (stack == NULL)
                return error_errno(err, ENOMEM, "cannot read the PAM stack of %s", service);
        r = read_service(&reader, service, 0, 0, err);
        if (r < 0)
                return r;
        *ret = *stack;
        return 0;
}

/* The action of a [...] control for `code`; "" when it has none. */
static void find_action(const char *control, const char *code, char *ret, size_t size)
{
        const char *at = control + 1;
        size_t code_length = strlen(code);

        ret[0] = '\0';
        while (*at != '\0') {
                size_t length;

                at += strspn(at, BLANKS "]");
                length = strcspn(at, BLANKS "]");
                if (length > code_length && strncmp(at, code, code_length) == 0 && at[code_length] == '=')
                        (void)snprintf(ret, size, "%.*s", (int)(length - code_length - 1), at + code_length + 1);
                at += length;
        }
}

/* Whether a PAM_PERM_DENIED of this rule makes the stack fail. */
static bool refusal_counts(const struct pam_rule *rule)
{
        char action[32];

        if (rule->control[0] != '[')
                return strcasecmp(rule->control, "required") == 0 || strcasecmp(rule->control, "requisite") == 0;
        find_action(rule->control, "perm_denied", action, sizeof(action));
        if (action[0] == '\0')
                find_action(rule->control, "default", action, sizeof(action));
        return strcmp(action, "bad") == 0 || strcmp(action, "die") == 0;
}

/*
 * The farthest that a rule can jump (0: it cannot), and whether it can end the stack with success. Debian's and
 * Ubuntu's new_authtok_reqd=done of pam_unix is no success: the password must be changed before the login goes on,
 * and the session phase asks again.
 */
static void read_reach(const struct pam_rule *rule, size_t *ret_jump, bool *ret_done)
{
        const char *at = rule->control;

        *ret_jump = 0;
        *ret_done = strcasecmp(rule->control, "sufficient") == 0;
        if (at[0] != '[')
                return;
        while ((at = strchr(at, '=')) != NULL) {
                bool password_expired = at - rule->control >= 16 && strncmp(at - 16, "new_authtok_reqd", 16) == 0;

                at++;
                if (strncmp(at, "done", 4) == 0 && !password_expired)
                        *ret_done = true;
                if (isdigit((unsigned char)*at)) {
                        size_t jump = strtoul(at, NULL, 10);

                        if (jump > *ret_jump)
                                *ret_jump = jump;
                }
        }
}

/* "done" ends the frame of its rule: all of the stack at level 0, else what is left of the substack. */
static bool same_frame(const struct pam_stack *stack, size_t from, size_t to)
{
        for (size_t i = from + 1; i <= to; i++)
                if (stack->rule[i].level < stack->rule[from].level)
                        return stack->rule[from].level == 0;
        return true;
}

/* As libpam counts: a substack with all that is in it is one rule, and no jump leaves the frame of its rule. */
static bool jumps_over(const struct pam_stack *stack, size_t from, size_t jump, size_t target)
{
        unsigned level = stack->rule[from].level;
        size_t at = from + 1;

        for (; jump > 0 && at < stack->count && stack->rule[at].level >= level; jump--) {
                at++;
                while (at < stack->count && stack->rule[at].level > level)
                        at++;
        }
        return target > from && at > target;
}

static int check_rules_before(const struct pam_stack *stack, size_t target, struct error *err)
{
        for (size_t i = 0; i < target; i++) {
                const struct pam_rule *rule = &stack->rule[i];
                size_t jump;
                bool done;

                if (rule->module[0] == '\0')
                        continue;
                read_reach(rule, &jump, &done);
                if ((done && same_frame(stack, i, target)) || (jump > 0 && jumps_over(stack, i, jump, target)))
                        return error_text(err, EPERM, "the rule before it at %s:%u (%s %s) can make PAM skip it",
                                          rule->file, rule->line, rule->control, rule->module);
        }
        return 0;
}

/* Whether the words of `list` have `word`. */
static bool has_word(const char *list, const char *word)
{
        size_t length = strlen(word);

        for (list += strspn(list, BLANKS); *list != '\0'; list += strspn(list, BLANKS)) {
                size_t here = strcspn(list, BLANKS);

                if (here == length && strncmp(list, word, length) == 0)
                        return true;
                list += here;
        }
        return false;
}

const struct pam_rule *pam_stack_find(const struct pam_stack *stack, const char *module, const char *argument)
{
        for (size_t i = 0; i < stack->count; i++)
                if (strcmp(stack->rule[i].module, module) == 0 && has_word(stack->rule[i].arguments, argument))
                        return &stack->rule[i];
        return NULL;
}

int pam_stack_check(const struct pam_stack *stack, const char *module, struct error *err)
{
        int failure = -ENOENT;

        /* One good place is enough, wherever else the module stands too. */
        for (size_t i = 0; i < stack->count; i++) {
                const struct pam_rule *rule = &stack->rule[i];

                if (strcmp(rule->module, module) != 0)
                        continue;
                if (!refusal_counts(rule))
                        failure = error_text(err, EPERM, "its control at %s:%u is %s: a refusal would not count",
                                             rule->file, rule->line, rule->control);
                else if (rule->optional_file)
                        failure = error_text(err, EPERM,
                                             "the \"-\" at %s:%u would let logins pass when the module's "
                                             "file is missing",
                                             rule->file, rule->line);
                else if ((failure = check_rules_before(stack, i, err)) == 0)
                        return 0;
        }
        if (failure == -ENOENT)
                return error_text(err, ENOENT, "%s is not in the stack", module);
        return failure;
}
