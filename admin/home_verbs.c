/*
 * home_verbs.c - agentshctl home export, home import: files of an agent's home, through a session of the account. Root.
 */
#include "admin/home_file.h"
#include "admin/home_transfer.h"
#include "admin/live_account.h"
#include "admin/output.h"
#include "admin/session_list.h"
#include "admin/verb.h"
#include "common/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct command {
        const char *name;
        const char *file; /* NULL: standard output or input */
        bool live, ignore_unreadable;
        char *const *paths;
        size_t path_count;
        struct account account;
        struct policy policy;
};

static int parse_command(int argc, char **argv, const char *letters, struct command *command)
{
        static const struct option OPTIONS[] = { { "output", required_argument, NULL, 'o' },
                                                 { "input", required_argument, NULL, 'i' },
                                                 { "live", no_argument, NULL, 'l' },
                                                 { "ignore-failed-read", no_argument, NULL, 'r' },
                                                 { 0 } };
        int option;

        while ((option = getopt_long(argc, argv, letters, OPTIONS, NULL)) != -1) {
                /* The two verbs share the table; each has its own letters. */
                if (option == '?' || (option != 'l' && strchr(letters, option) == NULL))
                        return output_usage(argv[0], "cannot understand the options");
                if (option == 'o' || option == 'i')
                        command->file = strcmp(optarg, "-") != 0 ? optarg : NULL;
                command->live = command->live || option == 'l';
                command->ignore_unreadable = command->ignore_unreadable || option == 'r';
        }
        if (optind == argc)
                return output_usage(argv[0], "give the name of an account");
        command->name = argv[optind];
        command->paths = argv + optind + 1;
        command->path_count = (size_t)(argc - optind - 1);
        return VERB_OK;
}

/* A session that lives has the home, or changes it meanwhile. `own` (may be "") is none of those. */
static int check_alone(const struct command *command, const char *own, struct error *err)
{
        cleanup_session_list struct session_list list = { 0 };
        const char *name = command->name;
        int r = session_list_read(name, &list, err);

        for (size_t i = 0; r >= 0 && !command->live && i < list.count; i++)
                if (strcmp(list.state[i].id, own) != 0 && session_is_live(&list.state[i]))
                        return error_text(err, EBUSY,
                                          "%s has a live session, %s: end it (agentshctl kill --account %s), or: "
                                          "--live, while files may change",
                                          name, list.state[i].id, name);
        return r;
}

static int prepare(struct command *command, struct error *err)
{
        const char *name = command->name;
        int r = live_find_agent(name, &command->account, err);

        if (r >= 0)
                r = live_load_policy(name, &command->policy, err);
        if (r < 0)
                return r;
        if (command->policy.home_mode == HOME_EPHEMERAL)
                return error_text(err, ENOENT, "%s has no home between its sessions ([home] mode = ephemeral)", name);
        return check_alone(command, "", err);
}

/* "src" and "/home/agent01/src" are the same. */
static const char *inside_name(const struct command *command, const char *path)
{
        size_t length = strlen(command->account.home);

        if (strncmp(path, command->account.home, length) == 0 && path[length] == '/')
                path += length + strspn(path + length, "/");
        return *path != '\0' ? path : ".";
}

static bool leads_out(const char *path)
{
        for (const char *at = path; *at != '\0'; at += strspn(at, "/")) {
                size_t length = strcspn(at, "/");

                if (length == 2 && strncmp(at, "..", 2) == 0)
                        return true;
                at += length;
        }
        return *path == '/';
}

/* The caller frees *ret_text, which the result points to. */
static int join_paths(const struct command *command, char **ret_text, struct home_paths *ret, struct error *err)
{
        static char everything[] = ".";
        char *const one[] = { everything };
        char *const *paths = command->path_count > 0 ? command->paths : one;
        size_t count = command->path_count > 0 ? command->path_count : 1, size = 0;

        for (size_t i = 0; i < count; i++)
                size += strlen(paths[i]) + 2;
        *ret_text = malloc(size);
        if (*ret_text == NULL)
                return error_errno(err, ENOMEM, "cannot take the paths");
        *ret = (struct home_paths){ .text = *ret_text, .ignore_unreadable = command->ignore_unreadable };
        for (size_t i = 0; i < count; i++) {
                const char *path = inside_name(command, paths[i]);

                if (paths[i][0] == '\0' || leads_out(path))
                        return error_text(err, EINVAL, "\"%.200s\" is not below the home, %s", paths[i],
                                          command->account.home);
                memcpy(*ret_text + ret->size, path, strlen(path) + 1);
                ret->size += strlen(path) + 1;
        }
        return 0;
}

