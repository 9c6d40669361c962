/*
 * launch.c - agentsh-launch, the first program of process 1 in the jail around a virtual machine: starts QEMU, restores
 * the template into it, and turns into agentsh-relay, which serves the session over the machine's byte stream.
 *
 *   agentsh-launch ACCEL MEMORY-BYTES CPUS HOME(yes|no) RELAY-WORD...
 *
 * It runs without any privilege, and so does QEMU, its child. Fds: see launch.h.
 */
#include "vm/launch.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/parse.h"
#include "common/process.h"
#include "vm/machine.h"
#include "vm/qmp.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RESTORE_MS 20000
#define FD_ASIDE   64

struct streams {
        int channel, their_channel, qmp, their_qmp;
};

static int open_streams(struct streams *streams, struct error *err)
{
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return error_errno(err, errno, "cannot make a socket");
        streams->channel = pair[0];
        streams->their_channel = pair[1];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return error_errno(err, errno, "cannot make a socket");
        streams->qmp = pair[0];
        streams->their_qmp = pair[1];
        return 0;
}

__attribute__((noreturn)) static void become_qemu(const struct vm_command *command, const struct streams *streams,
                                                  bool home)
{
        static const char *const environment[] = { "LC_ALL=C", NULL };
        const int from[VM_FD_END - VM_FD_CHANNEL] = { [VM_FD_CHANNEL - VM_FD_CHANNEL] = streams->their_channel,
                                                      [VM_FD_QMP - VM_FD_CHANNEL] = streams->their_qmp,
                                                      [VM_FD_RAM - VM_FD_CHANNEL] = LAUNCH_FD_RAM,
                                                      [VM_FD_KERNEL - VM_FD_CHANNEL] = -1,
                                                      [VM_FD_INITRAMFS - VM_FD_CHANNEL] = -1,
                                                      [VM_FD_STATE - VM_FD_CHANNEL] = LAUNCH_FD_STATE,
                                                      [VM_FD_ROOT - VM_FD_CHANNEL] = LAUNCH_FD_ROOT,
                                                      [VM_FD_HOME - VM_FD_CHANNEL] = home ? LAUNCH_FD_HOME : -1 };
        int aside[VM_FD_END - VM_FD_CHANNEL], keep[VM_FD_END - VM_FD_CHANNEL];
        size_t kept = 0;

        for (size_t i = 0; i < sizeof(from) / sizeof(from[0]); i++) {
                aside[i] = from[i] < 0 ? -1 : fcntl(from[i], F_DUPFD_CLOEXEC, FD_ASIDE);
                if (from[i] >= 0 && aside[i] < 0)
                        _exit(126);
        }
        for (size_t i = 0; i < sizeof(from) / sizeof(from[0]); i++) {
                if (aside[i] < 0)
                        continue;
                keep[kept++] = VM_FD_CHANNEL + (int)i;
                if (dup2(aside[i], VM_FD_CHANNEL + (int)i) < 0)
                        _exit(126);
        }
        if (fd_close_others(3, keep, kept, NULL) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
                _exit(126);
        (void)execve(command->argv[0], (char *const *)(const void *)command->argv,
                     (char *const *)(const void *)environment);
        _exit(127);
}

static int restore(int fd, struct error *err)
{
        cleanup_free struct qmp *qmp = calloc(1, sizeof(*qmp));
        char incoming[128];
        int r;

        if (qmp == NULL)
                return error_errno(err, ENOMEM, "cannot talk to QEMU");
        (void)snprintf(incoming, sizeof(incoming),
                       "{\"execute\": \"migrate-incoming\", \"arguments\": {\"uri\": \"fd:%d\"}}", VM_FD_STATE);
        r = qmp_start(qmp, fd, process_monotonic_ms() + RESTORE_MS, err);
        if (r >= 0)
                r = qmp_command(qmp,
                                "{\"execute\": \"migrate-set-capabilities\", \"arguments\": {\"capabilities\": "
                                "[{\"capability\": \"x-ignore-shared\", \"state\": true}]}}",
                                -1, err);
        if (r >= 0)
                r = qmp_command(qmp, incoming, -1, err);
        if (r >= 0)
                r = qmp_wait_migration(qmp, err);
        return r < 0 ? r : qmp_command(qmp, "{\"execute\": \"cont\"}", -1, err);
}

static int read_machine(char *const argv[], struct vm_machine *ret, bool *ret_home, struct error *err)
{
        uint64_t cpus = 0;
        int r = parse_number(argv[2], 1, UINT64_MAX, &ret->memory, err);

        if (r >= 0)
                r = parse_number(argv[3], 1, 255, &cpus, err);
        if (r >= 0)
                r = parse_bool(argv[4], ret_home, err);
        ret->qemu = VM_QEMU_PATH;
        ret->accel = strcmp(argv[1], "kvm") == 0 ? VM_KVM : VM_TCG;
        ret->cpus = (unsigned)cpus;
        return r;
}

static int start_machine(char *const argv[], struct streams *streams, struct error *err)
{
        struct vm_machine machine = { .qemu = NULL };
        struct vm_command command;
        bool home = false;
        pid_t pid;
        int r = read_machine(argv, &machine, &home, err);

        if (r >= 0)
                r = vm_session_command(&machine, home ? VM_HOME_IMAGE : VM_HOME_NONE, &command, err);
        if (r >= 0)
                r = open_streams(streams, err);
        if (r < 0)
                return r;
        pid = fork();
        if (pid < 0)
                return error_errno(err, errno, "cannot start QEMU");
        if (pid == 0)
                become_qemu(&command, streams, home);
        cleanup_close_fd(&streams->their_channel);
        cleanup_close_fd(&streams->their_qmp);
        r = restore(streams->qmp, err);
        cleanup_close_fd(&streams->qmp);
        return r;
}

/* The relay gets the stream; QEMU alone keeps the files. */
static int become_relay(char **words, int channel, struct error *err)
{
        static char *const environment[] = { NULL };
        const int program = LAUNCH_FD_RELAY;

        /* It may have that number already; dup2 would then leave it to be closed. */
        if (dup2(channel, LAUNCH_FD_STREAM) < 0 || fcntl(LAUNCH_FD_STREAM, F_SETFD, 0) < 0)
                return error_errno(err, errno, "cannot give the relay its stream");
        if (fd_close_others(LAUNCH_FD_STREAM + 1, &program, 1, err) < 0 || fcntl(program, F_SETFD, FD_CLOEXEC) < 0)
                return -EBADF;
        (void)syscall(SYS_execveat, program, "", words, environment, AT_EMPTY_PATH);
        return error_errno(err, errno, "cannot execute agentsh-relay");
}

int main(int argc, char **argv)
{
        struct streams streams = { -EBADF, -EBADF, -EBADF, -EBADF };
        struct error err = ERROR_INIT;
        int r;

        if (argc < 6)
                return 2;
        r = start_machine(argv, &streams, &err);
        if (r >= 0)
                r = become_relay(argv + 5, streams.channel, &err);
        (void)dprintf(STDERR_FILENO, "agentsh-launch: %s\n", err.text);
        return 1;
}
