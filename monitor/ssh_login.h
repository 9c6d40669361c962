/*
 * ssh_login.h - whether an ssh login shows that sshd keeps to the login shell: by the key it was let in with. Pure.
 *
 * sshd forwards connections and serves files by itself, outside of every isolation, unless it is told not to. Options
 * of the key tell it so wherever its configuration does not. sshd names the key in what it says of the authentication,
 * and has the options from the file that it found the key in.
 */
#ifndef AGENTSH_MONITOR_SSH_LOGIN_H
#define AGENTSH_MONITOR_SSH_LOGIN_H

#include "common/error.h"

/*
 * `auth` is a control_request's: "publickey ssh-ed25519 AAAA...;password". `keys` is the text of the account's key
 * file. Each key of the login must stand in it, on lines whose options have "restrict" and the command of the login
 * shell and nothing that opens what these shut; there must be one at least.
 */
must_check int ssh_login_check(const char *auth, const char *keys, struct error *err);

#endif
