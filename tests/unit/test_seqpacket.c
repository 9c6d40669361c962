/* test_seqpacket.c - bounded messages with fds: no leak, no hang, no cut message, whatever the peer sends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "common/process.h"
#include "common/seqpacket.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>

static size_t count_fds(void)
{
        DIR *dir = opendir("/proc/self/fd");
        size_t count = 0;

        assert_non_null(dir);
        while (readdir(dir) != NULL)
                count++;
        (void)closedir(dir);
        return count;
}

static void make_pair(int pair[2])
{
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
}

static void close_pair(const int pair[2])
{
        (void)close(pair[0]);
        (void)close(pair[1]);
}

/* What a hostile peer does: any number of fds, any size, an empty message. */
static void send_raw(int fd, size_t size, int passed, size_t count)
{
        static char data[4096];
        char control[CMSG_SPACE(sizeof(int) * 253)] = { 0 };
        struct iovec part = { .iov_base = data, .iov_len = size };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

        if (count > 0) {
                struct cmsghdr *header;

                message.msg_control = control;
                message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
                header = CMSG_FIRSTHDR(&message);
                header->cmsg_level = SOL_SOCKET;
                header->cmsg_type = SCM_RIGHTS;
                header->cmsg_len = CMSG_LEN(sizeof(int) * count);
                for (size_t i = 0; i < count; i++)
                        memcpy(CMSG_DATA(header) + i * sizeof(int), &passed, sizeof(int));
        }
        assert_int_equal(sendmsg(fd, &message, MSG_NOSIGNAL), size);
}

static void test_round_trip(void **state)
{
        int pair[2], fds[SEQPACKET_FDS_MAX], sent[SEQPACKET_FDS_MAX] = { 0, 1, 2, 0 };
        char got[8];
        size_t count = 99;

        (void)state;
        make_pair(pair);
        for (size_t n = 0; n <= SEQPACKET_FDS_MAX; n++) {
                assert_int_equal(seqpacket_send(pair[0], "hello", 5, sent, n, 100, NULL), 0);
                assert_int_equal(
                        seqpacket_receive(pair[1], got, sizeof(got), fds, SEQPACKET_FDS_MAX, &count, 100, NULL), 5);
                assert_memory_equal(got, "hello", 5);
                assert_int_equal(count, n);
                for (size_t i = 0; i < n; i++) {
                        assert_true((fcntl(fds[i], F_GETFD) & FD_CLOEXEC) != 0);
                        (void)close(fds[i]);
                }
        }
        assert_int_equal(seqpacket_send(pair[0], "x", 1, sent, SEQPACKET_FDS_MAX + 1, 100, NULL), -E2BIG);
        close_pair(pair);
}

/* Boundaries stay: two messages are never one. */
static void test_boundaries(void **state)
{
        int pair[2];
        char got[8];
        size_t count;

        (void)state;
        make_pair(pair);
        assert_int_equal(seqpacket_send(pair[0], "ab", 2, NULL, 0, 100, NULL), 0);
        assert_int_equal(seqpacket_send(pair[0], "cd", 2, NULL, 0, 100, NULL), 0);
        assert_int_equal(seqpacket_receive(pair[1], got, sizeof(got), NULL, 0, &count, 100, NULL), 2);
        assert_int_equal(seqpacket_receive(pair[1], got, sizeof(got), NULL, 0, &count, 100, NULL), 2);
        assert_memory_equal(got, "cd", 2);
        close_pair(pair);
}

static void expect_refused(size_t size, size_t sent_fds, size_t fds_max)
{
        int pair[2], fds[SEQPACKET_FDS_MAX] = { -1, -1, -1, -1 };
        size_t before = count_fds(), count = 99;
        char got[64];

        make_pair(pair);
        send_raw(pair[0], size, pair[0], sent_fds);
        assert_int_equal(seqpacket_receive(pair[1], got, sizeof(got), fds, fds_max, &count, 100, NULL), -EBADMSG);
        assert_int_equal(count, 0);
        close_pair(pair);
        assert_int_equal(count_fds(), before);
}

