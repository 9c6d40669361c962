/* live_probe.c - feeds agentsh-probe to a session and reads its answers. Root. */
#include "admin/live_probe.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#define PROGRAM     AGENTSH_LIBEXEC_DIR "/agentsh-probe"
#define PROGRAM_MAX (8 * 1024 * 1024)
#define OUTPUT_MAX  (256 * 1024)
#define ANSWER_MS   20000 /* until the first byte: the time for the isolation to be made, on a busy host */
#define TIMEOUT_MS  60000
#define LAST_LINE   "section=end\n"

int live_probe_prepare(struct live_probe *ret, const struct live_bait *bait, struct error *err)
{
        cleanup_close int fd = fd_open_absolute(PROGRAM, O_RDONLY, 0, err);
        char arguments[320];
        int r;

        if (fd < 0)
                return fd;
        r = fd_check_root_owned(fd, S_IFREG, PROGRAM, err);
        if (r >= 0)
                r = fd_read_all(fd, PROGRAM_MAX, &ret->program, &ret->size, err);
        if (r < 0)
                return r;
        (void)snprintf(arguments, sizeof(arguments), "%d %s %s %s %u", (int)getpid(), bait->key, bait->abstract,
                       bait->directory, bait->port);
        /* No variable, quote or keyword: any shell understands it. The name in /tmp is a random one. */
        (void)snprintf(ret->command, sizeof(ret->command),
                       "echo begin && test -x " PROGRAM " && exec " PROGRAM " %s || head -c %zu >/tmp/.%s && "
                       "chmod 700 /tmp/.%s && /tmp/.%s %s",
                       arguments, ret->size, bait->abstract, bait->abstract, bait->abstract, arguments);
        return 0;
}

void live_probe_done(struct live_probe *probe)
{
        free(probe->program);
        *probe = (struct live_probe){ 0 };
}

struct exchange {
        const char *program;
        size_t left; /* bytes of the program that are not yet written */
        char *output;
        size_t size;
        uint64_t first_usec;
};

static void feed(struct exchange *exchange, int fd)
{
        ssize_t put = write(fd, exchange->program, exchange->left);

        if (put > 0) {
                exchange->program += put;
                exchange->left -= (size_t)put;
        } else if (put < 0 && errno != EAGAIN && errno != EINTR) {
                /* The command has ended: what it said is still to be read. */
                exchange->left = 0;
        }
}

/* false at the end: of the file, of the room, or of what the probe has to say. */
static bool take(struct exchange *exchange, int fd)
{
        ssize_t got = read(fd, exchange->output + exchange->size, OUTPUT_MAX - exchange->size);

        if (got < 0)
                return errno == EINTR || errno == EAGAIN;
        if (got == 0)
                return false;
        if (exchange->first_usec == 0)
                exchange->first_usec = live_now_usec();
        exchange->size += (size_t)got;
        exchange->output[exchange->size] = '\0';
        return exchange->size < OUTPUT_MAX && strstr(exchange->output, LAST_LINE) == NULL;
}

static void run(struct exchange *exchange, const struct live_session *session)
{
        uint64_t start = process_monotonic_ms();
        bool more = true;

        while (more) {
                struct pollfd fds[] = { { .fd = session->output, .events = POLLIN },
                                        { .fd = exchange->left > 0 ? session->input : -1, .events = POLLOUT } };
                uint64_t deadline = start + (exchange->first_usec == 0 ? ANSWER_MS : TIMEOUT_MS);
                uint64_t now = process_monotonic_ms();
                int ready = poll(fds, 2, now < deadline ? (int)(deadline - now) : 0);

                if (ready == 0 || (ready < 0 && errno != EINTR))
                        return;
                if (ready > 0 && fds[1].revents != 0)
                        feed(exchange, session->input);
                if (ready > 0 && fds[0].revents != 0)
                        more = take(exchange, session->output);
        }
}

int live_probe_run(struct live_probe *probe, const struct live_session *session, struct live_facts *ret,
                   struct error *err)
{
        struct exchange exchange = { .program = probe->program, .left = probe->size };
        struct sigaction ignore = { .sa_handler = SIG_IGN };

        exchange.output = malloc(OUTPUT_MAX + 1);
        if (exchange.output == NULL)
                return error_errno(err, ENOMEM, "cannot read what the probe prints");
        exchange.output[0] = '\0';
        if (sigaction(SIGPIPE, &ignore, NULL) < 0 || fcntl(session->input, F_SETFL, O_NONBLOCK) < 0) {
                free(exchange.output);
                return error_errno(err, errno, "cannot prepare the way to the probe");
        }
        run(&exchange, session);
        probe->answer_usec = exchange.first_usec;
        return live_facts_parse(exchange.output, ret, err);
}
