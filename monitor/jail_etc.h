/*
 * jail_etc.h - which parts of the host's /etc a jail has (jail_etc.def), and how each gets there.
 */
#ifndef AGENTSH_MONITOR_JAIL_ETC_H
#define AGENTSH_MONITOR_JAIL_ETC_H

#include <stddef.h>

/* Where the files that say whose jail it is are; those of /etc are links to them. */
#define JAIL_ACCOUNT_DIR ".account"

enum etc_kind {
        ETC_ABSENT, /* the host has none, or none that everybody may read */
        ETC_LINK,   /* copied as it stands, into the prepared tree */
        ETC_COPY,   /* a small file: copied into the prepared tree */
        ETC_FILE,   /* a large file: bound at each login */
        ETC_DIR,    /* bound at each login */
};

#define HOST_ETC(path) +1
enum {
        ETC_PATHS = 0
#include "monitor/jail_etc.def"
};
#undef HOST_ETC

/* ETC_PATHS of them, relative to /etc. */
extern const char *const etc_paths[];

#endif