static void test_hostile_messages(void **state)
{
        (void)state;
        expect_refused(65, 0, 4);
        expect_refused(4096, 0, 0);
        expect_refused(65, 4, 4);
        for (size_t max = 0; max <= SEQPACKET_FDS_MAX; max++)
                for (size_t sent = max + 1; sent <= 8; sent++)
                        expect_refused(8, sent, max);
        expect_refused(8, 253, 4);
        /* Empty, with fds: not an end that leaves the fds to nobody. */
        expect_refused(0, 1, 4);
        expect_refused(0, 4, 4);
        expect_refused(0, 8, 4);
}

static void test_peer_closed(void **state)
{
        int pair[2];
        char got[8];
        size_t count = 99;

        (void)state;
        make_pair(pair);
        (void)close(pair[0]);
        assert_int_equal(seqpacket_receive(pair[1], got, sizeof(got), NULL, 0, &count, 100, NULL), 0);
        assert_int_equal(count, 0);
        /* No SIGPIPE: the default action would end the test. */
        assert_int_equal(seqpacket_send(pair[1], "x", 1, NULL, 0, 100, NULL), -EPIPE);
        (void)close(pair[1]);
        assert_int_equal(seqpacket_send(-1, "x", 1, NULL, 0, 100, NULL), -EBADF);
        assert_int_equal(seqpacket_receive(-1, got, 1, NULL, 0, &count, 100, NULL), -EBADF);
}

static void test_receive_timeout(void **state)
{
        int pair[2];
        char got[8];
        size_t count;
        uint64_t start = process_monotonic_ms();

        (void)state;
        make_pair(pair);
        assert_int_equal(seqpacket_receive(pair[1], got, sizeof(got), NULL, 0, &count, 60, NULL), -ETIMEDOUT);
        assert_in_range(process_monotonic_ms() - start, 55, 1000);
        assert_int_equal(seqpacket_receive(pair[1], got, sizeof(got), NULL, 0, &count, 0, NULL), -ETIMEDOUT);
        close_pair(pair);
}

/* A peer that does not read. */
static void test_send_timeout(void **state)
{
        static char data[1024];
        int pair[2], r = 0;
        uint64_t start;

        (void)state;
        make_pair(pair);
        for (int i = 0; i < 100000 && r == 0; i++) {
                start = process_monotonic_ms();
                r = seqpacket_send(pair[0], data, sizeof(data), NULL, 0, 60, NULL);
        }
        assert_int_equal(r, -ETIMEDOUT);
        assert_in_range(process_monotonic_ms() - start, 55, 1000);
        close_pair(pair);
}

static void count_signal(int number)
{
        (void)number;
}

/* Signals all the time: the wait goes on, and still ends. */
static void test_interrupted(void **state)
{
        struct sigaction action = { .sa_handler = count_signal }, old;
        struct itimerval often = { .it_interval.tv_usec = 3000, .it_value.tv_usec = 3000 }, never = { 0 };
        uint64_t start = process_monotonic_ms();
        int pair[2], r;
        char got[8];
        size_t count;

        (void)state;
        make_pair(pair);
        assert_int_equal(sigaction(SIGALRM, &action, &old), 0);
        assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
        r = (int)seqpacket_receive(pair[1], got, sizeof(got), NULL, 0, &count, 100, NULL);
        assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
        assert_int_equal(sigaction(SIGALRM, &old, NULL), 0);
        assert_int_equal(r, -ETIMEDOUT);
        assert_in_range(process_monotonic_ms() - start, 95, 1000);
        close_pair(pair);
}

static void test_arrives_later(void **state)
{
        int pair[2], status;
        char got[8];
        size_t count;
        pid_t pid;

        (void)state;
        make_pair(pair);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                (void)usleep(50000);
                _exit(seqpacket_send(pair[0], "late", 4, NULL, 0, 100, NULL) == 0 ? 0 : 1);
        }
        assert_int_equal(seqpacket_receive(pair[1], got, sizeof(got), NULL, 0, &count, SEQPACKET_FOREVER, NULL), 4);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        close_pair(pair);
}

