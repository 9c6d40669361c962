/*
 * agentshctl.c - the administrator's tool: its options and its table of verbs. Run by root; nothing in it is setuid.
 */
#include "admin/output.h"
#include "admin/verb.h"
#include "common/fd.h"
#include "common/paths.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct verb {
        const char *family; /* first word */
        const char *name;   /* second word; NULL: there is none */
        bool root;          /* refused for others */
        int (*run)(int argc, char **argv);
        const char *synopsis; /* options and operands */
        const char *summary;  /* one line */
        const char *help;     /* the options, one a line */
};

static const struct verb VERBS[] = {
        { "account", "add", true, verb_account_add, "[OPTION]... NAME", "make an agent account",
          "  --template NAME  inherit from " AGENTSH_CONFIG_DIR "/templates/NAME.ini\n"
          "  --key FILE       public keys that may log in by ssh\n"
          "  --tier TIER      kind of isolation (agentsh.ini(5), [account] tier)\n"
          "  --shell PATH     shell inside the isolation\n"
          "  --uid N          uid of the new account; default: as useradd picks\n"
          "  --convert        NAME is a person's account: turn it into an agent. Its home becomes the agent's,\n"
          "                   its password is locked, it leaves all other groups\n" },
        { "account", "remove", true, verb_account_remove, "[--keep-home] [--force] NAME",
          "remove an agent account and all it has",
          "  --keep-home      leave its files in " AGENTSH_STATE_DIR "/homes/NAME\n"
          "  --force          end its live sessions instead of refusing\n" },
        { "account", "list", true, verb_account_list, "[--json]", "list the agent accounts", "" },
        { "policy", "check", false, verb_policy_check, "[--json] [NAME|FILE]",
          "check the policies of all accounts, of one, or a file not yet in place",
          "  A FILE outside " AGENTSH_ACCOUNTS_DIR " is checked by itself, without templates.\n" },
        { "policy", "explain", false, verb_policy_explain, "[--json] NAME",
          "show every effective value and where it comes from", "" },
        { "sessions", NULL, true, verb_sessions, "[--json]", "list the sessions that live now", "" },
        { "kill", NULL, true, verb_kill, "ID... | --account NAME", "end sessions",
          "  ID               a session's id, or the beginning of one that fits no other\n"
          "  --account NAME   all sessions of the account\n" },
        { "risk", NULL, true, verb_risk, "[--end-sessions] [--force] NAME high|normal",
          "say how far an agent is trusted: high means a virtual machine for each session",
          "  --end-sessions   end the sessions that it has; they go on as they are without it\n"
          "  --force          even where this host cannot run what it would get: its logins are refused then\n" },
        { "home", "export", true, verb_home_export, "[OPTION]... NAME [PATH]...",
          "write files of an agent's home as a tar archive",
          "  -o, --output FILE      the archive, there only when it is complete; default: standard output\n"
          "  --ignore-failed-read   leave out what the agent itself cannot read, instead of failing\n"
          "  --live                 also while sessions of the account live: files may change meanwhile\n"
          "  PATH                   a file or directory of the home; default: all of it\n" },
        { "home", "import", true, verb_home_import, "[OPTION]... NAME", "unpack a tar archive in an agent's home",
          "  -i, --input FILE       the archive, not compressed; default: standard input\n"
          "  --live                 also while sessions of the account live\n" },
        { "guard", "on", true, verb_guard_on, "[--json]",
          "load the egress guard: agents' uids get no network on the host", "" },
        { "guard", "off", true, verb_guard_off, "[--json]", "unload the egress guard", "" },
        { "guard", "status", true, verb_guard_status, "[--json]", "try the egress guard and show what it refused", "" },
        { "guard", "sync", true, verb_guard_sync, "[--json]", "give the egress guard the agents' uids as they are now",
          "" },
        { "vm", "build", true, verb_vm_build, "[OPTION]...", "make a template for sessions in virtual machines",
          "  --kernel PATH    a kernel image; default: the newest one below /boot, cloud kernels first\n"
          "  --memory SIZE    memory of the guest; default 256M\n"
          "  --cpus N         its processors; default 1\n"
          "  --accel WORD     kvm, tcg or auto (the default: kvm where it is fast)\n"
          "  --root SOURCE    make an image of this root, too: host, or dir:PATH\n"
          "  --account NAME   make all that a login of this account needs, as its policy says, and nothing else\n" },
        { "vm", "list", true, verb_vm_list, "[--json]", "list the templates for sessions in virtual machines", "" },
        { "vm", "remove", true, verb_vm_remove, "TEMPLATE... | --stale | --all",
          "remove templates that no session uses",
          "  TEMPLATE         a template's name, or the beginning of one that fits no other\n"
          "  --stale          all that no login will use again\n"
          "  --all            all; the next login makes the one that it needs\n" },
        { "root", "list", true, verb_root_list, "[--json]", "list the images of roots that virtual machines share",
          "" },
        { "root", "remove", true, verb_root_remove, "IMAGE... | --all", "remove images that no session uses",
          "  IMAGE            an image's name, or the beginning of one that fits no other\n"
          "  --all            all; the next login makes the one that it needs\n" },
        { "doctor", NULL, true, verb_doctor, "[--json] [--live NAME]",
          "check this host and every agent account, with remedies; or test a session of one",
          "  --live NAME      open a session of the account through PAM, and test it from inside and outside\n" },
};

