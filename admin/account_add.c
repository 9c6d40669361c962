/*
 * account_add.c - agentshctl account add. Root.
 *
 * Everything is checked before anything is changed. The order of the steps keeps every half-way point closed: an
 * account with agentsh as its shell and no policy is refused at login, and so is the reverse. The same list is in
 * docs/architecture.md.
 */
#include "admin/account_plan.h"
#include "admin/guard.h"
#include "admin/output.h"
#include "admin/places.h"
#include "admin/steps.h"
#include "admin/user_manager.h"
#include "admin/verb.h"
#include "common/cleanup.h"
#include "common/paths.h"

#include <string.h>

/* Before the policy, which lets the account in. */
static int guard_account(struct account_plan *plan, struct error *err)
{
        (void)plan;
        return guard_follow(NULL, err);
}

static int unguard_account(struct account_plan *plan, struct error *err)
{
        return guard_follow(plan->name, err);
}

static int mask_user_manager(struct account_plan *plan, struct error *err)
{
        return user_manager_mask(plan->account.uid, &plan->manager_masked, err);
}

static int unmask_user_manager(struct account_plan *plan, struct error *err)
{
        /* A mask that was there before is somebody else's. */
        return plan->manager_masked ? user_manager_unmask(plan->account.uid, err) : 0;
}

static const struct step ADD_STEPS[] = {
        { "policy draft", plan_draft_policy, plan_remove_draft },          /* 1 */
        { "group", plan_make_group, plan_unmake_group },                   /* 2 */
        { "user", plan_make_user, plan_unmake_user },                      /* 3 */
        { "user manager", mask_user_manager, unmask_user_manager },        /* 4 */
        { "egress guard", guard_account, unguard_account },                /* 5 */
        { "data home", plan_make_data_home, plan_unmake_data_home },       /* 6 */
        { "passwd home", plan_make_passwd_home, plan_unmake_passwd_home }, /* 7 */
        { "keys", plan_write_keys, plan_remove_keys },                     /* 8 */
        { "policy", plan_place_policy, plan_displace_policy },             /* 9 */
};

static const struct step CONVERT_STEPS[] = {
        { "policy draft", plan_draft_policy, plan_remove_draft },          /* 1 */
        { "group", plan_make_group, plan_unmake_group },                   /* 2 */
        { "user", plan_convert_user, plan_unconvert_user },                /* 3 */
        { "user manager", mask_user_manager, unmask_user_manager },        /* 4 */
        { "egress guard", guard_account, unguard_account },                /* 5 */
        { "data home", plan_move_home, plan_move_home_back },              /* 6 */
        { "passwd home", plan_make_passwd_home, plan_unmake_passwd_home }, /* 7 */
        { "keys", plan_write_keys, plan_remove_keys },                     /* 8 */
        { "policy", plan_place_policy, plan_displace_policy },             /* 9 */
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

void account_plan_done(struct account_plan *plan)
{
        free(plan->keys);
        plan->keys = NULL;
        cleanup_close_fd(&plan->config_fd);
        cleanup_close_fd(&plan->accounts_fd);
        cleanup_close_fd(&plan->keys_fd);
        cleanup_close_fd(&plan->homes_fd);
        cleanup_close_fd(&plan->home_parent_fd);
}

static int open_places(struct account_plan *plan, struct error *err)
{
        plan->config_fd = places_open_config(err);
        if (plan->config_fd < 0)
                return plan->config_fd;
        plan->accounts_fd = places_open_config_subdir(plan->config_fd, "accounts", true, err);
        if (plan->accounts_fd < 0)
                return plan->accounts_fd;
        plan->keys_fd = places_open_config_subdir(plan->config_fd, "keys", true, err);
        if (plan->keys_fd < 0)
                return plan->keys_fd;
        plan->homes_fd = places_open_homes(true, err);
        return plan->homes_fd < 0 ? plan->homes_fd : 0;
}

static int make_account(struct account_plan *plan, struct error *err)
{
        int (*const checks[])(struct account_plan *, struct error *) = {
                open_places, plan_user_check, plan_home_check, plan_keys_check, plan_policy_check,
        };

        for (size_t i = 0; i < COUNT(checks); i++) {
                int r = checks[i](plan, err);

                if (r < 0)
                        return r;
        }
        if (plan->convert)
                return steps_run(CONVERT_STEPS, COUNT(CONVERT_STEPS), plan, err);
        return steps_run(ADD_STEPS, COUNT(ADD_STEPS), plan, err);
}

static int parse_uid(const char *verb, const char *text, uid_t *ret)
{
        struct error err = ERROR_INIT;
        uint64_t number;

        if (parse_number(text, 1, UINT32_MAX - 1, &number, &err) < 0)
                return output_usage(verb, "--uid: %s", err.text);
        *ret = (uid_t)number;
        return VERB_OK;
}

static int parse_arguments(int argc, char **argv, struct account_plan *plan)
{
        static const struct option OPTIONS[] = {
                { "template", required_argument, NULL, 't' },
                { "key", required_argument, NULL, 'k' },
                { "uid", required_argument, NULL, 'u' },
                { "shell", required_argument, NULL, 's' },
                { "tier", required_argument, NULL, 'T' },
                { "convert", no_argument, NULL, 'c' },
                { 0 },
        };
        int option;

        while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
                switch (option) {
                case 't':
                        plan->template = optarg;
                        break;
                case 'k':
                        plan->key_file = optarg;
                        break;
                case 's':
                        plan->shell = optarg;
                        break;
                case 'T':
                        plan->tier = optarg;
                        break;
                case 'c':
                        plan->convert = true;
                        break;
                case 'u':
                        if (parse_uid(argv[0], optarg, &plan->uid) != VERB_OK)
                                return VERB_USAGE;
                        break;
                default:
                        return output_usage(argv[0], "cannot understand the options");
                }
        }
        if (argc - optind != 1)
                return output_usage(argv[0], "give the name of one account");
        plan->name = argv[optind];
        return VERB_OK;
}

static void tell_result(const struct account_plan *plan)
{
        (void)printf("%s is %s agent account (uid %u).\n", plan->name, plan->convert ? "now an" : "a new",
                     (unsigned)plan->account.uid);
        (void)printf("  policy  " AGENTSH_ACCOUNTS_DIR "/%s.ini%s%s\n", plan->name,
                     plan->template != NULL ? ", inherits " : "", plan->template != NULL ? plan->template : "");
        (void)printf("  home    " AGENTSH_STATE_DIR "/homes/%s, seen at %s inside\n", plan->name, plan->home);
        if (plan->keys != NULL)
                (void)printf("  keys    " AGENTSH_CONFIG_DIR "/keys/%s\n", plan->name);
        else
                (void)printf(
                        "  keys    none; for ssh, put lines of restrict,pty,command=\"agentsh-session\" and a public "
                        "key into " AGENTSH_CONFIG_DIR "/keys/%s (root's, mode 0644)\n",
                        plan->name);
        if (plan->convert)
                (void)printf("It was a person's account: its password is locked, its groups were \"%s\", its shell "
                             "%s.\n",
                             plan->groups, plan->account.shell);
}

int verb_account_add(int argc, char **argv)
{
        cleanup_account_plan struct account_plan plan = ACCOUNT_PLAN_INIT;
        struct error err = ERROR_INIT;

        if (parse_arguments(argc, argv, &plan) != VERB_OK)
                return VERB_USAGE;
        if (make_account(&plan, &err) < 0)
                return output_error(&err);
        tell_result(&plan);
        return finish_output(VERB_OK);
}
