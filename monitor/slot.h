/*
 * slot.h - at most max_sessions sessions of an account at once, counted by locks that the kernel frees.
 */
#ifndef AGENTSH_MONITOR_SLOT_H
#define AGENTSH_MONITOR_SLOT_H

#include "common/error.h"

#include <stdint.h>

/*
 * Lock one byte, of the first max_sessions, of the file slots/ACCOUNT below runtime_fd (made when missing, root's,
 * 0600). *ret_fd holds the lock: closing it, or the end of every process that has it, frees the slot. -EBUSY when all
 * are taken. Needs to be root.
 */
must_check int slot_take(int runtime_fd, const char *account, uint64_t max_sessions, int *ret_fd, struct error *err);

#endif
