/*
 * sshd_config.h - judges the text that `sshd -T -C user=NAME,...` prints: the settings in force for one user. Pure.
 */
#ifndef AGENTSH_ADMIN_SSHD_CONFIG_H
#define AGENTSH_ADMIN_SSHD_CONFIG_H

#include "admin/findings.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * The value of the index-th line (from 0) with this keyword (case does not matter), cut to `size`. false: there is
 * none.
 */
bool sshd_config_get(const char *text, const char *keyword, size_t index, char *ret, size_t size);

/*
 * Compare every switch by which sshd could pass around the login shell with what it must be for an agent. `who` begins
 * the texts of the findings. Returns how many were added.
 */
size_t sshd_config_check(const char *text, const char *who, struct findings *findings);

#endif
