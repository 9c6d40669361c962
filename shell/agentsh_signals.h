/*
 * agentsh_signals.h - the signals of the login shell while it relays. No privilege.
 */
#ifndef AGENTSH_SHELL_AGENTSH_SIGNALS_H
#define AGENTSH_SHELL_AGENTSH_SIGNALS_H

#include "common/error.h"

/*
 * Block the signals that the relay handles and return a non-blocking signalfd for them, owned by the caller; SIGALRM
 * interrupts a blocked read or write from here on. SIGPIPE must be ignored already. Comes before confine_enter.
 */
must_check int signals_catch(struct error *err);

#endif
