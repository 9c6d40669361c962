/*
 * paths.h - every place on the host that agentsh names, in one list.
 *
 * The build may replace the roots (-DAGENTSH_...=). Everything else is a name below one of them and is opened
 * through a directory fd, not by joining strings. All of them belong to root and only root can write them.
 */
#ifndef AGENTSH_COMMON_PATHS_H
#define AGENTSH_COMMON_PATHS_H

#ifndef AGENTSH_CONFIG_DIR
#define AGENTSH_CONFIG_DIR "/etc/agentsh" /* 0755: agentsh.ini, templates/NAME.ini, accounts/NAME.ini, keys/NAME */
#endif
#ifndef AGENTSH_RUNTIME_DIR
#define AGENTSH_RUNTIME_DIR "/run/agentsh" /* 0711: control, sessions/ID/, slots/, seccomp/ */
#endif
#ifndef AGENTSH_STATE_DIR
#define AGENTSH_STATE_DIR "/var/lib/agentsh" /* 0700: homes/NAME */
#endif
#ifndef AGENTSH_LOG_DIR
#define AGENTSH_LOG_DIR "/var/log/agentsh" /* 0700: sessions.jsonl */
#endif
#ifndef AGENTSH_LIBEXEC_DIR
#define AGENTSH_LIBEXEC_DIR "/usr/local/lib/agentsh" /* agentsh-init, agentsh-monitor */
#endif
#ifndef AGENTSH_SHELL_PATH
#define AGENTSH_SHELL_PATH "/usr/local/bin/agentsh" /* the login shell, as it stands in passwd */
#endif
#ifndef AGENTSH_VERSION
#define AGENTSH_VERSION "0.1.0"
#endif

#define AGENTSH_CONTROL_SOCKET AGENTSH_RUNTIME_DIR "/control"  /* 0600 root */
#define AGENTSH_SESSIONS_DIR   AGENTSH_RUNTIME_DIR "/sessions" /* 0711 root */
#define AGENTSH_ACCOUNTS_DIR   AGENTSH_CONFIG_DIR "/accounts"

/* Names inside a session's runtime directory, AGENTSH_SESSIONS_DIR/ID (0711 root). */
#define SESSION_ATTACH_SOCKET "attach" /* agent's, 0600: init accepts here */
#define SESSION_STATE_FILE    "state"  /* root, 0600: struct session_state */
#define SESSION_KEEP_FILE     "keep"   /* root, 0444: environment patterns that agentsh passes in, one a line */
#define SESSION_REMOTE_FILE   "remote" /* root: is there when agentsh-relay accepts, not init: see attach.h */
#define SESSION_HOME_FILE     "home"   /* root: is there when the session has the image of its account's home */
#define SESSION_LOCK_FILE     "lock"   /* root, 0600: locked while the session's monitor lives */

/* The variable by which pam_agentsh.so tells agentsh where its session is. */
#define AGENTSH_SOCKET_VARIABLE "AGENTSH_SOCKET"

#endif
