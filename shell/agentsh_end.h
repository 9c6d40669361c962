/*
 * agentsh_end.h - the login shell's last words, and an end that looks like the command's own. No privilege.
 */
#ifndef AGENTSH_SHELL_AGENTSH_END_H
#define AGENTSH_SHELL_AGENTSH_END_H

#include "common/attach.h"

#define END_USAGE   2   /* wrong arguments */
#define END_REFUSED 254 /* agentsh itself could not do it; as sshd for a refused session */

/* "agentsh: text" on stderr, in one write. */
void end_say(const char *text);

/* What a person at a terminal should know: the limits hit, why the session ends. Nothing otherwise. */
void end_report(const struct attach_reply *reply);

/* End with the exit status, or by the signal, that the command ended with; 128 + n where the signal does not kill. */
_Noreturn void end_as(int wait_status);

#endif
