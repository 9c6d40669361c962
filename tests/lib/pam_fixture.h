/*
 * pam_fixture.h - a PAM configuration of its own (pam_start_confdir) around a test build of pam_agentsh.so, with a fake
 * monitor behind it. The agent is an existing account, by the option shell= and a policy file of its name.
 */
#ifndef AGENTSH_TESTS_LIB_PAM_FIXTURE_H
#define AGENTSH_TESTS_LIB_PAM_FIXTURE_H

#include "tests/lib/fake_monitor.h"

#include <security/pam_appl.h>

#define AGENT       "nobody"
#define OTHER_AGENT "daemon"
#define SERVICE     "agentsh-test"

struct pam_fixture {
        struct fake_monitor fake;
        char config[128]; /* the directory with the service files */
        char said[2048];  /* what PAM said to the user */
        unsigned spoken;  /* how many times */
        struct pam_conv conv;
};

const char *pam_fixture_module(void);
/* The login shell of `user`. */
const char *pam_fixture_shell(const char *user);

/* With policies for both agents, a monitor that follows `script`, and a service that names them. */
void pam_fixture_start(struct pam_fixture *fixture, const struct fake_script *script);
void pam_fixture_stop(struct pam_fixture *fixture);

/* A service whose account and session phases return just what the module does, which gets `options`. */
void pam_fixture_service(struct pam_fixture *fixture, const char *name, const char *options, const char *more_lines);

void pam_fixture_add_policy(const char *user);
void pam_fixture_remove_policy(const char *user);

/* A handle for `user`; the texts end up in fixture->said. */
pam_handle_t *pam_fixture_handle(struct pam_fixture *fixture, const char *service, const char *user);

/* Whether the listener can be root's here, which the module wants: root, or a user namespace made by this call. */
bool pam_fixture_become_root(void);

/* Whether other uids than one's own can be taken: root, and no user namespace of one uid. */
bool pam_fixture_has_uids(void);

#endif
