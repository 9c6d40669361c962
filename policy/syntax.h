/*
 * syntax.h - the second opinion on a policy file: iniparser, the only place of this project that calls it.
 *
 * Uses a sealed memfd, so that iniparser reads the very bytes that were scanned; needs /proc.
 */
#ifndef AGENTSH_POLICY_SYNTAX_H
#define AGENTSH_POLICY_SYNTAX_H

#include "policy/scan.h"

/*
 * Let iniparser read `text` and compare section by section and key by key with `document`, what the scan read.
 * -EBADMSG when there is any difference, with a text that names the first.
 */
must_check int syntax_confirm(const char *text, size_t size, const struct scan_document *document, struct error *err);

#endif
