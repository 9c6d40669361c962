/* fake_monitor.c - answers on the control socket as a script says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/fake_monitor.h"

#include "common/paths.h"
#include "common/seqpacket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONNECTIONS_MAX 96

static pid_t read_pidfd(int fd)
{
        char path[64], line[128];
        int pid = 0;
        FILE *info;

        (void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
        info = fopen(path, "re");
        while (info != NULL && fgets(line, sizeof(line), info) != NULL)
                if (sscanf(line, "Pid: %d", &pid) == 1)
                        break;
        if (info != NULL)
                (void)fclose(info);
        return pid;
}

static struct control_reply good_reply(uint32_t kind)
{
        struct control_reply reply = { .magic = CONTROL_MAGIC };

        reply.verdict = kind == CONTROL_ACCOUNT ? CONTROL_ALLOWED : kind == CONTROL_OPEN ? CONTROL_READY : CONTROL_GONE;
        if (kind == CONTROL_OPEN) {
                strcpy(reply.session, FAKE_SESSION);
                strcpy(reply.socket, FAKE_SOCKET);
        }
        return reply;
}

static void refusal(struct control_reply *reply, const char *reason)
{
        reply->verdict = CONTROL_REFUSED;
        (void)snprintf(reply->reason, sizeof(reply->reason), "%s", reason);
}

static void spoil(struct control_reply *reply, enum act act)
{
        switch ((int)act) {
        case ACT_REFUSE:
                refusal(reply, FAKE_REASON);
                break;
        case ACT_REFUSE_MUTELY:
                refusal(reply, "");
                break;
        case ACT_ESCAPES:
                refusal(reply, "\x1b[2J");
                break;
        case ACT_UNTERMINATED:
                refusal(reply, "");
                memset(reply->reason, 'a', sizeof(reply->reason));
                break;
        case ACT_GARBAGE:
                memset(reply, 0xa5, sizeof(*reply));
                break;
        case ACT_MAGIC:
                reply->magic++;
                break;
        case ACT_VERDICT:
                reply->verdict = reply->verdict == CONTROL_GONE ? CONTROL_ALLOWED : CONTROL_GONE;
                break;
        case ACT_SOCKET_AWAY:
                strcpy(reply->socket, "/tmp/attach");
                break;
        case ACT_SOCKET_DOTDOT:
                strcpy(reply->socket, AGENTSH_SESSIONS_DIR "/../../../tmp/attach");
                break;
        case ACT_SOCKET_PREFIX:
                strcpy(reply->socket, AGENTSH_SESSIONS_DIR "x/attach");
                break;
        default:
                break;
        }
}

/* Whether the connection stays. */
static bool answer(int fd, uint32_t kind, enum act act)
{
        char bytes[8192] = { 0 };
        struct control_reply reply = good_reply(kind);
        size_t size = sizeof(reply);

        if (act == ACT_SILENCE)
                return true;
        if (act == ACT_HANGUP)
                return false;
        spoil(&reply, act);
        memcpy(bytes, &reply, sizeof(reply));
        size = act == ACT_SHORT ? size - 1 : act == ACT_LONG ? size + 1 : act == ACT_HUGE ? sizeof(bytes) : size;
        (void)!seqpacket_send(fd, bytes, size, (int[2]){ 2, 2 }, act == ACT_SEND_FDS ? 2 : 0, 1000, NULL);
        return act != ACT_REFUSE && act != ACT_GOOD_HANGUP;
}

static bool serve(int fd, const struct fake_script *script, struct fake_seen *seen)
{
        struct control_request request;
        char bytes[sizeof(request) + 1];
        int fds[SEQPACKET_FDS_MAX];
        size_t count;
        ssize_t size = seqpacket_receive(fd, bytes, sizeof(bytes), fds, SEQPACKET_FDS_MAX, &count, 0, NULL);

        if (size <= 0) {
                seen->ended++;
                return false;
        }
        if (control_parse_request(bytes, (size_t)size, &request, NULL) < 0 || seen->requests >= FAKE_SEEN) {
                seen->malformed++;
                seen->requests++;
                return false;
        }
        seen->request[seen->requests] = request;
        seen->pidfd_of[seen->requests] = count > 0 ? read_pidfd(fds[0]) : 0;
        for (size_t i = 0; i < count; i++)
                (void)close(fds[i]);
        seen->requests++;
        return answer(fd, request.kind,
                      request.kind == CONTROL_ACCOUNT ? script->account
                      : request.kind == CONTROL_OPEN  ? script->open
                                                      : script->close);
}