#define VERB_COUNT (sizeof(VERBS) / sizeof(VERBS[0]))

static void print_help(void)
{
        (void)puts("agentshctl - administers agent accounts\n\nUsage:");
        for (size_t i = 0; i < VERB_COUNT; i++)
                (void)printf("  agentshctl %s%s%s %s\n        %s\n", VERBS[i].family, VERBS[i].name != NULL ? " " : "",
                             VERBS[i].name != NULL ? VERBS[i].name : "", VERBS[i].synopsis, VERBS[i].summary);
        (void)puts("\n  --help, --version; 'agentshctl VERB --help' has a verb's options.\n"
                   "\nExit status: 0 done; 1 it could not be done, or a check has findings; 2 wrong usage.\n"
                   "See agentshctl(8), agentsh.ini(5).");
}

static void print_verb_help(const struct verb *verb, const char *full_name)
{
        (void)printf("Usage: %s %s\n%c%s.\n", full_name, verb->synopsis, verb->summary[0] - 'a' + 'A',
                     verb->summary + 1);
        if (verb->help[0] != '\0')
                (void)printf("\n%s", verb->help);
        (void)puts("\nExit status: 0 done; 1 it could not be done, or a check has findings; 2 wrong usage.");
}

static const struct verb *find_verb(int argc, char *const *argv)
{
        for (size_t i = 0; i < VERB_COUNT; i++)
                if (strcmp(argv[1], VERBS[i].family) == 0 &&
                    (VERBS[i].name == NULL || (argc > 2 && strcmp(argv[2], VERBS[i].name) == 0)))
                        return &VERBS[i];
        return NULL;
}

static bool asks_for_help(int argc, char *const *argv)
{
        for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
                if (strcmp(argv[i], "--help") == 0)
                        return true;
        return false;
}

static int run_verb(const struct verb *verb, int argc, char **argv)
{
        int words = verb->name == NULL ? 1 : 2;
        char full_name[64];

        (void)snprintf(full_name, sizeof(full_name), "agentshctl %s%s%s", verb->family, words == 2 ? " " : "",
                       words == 2 ? verb->name : "");
        if (asks_for_help(argc - words, argv + words)) {
                print_verb_help(verb, full_name);
                return finish_output(VERB_OK);
        }
        if (verb->root && geteuid() != 0) {
                output_note("\"%s\" is for root: run it with sudo", full_name);
                return VERB_FAILED;
        }
        argv[words] = full_name;
        return verb->run(argc - words, argv + words);
}

static int find_and_run(int argc, char **argv)
{
        const struct verb *verb = argc > 1 ? find_verb(argc, argv) : NULL;

        if (verb != NULL)
                return run_verb(verb, argc, argv);
        if (argc > 1 && strcmp(argv[1], "--version") == 0) {
                (void)puts("agentshctl " AGENTSH_VERSION);
                return finish_output(VERB_OK);
        }
        if (asks_for_help(argc, argv)) {
                print_help();
                return finish_output(VERB_OK);
        }
        if (argc > 1)
                return output_usage("agentshctl", "there is no verb \"%s%s%s\"", argv[1], argc > 2 ? " " : "",
                                    argc > 2 ? argv[2] : "");
        return output_usage("agentshctl", "what is to be done?");
}

int main(int argc, char **argv)
{
        struct error err = ERROR_INIT;

        if (fd_open_stdio(&err) < 0)
                return VERB_FAILED;
        return find_and_run(argc, argv);
}
