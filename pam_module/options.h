/*
 * options.h - the words behind pam_agentsh.so in a PAM configuration.
 */
#ifndef AGENTSH_PAM_MODULE_OPTIONS_H
#define AGENTSH_PAM_MODULE_OPTIONS_H

#include "common/error.h"

#include <stdbool.h>

#define OPTIONS_TIMEOUT_DEFAULT 10 /* seconds */
#define OPTIONS_TIMEOUT_MAX     60

struct options {
        const char *socket; /* the monitor's control socket */
        const char *shell;  /* the login shell by which an agent is known */
        int timeout_ms;     /* for each of the three calls as a whole */
        bool debug;
        struct error wrong; /* number != 0: the first word that was not understood */
};

/*
 * Never fails: a wrong word leaves its option at the default and is kept in ret->wrong, so that people can still be
 * told apart from agents, who are then refused. The strings are borrowed from argv.
 */
void options_parse(int argc, const char **argv, struct options *ret);

#endif