static _Noreturn void run(int listener, const struct fake_script *script, struct fake_seen *seen)
{
        struct pollfd items[CONNECTIONS_MAX] = { { .fd = listener, .events = POLLIN } };
        nfds_t count = 1;

        for (;;) {
                if (poll(items, count, -1) < 0)
                        continue;
                for (nfds_t i = count; i-- > 1;) {
                        if (items[i].revents == 0 || serve(items[i].fd, script, seen))
                                continue;
                        (void)close(items[i].fd);
                        items[i] = items[--count];
                }
                if (items[0].revents != 0 && count < CONNECTIONS_MAX) {
                        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

                        if (fd < 0)
                                continue;
                        seen->accepted++;
                        items[count++] = (struct pollfd){ .fd = fd, .events = POLLIN };
                }
        }
}

static _Noreturn void child(const struct fake_monitor *fake, const struct fake_script *script, int ready, pid_t parent)
{
        int listener;

        if (script->listener != 0 && setresuid(script->listener, script->listener, script->listener) < 0)
                _exit(1);
        /* After the change of uid, which would take it back. */
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
                _exit(0);
        listener = seqpacket_listen(fake->socket, 0600, script->no_accept ? 0 : 64, NULL);
        if (listener < 0)
                _exit(1);
        if (script->no_accept)
                while (seqpacket_connect(fake->socket, 0, NULL) >= 0)
                        continue;
        (void)close(ready);
        if (script->no_accept)
                for (;;)
                        (void)pause();
        run(listener, script, fake->seen);
}

void fake_monitor_start(struct fake_monitor *fake, const struct fake_script *script)
{
        pid_t parent = getpid();
        int ready[2];
        char byte;

        *fake = (struct fake_monitor){ .dir = "/tmp/agentsh-test-XXXXXX" };
        assert_non_null(mkdtemp(fake->dir));
        if (script->listener != 0)
                assert_int_equal(chown(fake->dir, script->listener, (gid_t)-1), 0);
        (void)snprintf(fake->socket, sizeof(fake->socket), "%s/control", fake->dir);
        fake->seen = mmap(NULL, sizeof(*fake->seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        assert_true(fake->seen != MAP_FAILED);
        assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
        fake->pid = fork();
        assert_true(fake->pid >= 0);
        if (fake->pid == 0)
                child(fake, script, ready[1], parent);
        (void)close(ready[1]);
        assert_int_equal(read(ready[0], &byte, 1), 0);
        (void)close(ready[0]);
        assert_int_equal(waitpid(fake->pid, NULL, WNOHANG), 0);
}

void fake_monitor_kill(struct fake_monitor *fake)
{
        if (fake->pid <= 0)
                return;
        (void)kill(fake->pid, SIGKILL);
        (void)waitpid(fake->pid, NULL, 0);
        fake->pid = 0;
}

void fake_monitor_stop(struct fake_monitor *fake)
{
        fake_monitor_kill(fake);
        (void)munmap(fake->seen, sizeof(*fake->seen));
        (void)unlink(fake->socket);
        assert_int_equal(rmdir(fake->dir), 0);
}

unsigned fake_monitor_count(const struct fake_monitor *fake, enum control_kind kind)
{
        unsigned count = 0;

        for (unsigned i = 0; i < fake->seen->requests && i < FAKE_SEEN; i++)
                count += fake->seen->request[i].kind == (uint32_t)kind;
        return count;
}

bool fake_monitor_wait(const volatile unsigned *number, unsigned wanted)
{
        for (int i = 0; i < 400 && *number < wanted; i++)
                (void)usleep(5000);
        return *number >= wanted;
}
