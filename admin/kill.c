/* kill.c - agentshctl kill: ends sessions. Root. */
#include "admin/output.h"
#include "admin/session_list.h"
#include "admin/verb.h"

#include <errno.h>
#include <string.h>

#define END_TIMEOUT_MS 15000

/* A whole id or a prefix that fits one session only. */
static int find_session(const struct session_list *list, const char *prefix, const struct session_state **ret,
                        struct error *err)
{
        const struct session_state *found = NULL;
        size_t length = strlen(prefix);

        if (length == 0 || length > SESSION_ID_LENGTH || strspn(prefix, "0123456789abcdef") != length)
                return error_text(err, EINVAL, "\"%s\" is no session id: \"agentshctl sessions\" lists them", prefix);
        for (size_t i = 0; i < list->count; i++) {
                if (strncmp(list->state[i].id, prefix, length) != 0)
                        continue;
                if (found != NULL)
                        return error_text(err, EINVAL, "%s is the beginning of several session ids", prefix);
                found = &list->state[i];
        }
        if (found == NULL)
                return error_text(err, ESRCH, "there is no session %s", prefix);
        *ret = found;
        return 0;
}

static int end_one(const struct session_state *state)
{
        struct error err = ERROR_INIT;

        if (session_end(state, END_TIMEOUT_MS, &err) < 0)
                return output_error(&err);
        (void)printf("%s of %s has ended\n", state->id, state->account);
        return VERB_OK;
}

static int kill_account(const char *account)
{
        cleanup_session_list struct session_list list = { 0 };
        struct error err = ERROR_INIT;
        int status = VERB_OK;

        if (parse_account_name(account, &err) < 0 || session_list_read(account, &list, &err) < 0)
                return output_error(&err);
        if (list.count == 0)
                (void)printf("%s has no session\n", account);
        for (size_t i = 0; i < list.count; i++)
                if (end_one(&list.state[i]) != VERB_OK)
                        status = VERB_FAILED;
        return finish_output(status);
}

static int kill_sessions(char *const *ids, int count)
{
        cleanup_session_list struct session_list list = { 0 };
        struct error err = ERROR_INIT;
        int status = VERB_OK;

        if (session_list_read(NULL, &list, &err) < 0)
                return output_error(&err);
        for (int i = 0; i < count; i++) {
                const struct session_state *state = NULL;

                if (find_session(&list, ids[i], &state, &err) < 0)
                        status = output_error(&err);
                else if (end_one(state) != VERB_OK)
                        status = VERB_FAILED;
        }
        return finish_output(status);
}

int verb_kill(int argc, char **argv)
{
        static const struct option OPTIONS[] = { { "account", required_argument, NULL, 'a' }, { 0 } };
        const char *account = NULL;
        int option;

        while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
                if (option != 'a')
                        return output_usage(argv[0], "cannot understand the options");
                account = optarg;
        }
        if (account != NULL && optind < argc)
                return output_usage(argv[0], "give session ids or --account, not both");
        if (account == NULL && optind == argc)
                return output_usage(argv[0], "give the id of a session, or --account");
        return account != NULL ? kill_account(account) : kill_sessions(argv + optind, argc - optind);
}
