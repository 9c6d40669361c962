/*
 * load.c - finds and reads the files of an account's policy. Runs as root; opens by directory fd, follows no link,
 * takes only what root owns and nobody else can write, and reads each file once.
 */
#include "policy/load.h"

#include "common/cleanup.h"
#include "common/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static void load_done(struct load *load)
{
        for (size_t i = 0; i < load->count; i++)
                scan_done(&load->layers[i].document);
}

static void load_free(struct load **load)
{
        if (*load == NULL)
                return;
        load_done(*load);
        free(*load);
}

#define cleanup_load __attribute__((cleanup(load_free)))

/* On the heap: struct policy and the layers are too large for the stack of a caller's caller. */
static struct load *load_new(struct policy *policy, struct policy_report *report)
{
        struct load *load = calloc(1, sizeof(*load));

        if (load == NULL)
                return NULL;
        load->policy = policy;
        load->report = report;
        return load;
}

static int open_checked(int dirfd, const char *name, mode_t type, const char *what, int *ret_fd, struct error *err)
{
        int flags = type == S_IFDIR ? O_RDONLY | O_DIRECTORY : O_RDONLY | O_NONBLOCK | O_NOCTTY;
        cleanup_close int fd = fd_open_beneath(dirfd, name, flags, 0, err);
        int r;

        if (fd < 0)
                return fd;
        r = fd_check_root_owned(fd, type, what, err);
        if (r < 0)
                return r;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/* Open `directory`/`file` below config_fd (`directory` may be NULL) and read it. -ENOENT when it is not there. */
static int read_checked(int config_fd, const char *directory, const char *file, char **ret_text, size_t *ret_size,
                        struct error *err)
{
        cleanup_close int dirfd = -EBADF, fd = -EBADF;
        int r;

        if (directory != NULL) {
                r = open_checked(config_fd, directory, S_IFDIR, "the directory", &dirfd, err);
                if (r < 0)
                        return r;
        }
        r = open_checked(directory != NULL ? dirfd : config_fd, file, S_IFREG, "the file", &fd, err);
        if (r < 0)
                return r;
        return fd_read_all(fd, POLICY_FILE_SIZE_MAX, ret_text, ret_size, err);
}

/* What is wrong with a file itself is an issue of the policy; only a machine at its end is an error. */
static bool is_exhausted(int r)
{
        return r == -ENOMEM || r == -EMFILE || r == -ENFILE || r == -EIO;
}

static void report_file(struct load *load, const char *name, int r, const struct error *cause)
{
        report_error(load->report, (struct place){ .file = name }, "%s%s", cause->text,
                     r == -EPERM ? " (remedy: chown root, chmod go-w, no further link)" : "");
}

/*
 * Read `file` as the next layer. -ENOENT, with nothing reported, when it does not exist; 0 when it was read or
 * reported.
 */
static int add_layer(struct load *load, int config_fd, const char *directory, const char *file, struct error *err)
{
        struct layer *layer = &load->layers[load->count];
        cleanup_free char *text = NULL;
        struct error cause = ERROR_INIT;
        size_t size = 0;
        int r;

        (void)snprintf(layer->name, sizeof(layer->name), "%s%s%s", directory != NULL ? directory : "",
                       directory != NULL ? "/" : "", file);
        layer->is_global = directory == NULL;
        r = read_checked(config_fd, directory, file, &text, &size, &cause);
        if (r == -ENOENT || is_exhausted(r)) {
                if (err != NULL)
                        *err = cause;
                return r;
        }
        load->count++;
        if (r < 0) {
                report_file(load, layer->name, r, &cause);
                return 0;
        }
        return layer_read(layer, text, size, load->report, err);
}

static bool is_in_chain(const struct load *load, const char *template)
{
        char name[sizeof(load->layers[0].name)];

        (void)snprintf(name, sizeof(name), "templates/%s.ini", template);
        for (size_t i = 1; i < load->count; i++)
                if (strcmp(load->layers[i].name, name) == 0)
                        return true;
        return false;
}

/* Read the templates that the last layer inherits, nearest first. */
static int add_templates(struct load *load, int config_fd, struct error *err)
{
        for (size_t depth = 0;; depth++) {
                const struct layer *last = &load->layers[load->count - 1];
                struct place place = { .file = last->name, .line = last->inherits_line };
                char file[POLICY_NAME_MAX + sizeof(".ini")];
                int r;

                if (last->inherits[0] == '\0')
                        return 0;
                if (is_in_chain(load, last->inherits)) {
                        report_error(load->report, place, "[account] inherits: %s inherits from itself in the end",
                                     last->inherits);
                        return 0;
                }
                if (depth == TEMPLATES_MAX) {
                        report_error(load->report, place, "[account] inherits: more than %d templates in a row",
                                     TEMPLATES_MAX);
                        return 0;
                }
                (void)snprintf(file, sizeof(file), "%s.ini", last->inherits);
                r = add_layer(load, config_fd, "templates", file, err);
                if (r == -ENOENT) {
                        report_error(load->report, place, "[account] inherits: no such template (templates/%s)", file);
                        return 0;
                }
                if (r < 0)
                        return r;
        }
}

static int read_layers(struct load *load, int config_fd, const char *account, struct error *err)
{
        char file[ACCOUNT_NAME_MAX + sizeof(".ini")];
        int r;

        (void)snprintf(file, sizeof(file), "%s.ini", account);
        r = add_layer(load, config_fd, "accounts", file, err);
        if (r == -ENOENT) {
                report_error(load->report, (struct place){ .file = load->layers[0].name },
                             "%s has no policy: the file does not exist", account);
                return error_text(err, ENOENT, "%s has no policy: accounts/%s does not exist", account, file);
        }
        if (r < 0)
                return r;
        r = add_templates(load, config_fd, err);
        if (r < 0)
                return r;
        r = add_layer(load, config_fd, NULL, "agentsh.ini", err);
        return r == -ENOENT ? 0 : r;
}

/* Apply the layers, farthest first, and check the outcome. */
static int finish(struct load *load, const char *account, struct policy_origin *origins, struct error *err)
{
        int r = policy_set_defaults(load->policy, account, err);

        if (r < 0)
                return r;
        for (size_t i = load->count; i > 0; i--)
                layer_apply(load, &load->layers[i - 1]);
        /* The account's own template is what `inherits` shows, not the template's template. */
        memcpy(load->policy->inherits, load->layers[0].inherits, sizeof(load->policy->inherits));
        policy_check_across(load);
        if (origins != NULL)
                memcpy(origins, load->origins, sizeof(load->origins));
        if (err != NULL)
                *err = (struct error)ERROR_INIT;
        return report_verdict(load->report, err);
}

static int begin(struct policy_report *report, const char *account, struct error *err)
{
        report->count = report->more = report->errors = 0;
        if (parse_account_name(account, err) < 0)
                return error_prefix(err, "cannot load a policy");
        return 0;
}

int policy_load(int config_fd, const char *account, struct policy *ret, struct policy_report *report,
                struct policy_origin *origins, struct error *err)
{
        cleanup_load struct load *load = load_new(ret, report);
        struct error local = ERROR_INIT;
        int r;

        if (err == NULL)
                err = &local;
        r = begin(report, account, err);
        if (r < 0)
                return r;
        if (load == NULL)
                return error_errno(err, ENOMEM, "cannot load a policy");
        r = fd_check_root_owned(config_fd, S_IFDIR, "the configuration directory", err);
        if (r < 0) {
                report_file(load, "configuration", r, err);
                return report_verdict(report, err);
        }
        r = read_layers(load, config_fd, account, err);
        if (r < 0)
                return r;
        return finish(load, account, origins, err);
}

int policy_load_text(const char *text, size_t size, const char *name, const char *account, struct policy *ret,
                     struct policy_report *report, struct error *err)
{
        cleanup_load struct load *load = load_new(ret, report);
        struct error local = ERROR_INIT;
        struct layer *layer;
        int r;

        if (err == NULL)
                err = &local;
        r = begin(report, account, err);
        if (r < 0)
                return r;
        if (load == NULL)
                return error_errno(err, ENOMEM, "cannot load a policy");
        layer = &load->layers[load->count++];
        (void)snprintf(layer->name, sizeof(layer->name), "%s", name);
        if (size > POLICY_FILE_SIZE_MAX)
                report_error(report, (struct place){ .file = layer->name }, "the file is larger than %d bytes",
                             POLICY_FILE_SIZE_MAX);
        else
                r = layer_read(layer, text, size, report, err);
        if (r < 0)
                return r;
        if (layer->inherits[0] != '\0')
                report_warning(report, (struct place){ .file = layer->name, .line = layer->inherits_line },
                               "[account] inherits: templates are not looked at when a file is checked by itself");
        return finish(load, account, NULL, err);
}
