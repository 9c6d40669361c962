/*
 * spawn.h - a system program with its streams on files: fixed argv, fixed environment, no shell, a time limit. For
 * programs that change or make large files, which are not to pass through our memory.
 */
#ifndef AGENTSH_VM_SPAWN_H
#define AGENTSH_VM_SPAWN_H

#include "common/error.h"

/*
 * Run argv (argv[0]: a program's name, looked up in the system directories) with `in_fd` and `out_fd` as its stdin and
 * stdout (-1: /dev/null), stderr /dev/null, in "/", with PATH and LC_ALL=C alone in its environment. `what` is for the
 * error text. 0 when it ended with status 0; -ENOENT when there is no such program, -ETIMEDOUT after it was killed,
 * -EIO for any other status.
 */
must_check int spawn_program(const char *const argv[], int in_fd, int out_fd, int timeout_seconds, const char *what,
                             struct error *err);

#endif
