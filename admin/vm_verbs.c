/* vm_verbs.c - agentshctl vm build: makes the templates that sessions in virtual machines start from. Root. */
#include "admin/output.h"
#include "admin/verb.h"
#include "common/cleanup.h"
#include "common/parse.h"
#include "common/paths.h"
#include "vm/host.h"
#include "vm/template.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void print_progress(void *context, const char *text)
{
        (void)context;
        (void)fprintf(stderr, "%s...\n", text);
}

static int take_option(int option, struct vm_wish *wish, struct error *err)
{
        uint64_t number;
        int r = 0;

        switch (option) {
        case 'k':
                wish->kernel = optarg;
                return parse_path(optarg, err);
        case 'm':
                return parse_size(optarg, &wish->memory, err);
        case 'c':
                r = parse_number(optarg, 1, 64, &number, err);
                wish->cpus = r >= 0 ? (unsigned)number : 1;
                return r;
        case 'a':
                return vm_parse_accel(optarg, &wish->accel, err);
        default:
                return -EINVAL;
        }
}

int verb_vm_build(int argc, char **argv)
{
        static const struct option options[] = { { "kernel", required_argument, NULL, 'k' },
                                                 { "memory", required_argument, NULL, 'm' },
                                                 { "cpus", required_argument, NULL, 'c' },
                                                 { "accel", required_argument, NULL, 'a' },
                                                 { NULL, 0, NULL, 0 } };
        const struct vm_progress progress = { .say = print_progress };
        struct vm_wish wish = VM_WISH_DEFAULT;
        struct error err = ERROR_INIT;
        struct vm_host host;
        char key[17];
        int option;

        while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
                if (option == '?')
                        return output_usage(argv[0], "an option is wrong");
                if (take_option(option, &wish, &err) < 0)
                        return output_usage(argv[0], "%s", err.text);
        }
        if (optind != argc)
                return output_usage(argv[0], "there are no operands");
        if (vm_host_find(&wish, &host, &err) < 0 || vm_template_build(&host.machine, &progress, key, &err) < 0)
                return output_error(&err);
        (void)printf("%s\n", key);
        return finish_output(VERB_OK);
}
