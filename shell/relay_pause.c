/* relay_pause.c - see relay_pause.h. Process 1 of the jail around a virtual machine; the machine is its child. */
#include "shell/relay_pause.h"

#include "common/attach.h"
#include "common/cleanup.h"
#include "common/seqpacket.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_AGAIN_MS 2

void relay_pause_begin(struct relay_pause *pause, int client, uint64_t now)
{
        if (getpid() != 1 || pause->client >= 0 || kill(-1, SIGSTOP) < 0) {
                (void)close(client);
                return;
        }
        *pause = (struct relay_pause){ .client = client, .until = now + RELAY_PAUSE_MS };
}

/*
 * The kernel says that a process has stopped when the last of its threads has: none is within a system call then, so
 * that nothing is half written, and what its guest believes to be on the disk is in the file.
 */
static bool has_stopped(void)
{
        siginfo_t info;

        memset(&info, 0, sizeof(info));
        return waitid(P_ALL, 0, &info, WSTOPPED | WNOHANG) == 0 && info.si_pid > 0;
}

void relay_pause_step(struct relay_pause *pause, bool hangup, uint64_t now)
{
        const struct attach_reply reply = { .magic = ATTACH_MAGIC, .kind = ATTACH_STARTED };

        if (pause->client < 0)
                return;
        if (hangup || now >= pause->until) {
                relay_pause_end(pause);
                return;
        }
        if (pause->stopped || !has_stopped())
                return;
        pause->stopped = true;
        if (seqpacket_send(pause->client, &reply, sizeof(reply), NULL, 0, 0, NULL) < 0)
                relay_pause_end(pause);
}

void relay_pause_end(struct relay_pause *pause)
{
        if (pause->client < 0)
                return;
        (void)kill(-1, SIGCONT);
        cleanup_close_fd(&pause->client);
}

uint64_t relay_pause_wake(const struct relay_pause *pause, uint64_t now)
{
        if (pause->client < 0)
                return UINT64_MAX;
        return pause->stopped ? pause->until : now + LOOK_AGAIN_MS;
}
