/*
 * agentsh.c - the login shell: hands its standard streams to the session that the PAM module opened, and ends as the
 * command inside ends. Runs as the agent, outside, with no privilege; static, reads no file of the agent's.
 */
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/paths.h"
#include "common/process.h"
#include "shell/agentsh_confine.h"
#include "shell/agentsh_end.h"
#include "shell/agentsh_inside.h"
#include "shell/agentsh_invocation.h"
#include "shell/agentsh_relay.h"
#include "shell/agentsh_request.h"
#include "shell/agentsh_session.h"
#include "shell/agentsh_signals.h"
#include "shell/agentsh_stdio.h"
#include "shell/agentsh_tty.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static const char usage[] =
        "usage: agentsh [-c COMMAND]\n"
        "       agentsh --help | --version\n"
        "The login shell of an agent's account: runs a shell, or COMMAND, in the account's isolation.\n";

/* A channel that was granted. */
struct channel {
        struct session session;
        struct inside inside;
};

struct outcome {
        enum relay_end end;
        struct attach_reply reply;
        bool terminal; /* somebody reads stderr */
};

static int protect(struct error *err)
{
        const struct rlimit none = { 0, 0 };
        int r;

        if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
                return error_errno(err, errno, "cannot protect the login shell");
        r = fd_open_stdio(err);
        if (r < 0)
                return r;
        if (getuid() == 0 || geteuid() == 0)
                return error_text(err, EPERM, "root cannot be an agent");
        r = process_reset_signals(err);
        if (r < 0)
                return r;
        /* A reader of our messages that has gone changes nothing about how we end. */
        if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
                return error_errno(err, errno, "cannot ignore SIGPIPE");
        return 0;
}

/* In a machine, when it is the first of its kind, making what it starts from takes a minute or more. */
static int wait_for_machine(struct inside *inside, const struct stdio *stdio, struct error *err)
{
        struct pollfd item = { .fd = inside->socket, .events = POLLIN };

        if (poll(&item, 1, REMOTE_QUIET_MS) == 0)
                end_say("the virtual machine is being made ready, which can take minutes the first time: please wait");
        return request_wait(inside, stdio, REMOTE_WAIT_MS, err);
}

static int ask(const struct invocation *invocation, const struct stdio *stdio, const struct tty *tty,
               struct channel *channel, struct error *err)
{
        cleanup_free char *patterns = NULL;
        bool remote = false;
        int r = session_open(getenv(AGENTSH_SOCKET_VARIABLE), AGENTSH_SESSIONS_DIR, &channel->session, err);

        if (r < 0)
                return r;
        r = session_read_keep(&channel->session, &patterns, err);
        if (r < 0)
                return r;
        channel->inside.socket = channel->session.socket;
        r = session_is_remote(&channel->session, &remote, err);
        if (r < 0)
                return r;
        channel->inside.remote = remote && stdio_wants_pty(stdio);
        r = request_send(&channel->inside, invocation, stdio, tty, patterns, environ, err);
        if (r < 0)
                return r;
        return remote ? wait_for_machine(&channel->inside, stdio, err)
                      : request_wait(&channel->inside, stdio, REQUEST_WAIT_MS, err);
}

/* Lets go of all that the relay does not need. Returns the signalfd. */
static int prepare_relay(const struct stdio *stdio, const struct channel *channel, const struct tty *tty,
                         struct error *err)
{
        cleanup_close int signals = -EBADF;
        int keep[] = { channel->inside.socket, channel->inside.stream, tty->parent_stat, -1 };
        int r = stdio_release(stdio, err);

        if (r < 0)
                return r;
        signals = signals_catch(err);
        if (signals < 0)
                return signals;
        keep[3] = signals;
        r = fd_close_others(3, keep, sizeof(keep) / sizeof(keep[0]), err);
        if (r < 0)
                return r;
        r = confine_enter(err);
        if (r < 0)
                return r;
        return TAKE_FD(signals);
}

static int run(const struct invocation *invocation, struct outcome *ret, struct error *err)
{
        struct channel channel = { .session = SESSION_INIT, .inside = INSIDE_INIT };
        struct stdio stdio;
        struct tty tty;
        int signals, r;

        r = protect(err);
        if (r < 0)
                return r;
        r = stdio_inspect(&stdio, err);
        if (r < 0)
                return r;
        r = tty_open(&stdio, &tty, err);
        if (r < 0)
                return r;
        r = ask(invocation, &stdio, &tty, &channel, err);
        if (r < 0)
                return r;
        signals = prepare_relay(&stdio, &channel, &tty, err);
        if (signals < 0)
                return signals;
        ret->end = relay_run(&channel.inside, signals, &tty, &ret->reply);
        ret->terminal = (stdio.passed & ATTACH_STDERR_PASSED) == 0;
        return 0;
}

static int say_usage(int fd)
{
        return write(fd, usage, sizeof(usage) - 1) < 0 ? END_REFUSED : fd == STDOUT_FILENO ? 0 : END_USAGE;
}

static int say_version(void)
{
        static const char text[] = "agentsh " AGENTSH_VERSION "\n";

        return write(STDOUT_FILENO, text, sizeof(text) - 1) < 0 ? END_REFUSED : 0;
}

_Noreturn static void end(const struct outcome *outcome)
{
        if (outcome->end == RELAY_HANGUP)
                end_as(SIGHUP);
        if (outcome->end == RELAY_LOST) {
                end_say("the session ended");
                _exit(END_REFUSED);
        }
        if (outcome->terminal)
                end_report(&outcome->reply);
        end_as(outcome->reply.wait_status);
}

int main(int argc, char **argv)
{
        struct error err = ERROR_INIT;
        struct invocation invocation;
        struct outcome outcome;

        if (invocation_parse(argc, argv, getenv(ORIGINAL_COMMAND), &invocation, &err) < 0) {
                end_say(err.text);
                return say_usage(STDERR_FILENO);
        }
        if (invocation.kind == INVOCATION_HELP)
                return say_usage(STDOUT_FILENO);
        if (invocation.kind == INVOCATION_VERSION)
                return say_version();
        if (run(&invocation, &outcome, &err) < 0) {
                end_say(err.text);
                return END_REFUSED;
        }
        end(&outcome);
}
