/* vm_verbs.c - agentshctl vm build: makes the templates that sessions in virtual machines start from. Root. */
#include "admin/output.h"
#include "admin/verb.h"
#include "common/cleanup.h"
#include "common/parse.h"
#include "common/paths.h"
#include "vm/host.h"
#include "vm/template.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MONITOR AGENTSH_LIBEXEC_DIR "/agentsh-monitor"

static void print_progress(void *context, const char *text)
{
        (void)context;
        (void)fprintf(stderr, "%s...\n", text);
}

struct build {
        struct vm_wish wish;
        const char *root;    /* NULL: none is to be made */
        const char *account; /* NULL: what the options say */
        bool chosen;         /* an option says what a template is to be like */
};

static int take_option(int option, struct build *build, struct error *err)
{
        uint64_t number;
        int r = 0;

        build->chosen = build->chosen || option != 'n';
        switch (option) {
        case 'k':
                build->wish.kernel = optarg;
                return parse_path(optarg, err);
        case 'm':
                return parse_size(optarg, &build->wish.memory, err);
        case 'c':
                r = parse_number(optarg, 1, 64, &number, err);
                build->wish.cpus = r >= 0 ? (unsigned)number : 1;
                return r;
        case 'a':
                return vm_parse_accel(optarg, &build->wish.accel, err);
        case 'r':
                build->root = optarg;
                return 0;
        case 'n':
                build->account = optarg;
                return parse_account_name(optarg, err);
        default:
                return -EINVAL;
        }
}

/* What the monitor makes at a login, it makes now. Does not return when it goes well. */
static int become_monitor(const char *option, const char *subject)
{
        struct error err = ERROR_INIT;

        if (fflush(stdout) == 0)
                (void)execl(MONITOR, MONITOR, option, subject, (char *)NULL);
        (void)error_errno(&err, errno, "cannot execute " MONITOR);
        return output_error(&err);
}

static int build(const struct build *build)
{
        const struct vm_progress progress = { .say = print_progress };
        struct error err = ERROR_INIT;
        struct vm_host host;
        char key[17];

        if (build->account != NULL)
                return become_monitor("--make-for", build->account);
        if (vm_host_find(&build->wish, &host, &err) < 0 || vm_template_build(&host.machine, &progress, key, &err) < 0)
                return output_error(&err);
        (void)printf("%s\n", key);
        return build->root != NULL ? become_monitor("--make-root", build->root) : finish_output(VERB_OK);
}

int verb_vm_build(int argc, char **argv)
{
        static const struct option options[] = { { "kernel", required_argument, NULL, 'k' },
                                                 { "memory", required_argument, NULL, 'm' },
                                                 { "cpus", required_argument, NULL, 'c' },
                                                 { "accel", required_argument, NULL, 'a' },
                                                 { "root", required_argument, NULL, 'r' },
                                                 { "account", required_argument, NULL, 'n' },
                                                 { NULL, 0, NULL, 0 } };
        struct build wanted = { .wish = VM_WISH_DEFAULT };
        struct error err = ERROR_INIT;
        int option;

        while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
                if (option == '?')
                        return output_usage(argv[0], "an option is wrong");
                if (take_option(option, &wanted, &err) < 0)
                        return output_usage(argv[0], "%s", err.text);
        }
        if (optind != argc)
                return output_usage(argv[0], "there are no operands");
        if (wanted.account != NULL && wanted.chosen)
                return output_usage(argv[0], "--account says it all: leave the other options out");
        return build(&wanted);
}
