/* test_endpoint.c - streams that others share are read and written without waiting, and without O_NONBLOCK on them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "shell/endpoint.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

/* A call that waits is killed by this. */
#define LIMIT_S 5

struct fixture {
        struct endpoint endpoint;
        int other;
};

static void share(struct fixture *fixture, int ours, int other)
{
        assert_int_equal(endpoint_share(&fixture->endpoint, ours, NULL), 0);
        fixture->other = other;
        (void)alarm(LIMIT_S);
}

static int finish(void **state)
{
        struct fixture *fixture = *state;

        (void)alarm(0);
        endpoint_close(&fixture->endpoint);
        cleanup_close_fd(&fixture->other);
        free(fixture);
        return 0;
}

static int begin(void **state)
{
        struct fixture *fixture = calloc(1, sizeof(*fixture));

        fixture->endpoint = ENDPOINT_NONE;
        fixture->other = -EBADF;
        *state = fixture;
        return 0;
}

static void read_a_pipe(void **state)
{
        struct fixture *fixture = *state;
        char data[100];
        int ends[2];

        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        share(fixture, ends[0], ends[1]);
        assert_int_equal(endpoint_read(&fixture->endpoint, data, sizeof(data)), -EAGAIN);
        assert_int_equal(write(fixture->other, "some text", 9), 9);
        assert_int_equal(endpoint_read(&fixture->endpoint, data, 4), 4);
        assert_int_equal(endpoint_read(&fixture->endpoint, data + 4, sizeof(data)), 5);
        assert_memory_equal(data, "some text", 9);
        assert_int_equal(endpoint_read(&fixture->endpoint, data, sizeof(data)), -EAGAIN);
        assert_int_equal(fcntl(fixture->endpoint.fd, F_GETFL) & O_NONBLOCK, 0);
        cleanup_close_fd(&fixture->other);
        assert_int_equal(endpoint_read(&fixture->endpoint, data, sizeof(data)), 0);
}

/* What was accepted is delivered in the end, in order, and nothing twice. */
static void fill_a_pipe(void **state)
{
        struct fixture *fixture = *state;
        size_t accepted = 0, delivered = 0, taken = 0;
        uint8_t data[5000], got[3000];
        int ends[2];

        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        share(fixture, ends[1], ends[0]);
        for (size_t round = 0; round < 2000; round++) {
                ssize_t n;

                for (size_t i = 0; i < sizeof(data); i++)
                        data[i] = (uint8_t)((accepted + i) * 7 % 251);
                n = endpoint_write(&fixture->endpoint, data, sizeof(data), &delivered);
                assert_true(n >= 0);
                accepted += (size_t)n;
                if (n > 0 || round % 3 != 0)
                        continue;
                n = read(fixture->other, got, sizeof(got));
                for (ssize_t i = 0; i < n; i++)
                        assert_int_equal(got[i], (taken + (size_t)i) * 7 % 251);
                taken += (size_t)n;
        }
        assert_true(accepted > 200000);
        assert_int_equal(accepted, delivered + fixture->endpoint.held);
        assert_int_equal(fcntl(fixture->endpoint.fd, F_GETFL) & O_NONBLOCK, 0);
        cleanup_close_fd(&fixture->other);
        assert_int_equal(endpoint_write(&fixture->endpoint, data, 1, &delivered), -EPIPE);
}

/* Another writer takes the room that poll saw. */
static void full_pipe(void **state)
{
        static const uint8_t data[65536];
        struct fixture *fixture = *state;
        size_t delivered = 0;
        int ends[2];

        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        share(fixture, ends[1], ends[0]);
        assert_int_equal(write(ends[1], data, sizeof(data)), sizeof(data));
        assert_int_equal(endpoint_write(&fixture->endpoint, data, 10, &delivered), 10);
        assert_int_equal(endpoint_write(&fixture->endpoint, data, 10, &delivered), 0);
        assert_int_equal(delivered, 0);
        assert_int_equal(fixture->endpoint.held, 10);
        assert_int_equal(read(fixture->other, (uint8_t[65536]){ 0 }, 65536), 65536);
        assert_int_equal(endpoint_write(&fixture->endpoint, NULL, 0, &delivered), 0);
        assert_int_equal(delivered, 10);
}

static void a_socket(void **state)
{
        static const uint8_t data[65536];
        struct fixture *fixture = *state;
        size_t delivered = 0;
        char got[10];
        ssize_t n;
        int ends[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        share(fixture, ends[0], ends[1]);
        assert_int_equal(endpoint_read(&fixture->endpoint, got, sizeof(got)), -EAGAIN);
        do
                n = endpoint_write(&fixture->endpoint, data, sizeof(data), &delivered);
        while (n > 0);
        assert_int_equal(n, 0);
        assert_true(delivered > 65536);
        assert_int_equal(write(fixture->other, "x", 1), 1);
        assert_int_equal(endpoint_read(&fixture->endpoint, got, sizeof(got)), 1);
        cleanup_close_fd(&fixture->other);
        assert_int_equal(endpoint_write(&fixture->endpoint, data, 1, &delivered), -EPIPE);
        assert_int_equal(fcntl(fixture->endpoint.fd, F_GETFL) & O_NONBLOCK, 0);
}

static void a_file(void **state)
{
        struct fixture *fixture = *state;
        size_t delivered = 0;
        char got[10];

        share(fixture, open("/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600), -EBADF);
        assert_int_equal(endpoint_write(&fixture->endpoint, "text", 4, &delivered), 4);
        assert_int_equal(delivered, 4);
        assert_int_equal(lseek(fixture->endpoint.fd, 0, SEEK_SET), 0);
        assert_int_equal(endpoint_read(&fixture->endpoint, got, sizeof(got)), 4);
        assert_int_equal(endpoint_read(&fixture->endpoint, got, sizeof(got)), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(read_a_pipe, begin, finish),
                cmocka_unit_test_setup_teardown(fill_a_pipe, begin, finish),
                cmocka_unit_test_setup_teardown(full_pipe, begin, finish),
                cmocka_unit_test_setup_teardown(a_socket, begin, finish),
                cmocka_unit_test_setup_teardown(a_file, begin, finish),
        };

        (void)signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
