/*
 * stub_init - process 1 of a jail under test: runs what the test sends it. Static. No part of the product.
 */
#include "common/status.h"
#include "tests/lib/stub_protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGUMENTS_MAX 64

static struct init_config config;

static void run(const struct stub_request *request, const int *fds)
{
        static char home[300], user[80], path[] = "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";
        static char lang[] = "LANG=C.UTF-8", term[] = "TERM=dumb", python[] = "PYTHONDONTWRITEBYTECODE=1";
        char *environment[] = { home, user, path, lang, term, python, NULL };
        char *arguments[ARGUMENTS_MAX + 1];
        const char *at = request->text;

        for (int i = 0; i < request->count; i++, at += strlen(at) + 1)
                arguments[i] = (char *)(unsigned long)at;
        arguments[request->count] = NULL;
        (void)snprintf(home, sizeof(home), "HOME=%s", config.home);
        (void)snprintf(user, sizeof(user), "USER=%s", config.user);
        /* Above 2 already: 0 to 2 are open from the start. */
        for (int i = 0; i <= 2; i++)
                if (dup2(fds[i], i) < 0)
                        _exit(126);
        if (chdir(config.home) < 0)
                perror("chdir to the home");
        (void)fcntl(STATUS_FD, F_SETFD, FD_CLOEXEC);
        (void)fcntl(ATTACH_LISTEN_FD, F_SETFD, FD_CLOEXEC);
        if (request->passed)
                (void)execveat(fds[3], "", arguments, environment, AT_EMPTY_PATH);
        else
                (void)execvpe(arguments[0], arguments, environment);
        perror(arguments[0]);
        _exit(127);
}

static int receive(struct stub_request *request, int *fds)
{
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(4 * sizeof(int))];
        } control;
        struct iovec part = { .iov_base = request, .iov_len = sizeof(*request) };
        struct msghdr message = {
                .msg_iov = &part,
                .msg_iovlen = 1,
                .msg_control = control.bytes,
                .msg_controllen = sizeof(control.bytes),
        };
        ssize_t got;

        do
                got = recvmsg(ATTACH_LISTEN_FD, &message, MSG_CMSG_CLOEXEC);
        while (got < 0 && errno == EINTR);
        if (got != (ssize_t)sizeof(*request) || CMSG_FIRSTHDR(&message) == NULL || request->count > ARGUMENTS_MAX)
                return -1;
        memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&message)), CMSG_FIRSTHDR(&message)->cmsg_len - CMSG_LEN(0));
        return 0;
}

static int wait_for(pid_t pid)
{
        int status;

        for (;;) {
                pid_t ended = waitpid(-1, &status, 0);

                if (ended == pid)
                        return status;
                if (ended < 0 && errno != EINTR)
                        return -1;
        }
}

int main(void)
{
        static struct stub_request request;

        (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
        if (recv(STATUS_FD, &config, sizeof(config), 0) != (ssize_t)sizeof(config) || config.magic != STATUS_MAGIC)
                return 3;
        for (;;) {
                int fds[4] = { -1, -1, -1, -1 }, status;
                pid_t pid;

                if (receive(&request, fds) < 0)
                        return 0;
                pid = fork();
                if (pid == 0)
                        run(&request, fds);
                for (int i = 0; i < 4; i++)
                        if (fds[i] >= 0)
                                (void)close(fds[i]);
                status = pid < 0 ? -1 : wait_for(pid);
                if (send(ATTACH_LISTEN_FD, &status, sizeof(status), MSG_NOSIGNAL) < 0)
                        return 0;
        }
}
