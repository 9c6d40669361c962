/*
 * jail_root.h - what the root of every view is made of, for the jail and for the image of a virtual machine's root.
 */
#ifndef AGENTSH_MONITOR_JAIL_ROOT_H
#define AGENTSH_MONITOR_JAIL_ROOT_H

#include "common/error.h"

/* Make the directories of an empty root. The umask must be 0. Root. */
must_check int root_make_directories(int root_fd, struct error *err);

/* Bind the host's /usr, and /bin, /lib and the like as this host has them: links or directories. CAP_SYS_ADMIN. */
must_check int root_bind_system(int root_fd, struct error *err);

#endif