static int export_home(const struct command *command, struct error *err)
{
        cleanup_home_transfer struct home_transfer transfer = HOME_TRANSFER_INIT;
        cleanup_home_file struct home_file file = HOME_FILE_INIT;
        cleanup_free char *text = NULL;
        struct home_paths paths;
        int r = join_paths(command, &text, &paths, err);

        if (r >= 0 && command->file != NULL)
                r = home_file_create(command->file, &file, err);
        if (r >= 0)
                r = home_transfer_export(&transfer, &command->account, live_pick_service(&command->policy), &paths,
                                         err);
        if (r >= 0)
                r = check_alone(command, transfer.session.id, err);
        if (r >= 0)
                r = home_transfer_take(&transfer, command->file != NULL ? file.fd : STDOUT_FILENO, err);
        return r < 0 || command->file == NULL ? r : home_file_commit(&file, err);
}

/* Into a copy of the home, all that is imported would be gone with the session. */
static int check_kept(const struct home_transfer *transfer, struct error *err)
{
        cleanup_session_list struct session_list list = { 0 };
        const char *name = transfer->account->name;
        int r = session_list_read(name, &list, err);

        for (size_t i = 0; r >= 0 && i < list.count; i++)
                if (strcmp(list.state[i].id, transfer->session.id) == 0)
                        return strstr(list.state[i].tier, SESSION_STATE_COPY) == NULL
                                       ? 0
                                       : error_text(err, EBUSY,
                                                    "another session of %s has its home: what would be imported is a "
                                                    "copy",
                                                    name);
        return r < 0 ? r : error_text(err, ESRCH, "the session of %s has ended", name);
}

static int import_home(const struct command *command, struct error *err)
{
        cleanup_home_transfer struct home_transfer transfer = HOME_TRANSFER_INIT;
        cleanup_close int fd = -EBADF;
        int r = 0;

        if (command->file != NULL) {
                fd = open(command->file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
                if (fd < 0)
                        return error_errno(err, errno, "cannot open %s", command->file);
        }
        r = home_transfer_import(&transfer, &command->account, live_pick_service(&command->policy), err);
        if (r >= 0)
                r = check_alone(command, transfer.session.id, err);
        if (r >= 0)
                r = check_kept(&transfer, err);
        return r < 0 ? r : home_transfer_give(&transfer, fd >= 0 ? fd : STDIN_FILENO, err);
}

int verb_home_export(int argc, char **argv)
{
        struct command command = { .file = NULL };
        struct error err = ERROR_INIT;
        int status = parse_command(argc, argv, "o:r", &command);

        if (status != VERB_OK)
                return status;
        if (command.file == NULL && isatty(STDOUT_FILENO) == 1)
                return output_usage(argv[0], "standard output is a terminal: give --output FILE, or redirect it");
        if (prepare(&command, &err) < 0 || export_home(&command, &err) < 0)
                return output_error(&err);
        return VERB_OK;
}

int verb_home_import(int argc, char **argv)
{
        struct command command = { .file = NULL };
        struct error err = ERROR_INIT;
        int status = parse_command(argc, argv, "i:", &command);

        if (status != VERB_OK)
                return status;
        if (command.path_count > 0)
                return output_usage(argv[0], "give the name of one account; the archive says which files");
        if (command.file == NULL && isatty(STDIN_FILENO) == 1)
                return output_usage(argv[0], "standard input is a terminal: give --input FILE, or redirect it");
        if (prepare(&command, &err) < 0 || import_home(&command, &err) < 0)
                return output_error(&err);
        return VERB_OK;
}
