/*
 * live_probe.h - brings agentsh-probe into a session, runs it there, and reads what it prints. Needs root.
 *
 * Where the session sees the host's own copy, that one runs. Where it does not, since its root directory comes from
 * elsewhere or it is on another machine, the program comes in over the command's standard input, into /tmp.
 */
#ifndef AGENTSH_ADMIN_LIVE_PROBE_H
#define AGENTSH_ADMIN_LIVE_PROBE_H

#include "admin/live_bait.h"
#include "admin/live_facts.h"
#include "admin/live_session.h"

struct live_probe {
        char *program; /* the bytes of agentsh-probe, owned */
        size_t size;
        char command[1280];   /* for the shell inside */
        uint64_t answer_usec; /* CLOCK_MONOTONIC, when the first byte came out */
};

/* Read the program and put the command together. */
must_check int live_probe_prepare(struct live_probe *ret, const struct live_bait *bait, struct error *err);
void live_probe_done(struct live_probe *probe);

#define cleanup_live_probe __attribute__((cleanup(live_probe_done)))

/*
 * Feed the program to the session's command and read until it has said everything; it then waits for the end of its
 * input. What came until an end of file or the time limit is in *ret in any case (ret->complete tells).
 */
must_check int live_probe_run(struct live_probe *probe, const struct live_session *session, struct live_facts *ret,
                              struct error *err);

#endif
