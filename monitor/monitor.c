/*
 * monitor.c - agentsh-monitor: the root process of one session, or the listener that forks them. Options and exit
 * statuses: agentsh-monitor(8).
 */
#include "common/cleanup.h"
#include "common/fault.h"
#include "common/fd.h"
#include "common/paths.h"
#include "common/process.h"
#include "monitor/listen.h"
#include "monitor/log.h"
#include "monitor/make.h"
#include "monitor/probe.h"
#include "monitor/server.h"
#include "monitor/session.h"
#include "monitor/sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#define EXIT_USAGE      2
#define FIRST_PASSED_FD 3 /* SD_LISTEN_FDS_START */

enum mode {
        MODE_SERVE,
        MODE_LISTEN,
        MODE_SWEEP,
        MODE_PROBE,
        MODE_PROBE_ACCOUNT,
        MODE_MAKE,
        MODE_MAKE_ROOT,
        MODE_STEPS
};

struct options {
        enum mode mode;
        const char *socket;
        const char *log;
        const char *pidfile;
        const char *subject; /* the account, or the source of a root */
};

static void print_help(void)
{
        (void)printf("agentsh-monitor: makes, watches and removes the isolation of agents' sessions\n\n"
                     "  agentsh-monitor                serve the connection that systemd passed (LISTEN_FDS)\n"
                     "  agentsh-monitor --listen       accept on the control socket, one monitor per connection\n"
                     "      --socket PATH              instead of %s\n"
                     "      --pidfile PATH             write the listener's pid there\n"
                     "  agentsh-monitor --sweep        remove what killed monitors left\n"
                     "  agentsh-monitor --probe        print what this host can do\n"
                     "  agentsh-monitor --probe-account NAME\n"
                     "                                 print what a login of the account would get\n"
                     "  agentsh-monitor --make-for NAME\n"
                     "                                 make what virtual machines of the account start from\n"
                     "  agentsh-monitor --make-root SOURCE\n"
                     "                                 make the image of a root: host, or dir:PATH\n"
                     "      --log PATH                 log to this file beside syslog\n"
                     "      --version, --help\n",
                     AGENTSH_CONTROL_SOCKET);
}

/* Returns -1 to go on, else the exit status. */
static int parse_options(int argc, char **argv, struct options *ret)
{
        static const struct option known[] = {
                { "listen", no_argument, NULL, 'l' },
                { "socket", required_argument, NULL, 's' },
                { "pidfile", required_argument, NULL, 'p' },
                { "sweep", no_argument, NULL, 'w' },
                { "probe", no_argument, NULL, 'b' },
                { "log", required_argument, NULL, 'o' },
                { "probe-account", required_argument, NULL, 'a' },
                { "make-for", required_argument, NULL, 'm' },
                { "make-root", required_argument, NULL, 'r' },
                { "list-steps", no_argument, NULL, 't' },
                { "version", no_argument, NULL, 'v' },
                { "help", no_argument, NULL, 'h' },
                { NULL, 0, NULL, 0 },
        };
        int option;

        while ((option = getopt_long(argc, argv, "h", known, NULL)) != -1) {
                switch (option) {
                case 'l':
                        ret->mode = MODE_LISTEN;
                        break;
                case 'w':
                        ret->mode = MODE_SWEEP;
                        break;
                case 'b':
                        ret->mode = MODE_PROBE;
                        break;
                case 'a':
                        ret->mode = MODE_PROBE_ACCOUNT;
                        ret->subject = optarg;
                        break;
                case 'm':
                        ret->mode = MODE_MAKE;
                        ret->subject = optarg;
                        break;
                case 'r':
                        ret->mode = MODE_MAKE_ROOT;
                        ret->subject = optarg;
                        break;
                case 't':
                        ret->mode = MODE_STEPS;
                        break;
                case 's':
                        ret->socket = optarg;
                        break;
                case 'p':
                        ret->pidfile = optarg;
                        break;
                case 'o':
                        ret->log = optarg;
                        break;
                case 'v':
                        (void)printf("agentsh-monitor %s\n", AGENTSH_VERSION);
                        return EXIT_SUCCESS;
                case 'h':
                        print_help();
                        return EXIT_SUCCESS;
                default:
                        (void)fprintf(stderr, "Try 'agentsh-monitor --help'.\n");
                        return EXIT_USAGE;
                }
        }
        if (optind < argc) {
                (void)fprintf(stderr, "agentsh-monitor: unexpected argument %s\n", argv[optind]);
                return EXIT_USAGE;
        }
        return -1;
}

