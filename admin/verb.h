/*
 * verb.h - what agentshctl's verbs share: their signature and exit status.
 *
 * A verb gets its own words cut off: argv[0] is the verb's full name for messages ("agentshctl account add"), then come
 * its options and operands. It prints its result to stdout, its errors to stderr, and returns an exit status.
 */
#ifndef AGENTSH_ADMIN_VERB_H
#define AGENTSH_ADMIN_VERB_H

enum verb_status {
        VERB_OK = 0,
        VERB_FAILED = 1, /* something could not be done, or a check has findings */
        VERB_USAGE = 2,  /* the command line makes no sense */
};

int verb_account_add(int argc, char **argv);
int verb_account_remove(int argc, char **argv);
int verb_account_list(int argc, char **argv);
int verb_policy_check(int argc, char **argv);
int verb_policy_explain(int argc, char **argv);
int verb_sessions(int argc, char **argv);
int verb_kill(int argc, char **argv);
int verb_guard_on(int argc, char **argv);
int verb_guard_off(int argc, char **argv);
int verb_guard_status(int argc, char **argv);
int verb_guard_sync(int argc, char **argv);
int verb_risk(int argc, char **argv);
int verb_home_export(int argc, char **argv);
int verb_home_import(int argc, char **argv);
int verb_doctor(int argc, char **argv);
int verb_vm_build(int argc, char **argv);
int verb_vm_list(int argc, char **argv);
int verb_vm_remove(int argc, char **argv);
int verb_root_list(int argc, char **argv);
int verb_root_remove(int argc, char **argv);

#endif