struct place {
        char dir[64];
        char socket[96];
};

static void make_place(struct place *place)
{
        strcpy(place->dir, "/tmp/agentsh-test-XXXXXX");
        assert_non_null(mkdtemp(place->dir));
        (void)snprintf(place->socket, sizeof(place->socket), "%s/s", place->dir);
}

static void remove_place(const struct place *place)
{
        (void)unlink(place->socket);
        assert_int_equal(rmdir(place->dir), 0);
}

static void test_listen_and_connect(void **state)
{
        struct place place;
        int listener, again, client;
        mode_t before;
        struct stat st;
        uid_t uid = 12345;

        (void)state;
        make_place(&place);
        before = umask(0777);
        listener = seqpacket_listen(place.socket, 0600, 4, NULL);
        assert_true(listener >= 0);
        (void)umask(before);
        assert_int_equal(stat(place.socket, &st), 0);
        assert_int_equal(st.st_mode, S_IFSOCK | 0600);
        client = seqpacket_connect(place.socket, 100, NULL);
        assert_true(client >= 0);
        assert_int_equal(fcntl(client, F_GETFD), FD_CLOEXEC);
        assert_true((fcntl(client, F_GETFL) & O_NONBLOCK) != 0);
        assert_int_equal(seqpacket_peer_uid(client, &uid, NULL), 0);
        assert_int_equal(uid, geteuid());
        /* What a killed listener left is taken over. */
        again = seqpacket_listen(place.socket, 0600, 4, NULL);
        assert_true(again >= 0);
        (void)close(client);
        (void)close(again);
        (void)close(listener);
        assert_int_equal(seqpacket_connect(place.socket, 100, NULL), -ECONNREFUSED);
        remove_place(&place);
        assert_int_equal(seqpacket_connect(place.socket, 100, NULL), -ENOENT);
}

static void test_full_backlog(void **state)
{
        struct place place;
        int listener, clients[64], r = 0;
        size_t count = 0;
        uint64_t start = 0;

        (void)state;
        make_place(&place);
        listener = seqpacket_listen(place.socket, 0600, 1, NULL);
        assert_true(listener >= 0);
        while (r >= 0 && count < 64) {
                start = process_monotonic_ms();
                r = seqpacket_connect(place.socket, 60, NULL);
                if (r >= 0)
                        clients[count++] = r;
        }
        assert_int_equal(r, -ETIMEDOUT);
        assert_in_range(process_monotonic_ms() - start, 55, 1000);
        while (count > 0)
                (void)close(clients[--count]);
        (void)close(listener);
        remove_place(&place);
}

static void test_bad_addresses(void **state)
{
        char path[200];

        (void)state;
        memset(path, 'a', sizeof(path));
        path[0] = '/';
        path[sizeof(((struct sockaddr_un *)0)->sun_path)] = '\0';
        assert_int_equal(seqpacket_connect(path, 0, NULL), -ENAMETOOLONG);
        assert_int_equal(seqpacket_listen(path, 0600, 1, NULL), -ENAMETOOLONG);
        /* Empty would be an abstract socket's name. */
        assert_int_equal(seqpacket_connect("", 0, NULL), -ENAMETOOLONG);
        assert_int_equal(seqpacket_listen("/proc/self/no-such-dir/s", 0600, 1, NULL), -ENOENT);
        assert_int_equal(seqpacket_peer_uid(-1, &(uid_t){ 0 }, NULL), -EBADF);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_round_trip),         cmocka_unit_test(test_boundaries),
                cmocka_unit_test(test_hostile_messages),   cmocka_unit_test(test_peer_closed),
                cmocka_unit_test(test_receive_timeout),    cmocka_unit_test(test_send_timeout),
                cmocka_unit_test(test_interrupted),        cmocka_unit_test(test_arrives_later),
                cmocka_unit_test(test_listen_and_connect), cmocka_unit_test(test_full_backlog),
                cmocka_unit_test(test_bad_addresses),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