static int write_pidfile(const char *path, struct error *err)
{
        char text[16];
        int length = snprintf(text, sizeof(text), "%d\n", (int)getpid());
        cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);

        if (fd < 0)
                return error_errno(err, errno, "cannot create %s", path);
        return fd_write_all(fd, text, (size_t)length, path, err);
}

/*
 * The system's memory killer should prefer anything to the process that watches a session. A container's root may lack
 * CAP_SYS_RESOURCE for it: then the listener is as likely a victim as others, and sessions go on without it.
 */
static void protect_from_oom(void)
{
        cleanup_close int proc = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
        struct error err = ERROR_INIT;

        if (proc < 0 || fd_write_file_at(proc, "oom_score_adj", "-900", &err) < 0)
                log_line(LOG_WARNING, "not protected from the memory killer: %s", err.text);
}

static int run_listener(const struct options *options, struct error *err)
{
        const char *socket = options->socket != NULL ? options->socket : AGENTSH_CONTROL_SOCKET;
        int r = 0;

        protect_from_oom();
        if (options->pidfile != NULL)
                r = write_pidfile(options->pidfile, err);
        return r < 0 ? r : listen_run(socket, err);
}

static int serve_passed(struct error *err)
{
        const char *count = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID");
        uint64_t wanted;

        if (count == NULL || strcmp(count, "1") != 0 || pid == NULL ||
            parse_number(pid, 1, INT32_MAX, &wanted, err) < 0 || wanted != (uint64_t)getpid())
                return error_text(err, EINVAL,
                                  "no connection was passed: this is for systemd's agentsh.socket "
                                  "(elsewhere: agentsh-monitor --listen)");
        if (fcntl(FIRST_PASSED_FD, F_SETFD, FD_CLOEXEC) < 0 || fcntl(FIRST_PASSED_FD, F_SETFL, O_NONBLOCK) < 0)
                return error_errno(err, errno, "the passed connection cannot be used");
        return server_run(FIRST_PASSED_FD, err);
}

static int list_steps(struct error *err)
{
#ifdef AGENTSH_FAULTS
        (void)err;
        for (size_t i = 0; session_step_name(i) != NULL; i++)
                (void)printf("%s\n", session_step_name(i));
        for (size_t i = 0; tier_jail_step_name(i) != NULL; i++)
                (void)printf("%s\n", tier_jail_step_name(i));
        return 0;
#else
        return error_text(err, ENOTSUP, "this build has no fault injection");
#endif
}

static int prepare(const struct options *options, struct error *err)
{
        int r = fd_open_stdio(err);

        if (r < 0)
                return r;
        (void)umask(022);
        if (chdir("/") < 0)
                return error_errno(err, errno, "cannot change to /");
        if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return error_errno(err, errno, "cannot make the process undumpable");
        r = process_reset_signals(err);
        return r < 0 ? r : log_open(options->log, err);
}

static int run(const struct options *options, struct error *err)
{
        int r;

        if (options->mode == MODE_STEPS)
                return list_steps(err);
        if (geteuid() != 0)
                return error_text(err, EPERM, "agentsh-monitor must run as root");
        r = prepare(options, err);
        if (r < 0)
                return r;
        switch (options->mode) {
        case MODE_LISTEN:
                return run_listener(options, err);
        case MODE_SWEEP:
                return sweep_run(err);
        case MODE_PROBE:
                return probe_print(stdout) ? 0 : error_text(err, ENOTSUP, "the jail cannot run on this host");
        case MODE_PROBE_ACCOUNT:
                return probe_account_print(stdout, options->subject) ? 0
                                                                     : error_text(err, EACCES, "it would be refused");
        case MODE_MAKE:
                return make_for_account(options->subject, err);
        case MODE_MAKE_ROOT:
                return make_root(options->subject, err);
        case MODE_SERVE:
                return serve_passed(err);
        case MODE_STEPS:
                break;
        }
        return -EINVAL;
}

int main(int argc, char **argv)
{
        struct options options = { .mode = MODE_SERVE };
        struct error err = ERROR_INIT;
        int status = parse_options(argc, argv, &options);

        if (status >= 0)
                return status;
        if (run(&options, &err) >= 0)
                return EXIT_SUCCESS;
        (void)fprintf(stderr, "agentsh-monitor: %s\n", err.text);
        if (options.mode == MODE_LISTEN || options.mode == MODE_SERVE)
                log_line(LOG_ERR, "%s", err.text);
        return EXIT_FAILURE;
}
