/*
 * jail_run - starts a jail with a default policy, without PAM or monitor, and runs a command in it. For development.
 *
 *   jail_run [OPTIONS] [--] COMMAND [ARGUMENT...]
 *   jail_run [OPTIONS] --probe FILE [ARGUMENT...]    a program of the host's, which need not be in the view
 *   jail_run [OPTIONS] --bench N                     N jails: time from start to the execution of init, in microseconds
 *
 * OPTIONS: --chroot --nested --fake-root --strict --ephemeral
 */
#include "common/process.h"
#include "tests/lib/jail_lab.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct options {
        bool chroot, nested, fake_root, strict, ephemeral;
        const char *probe;
        unsigned bench;
};

static double microseconds(void)
{
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
        double left = *(const double *)a, right = *(const double *)b;

        return (left > right) - (left < right);
}

static int bench(struct jail_lab *lab, unsigned count, struct error *err)
{
        double *times = calloc(count, sizeof(*times));
        int r = times == NULL ? error_errno(err, ENOMEM, "cannot keep the times") : 0;

        for (unsigned i = 0; r >= 0 && i < count; i++) {
                struct timespec pause = { .tv_nsec = 5000000 };
                double begin = microseconds();

                r = jail_lab_start(lab, err);
                times[i] = microseconds() - begin;
                if (r >= 0)
                        r = jail_lab_stop(lab, err);
                (void)nanosleep(&pause, NULL);
        }
        if (r >= 0) {
                qsort(times, count, sizeof(*times), compare);
                (void)printf("min %.0f median %.0f p95 %.0f us\n", times[0], times[count / 2], times[count * 95 / 100]);
        }
        free(times);
        return r;
}

static int run(struct jail_lab *lab, const struct options *options, const char *const *arguments, struct error *err)
{
        int status = 0;
        int r = jail_lab_start(lab, err);

        if (r >= 0)
                r = jail_lab_run(lab, options->probe, arguments, (const int[]){ 0, 1, 2 }, &status, err);
        if (r < 0)
                return r;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static bool parse(int argc, char **argv, struct options *ret)
{
        static const struct option names[] = {
                { "chroot", no_argument, NULL, 'c' },      { "nested", no_argument, NULL, 'n' },
                { "fake-root", no_argument, NULL, 'f' },   { "strict", no_argument, NULL, 's' },
                { "ephemeral", no_argument, NULL, 'e' },   { "probe", required_argument, NULL, 'p' },
                { "bench", required_argument, NULL, 'b' }, { NULL, 0, NULL, 0 },
        };
        int option;

        while ((option = getopt_long(argc, argv, "+", names, NULL)) >= 0) {
                switch (option) {
                case 'c':
                        ret->chroot = true;
                        break;
                case 'n':
                        ret->nested = true;
                        break;
                case 'f':
                        ret->fake_root = true;
                        break;
                case 's':
                        ret->strict = true;
                        break;
                case 'e':
                        ret->ephemeral = true;
                        break;
                case 'p':
                        ret->probe = optarg;
                        break;
                case 'b':
                        ret->bench = (unsigned)strtoul(optarg, NULL, 10);
                        break;
                default:
                        return false;
                }
        }
        return ret->bench > 0 || ret->probe != NULL || optind < argc;
}

int main(int argc, char **argv)
{
        static struct jail_lab lab;
        struct options options = { .probe = NULL };
        struct error err = ERROR_INIT;
        const char **arguments;
        int r;

        if (!parse(argc, argv, &options)) {
                (void)fprintf(stderr,
                              "usage: jail_run [--chroot|--nested|--fake-root|--strict|--ephemeral] [--bench N] "
                              "[--probe FILE] [COMMAND...]\n");
                return 2;
        }
        r = jail_lab_open(&lab, &err);
        lab.policy.tier = options.chroot ? TIER_CHROOT : TIER_JAIL;
        lab.policy.nested = options.nested;
        lab.policy.fake_root = options.fake_root;
        lab.policy.seccomp = options.strict ? SECCOMP_STRICT : SECCOMP_DEFAULT;
        lab.policy.home_mode = options.ephemeral ? HOME_EPHEMERAL : HOME_PERSISTENT;
        /* A probe's argv[0] is its path. */
        arguments = calloc((size_t)argc + 2, sizeof(*arguments));
        for (int i = optind, used = 0; arguments != NULL && i <= argc; i++) {
                if (i == optind && options.probe != NULL)
                        arguments[used++] = options.probe;
                arguments[used++] = argv[i];
        }
        if (r >= 0)
                r = options.bench > 0 ? bench(&lab, options.bench, &err) : run(&lab, &options, arguments, &err);
        if (r < 0)
                (void)fprintf(stderr, "jail_run: %s\n", err.text);
        free(arguments);
        jail_lab_close(&lab);
        return r < 0 ? 125 : r;
}
