/*
 * probe.h - what this host can do, for `agentsh-monitor --probe` and through it for `agentshctl doctor`.
 */
#ifndef AGENTSH_MONITOR_PROBE_H
#define AGENTSH_MONITOR_PROBE_H

#include <stdio.h>

/* Print one line "ok|note|fail<TAB>check<TAB>text" per check. Returns whether the default tier can run. Needs root. */
int probe_print(FILE *stream);

/*
 * What a login of the account of this policy file would get: the lines "tier" (its name, a blank, why), "login" (fail:
 * refused by this host, with the reason) and, for virtual machines, "template". Returns whether it would get in. Needs
 * root; reads only.
 */
int probe_account_print(FILE *stream, const char *account);

#endif
