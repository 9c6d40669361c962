/*
 * relay.c - agentsh-relay, process 1 of a jail whose session runs in a machine of its own: takes attaches as
 * agentsh-init does, and carries them over a byte stream to agentsh-guest. Without capabilities; the monitor has
 * installed the seccomp filter.
 */
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/parse.h"
#include "common/process.h"
#include "shell/relay_serve.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#define RELAY_STREAM_FD "5"

static const struct option options[] = {
        { "freeze", no_argument, NULL, 'f' },          { "gid", required_argument, NULL, 'g' },
        { "host-name", required_argument, NULL, 'n' }, { "machine-id", required_argument, NULL, 'i' },
        { "root", required_argument, NULL, 'r' },      { "root-size", required_argument, NULL, 's' },
        { "home", required_argument, NULL, 'm' },      { NULL, 0, NULL, 0 },
};

static int copy(char *ret, size_t size, const char *text, struct error *err)
{
        size_t length = strlen(text);

        if (length >= size)
                return error_text(err, EINVAL, "\"%.40s\" is too long", text);
        memcpy(ret, text, length + 1);
        return 0;
}

/* SERIAL:TYPE */
static int take_disk(struct frame_disk *ret, const char *text, struct error *err)
{
        const char *colon = strchr(text, ':');
        char serial[sizeof(ret->serial)] = "";

        if (colon == NULL || (size_t)(colon - text) >= sizeof(serial))
                return error_text(err, EINVAL, "\"%.40s\" is not SERIAL:TYPE", text);
        memcpy(serial, text, (size_t)(colon - text));
        memcpy(ret->serial, serial, sizeof(serial));
        return copy(ret->type, sizeof(ret->type), colon + 1, err);
}

static int take_option(int option, const char *value, struct frame_setup *setup, struct error *err)
{
        uint64_t number;
        int r;

        switch (option) {
        case 'g':
                r = parse_number(value, 1, UINT32_MAX - 1, &number, err);
                if (r == 0)
                        setup->gid = (uint32_t)number;
                return r;
        case 'n':
                return copy(setup->host_name, sizeof(setup->host_name), value, err);
        case 'i':
                return copy(setup->machine_id, sizeof(setup->machine_id), value, err);
        case 'r':
                return take_disk(&setup->root, value, err);
        case 's':
                return parse_number(value, 1, INT64_MAX, &setup->root_size, err);
        case 'm':
                return take_disk(&setup->home, value, err);
        default:
                return error_text(err, EINVAL, "an unknown option");
        }
}

static int take_options(int argc, char **argv, bool *ret_freeze, struct frame_setup *setup, struct error *err)
{
        int option, r = 0;

        opterr = 0;
        while (r == 0 && (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
                if (option == 'f')
                        *ret_freeze = true;
                else
                        r = take_option(option, optarg, setup, err);
        }
        if (r == 0 && optind != argc)
                return error_text(err, EINVAL, "an argument that is no option");
        return r;
}

/* A line to the monitor and a listener there are only for a session. */
static int prepare(bool freeze, struct error *err)
{
        const int keep[] = { 5, STATUS_FD, ATTACH_LISTEN_FD };
        size_t count = freeze ? 1 : 3;
        int r;

        if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return error_errno(err, errno, "cannot protect process 1");
        r = fd_open_stdio(err);
        if (r == 0)
                r = fd_close_others(3, keep, count, err);
        for (size_t i = 1; r == 0 && i < count; i++)
                if (fcntl(keep[i], F_SETFD, FD_CLOEXEC) < 0)
                        r = error_errno(err, errno, "fd %d is missing", keep[i]);
        if (r == 0 && !freeze && fcntl(ATTACH_LISTEN_FD, F_SETFL, O_NONBLOCK) < 0)
                r = error_errno(err, errno, "cannot set up the attach socket");
        if (r == 0 && chdir("/") < 0)
                r = error_errno(err, errno, "cannot enter /");
        if (r == 0)
                r = process_reset_signals(err);
        /* A client's pipe that is closed, or file that is full, is the end of one stream, not ours. */
        if (r == 0 && (signal(SIGPIPE, SIG_IGN) == SIG_ERR || signal(SIGXFSZ, SIG_IGN) == SIG_ERR))
                r = error_errno(err, errno, "cannot ignore signals");
        return r;
}

static int run(struct relay *relay, int argc, char **argv, struct error *err)
{
        bool freeze = false;
        int r = take_options(argc, argv, &freeze, &relay->setup, err), stream;

        if (r == 0)
                r = prepare(freeze, err);
        if (r < 0)
                return r;
        stream = transport_inherited.open(RELAY_STREAM_FD, err);
        if (stream < 0)
                return stream;
        relay_begin(relay, freeze ? -1 : STATUS_FD, freeze ? -1 : ATTACH_LISTEN_FD,
                    (struct transport){ &transport_inherited, stream }, process_monotonic_ms());
        r = freeze ? relay_freeze(relay, err) : relay_serve(relay, err);
        relay_done(relay);
        return r;
}

int main(int argc, char **argv)
{
        /* From the heap, so that of the large buffers only what is used is ever touched. */
        cleanup_free struct relay *relay = calloc(1, sizeof(*relay));
        struct error err = ERROR_INIT;
        int r = relay == NULL ? error_errno(&err, ENOMEM, "cannot start") : run(relay, argc, argv, &err);

        if (r == 0)
                return 0;
        (void)dprintf(STDERR_FILENO, "agentsh-relay: %s\n", err.text);
        return 1;
}
