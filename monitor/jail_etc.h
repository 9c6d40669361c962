/*
 * jail_etc.h - which parts of the host's /etc a jail has (jail_etc.def), and how each gets there.
 */
#ifndef AGENTSH_MONITOR_JAIL_ETC_H
#define AGENTSH_MONITOR_JAIL_ETC_H

#include "common/error.h"

#include <stddef.h>
#include <stdint.h>

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

/* Fill kinds[ETC_PATHS], and mix into *hash all that a prepared tree depends on. `host` is /etc. Root. */
must_check int etc_look_at_host(int host, unsigned char *kinds, uint64_t *hash, struct error *err);

/* Make in the empty directory `tree` what is made or copied, and the places of what is bound. Root. */
must_check int etc_fill(int host, int tree, const unsigned char *kinds, struct error *err);

/* Bind what is bound. Needs CAP_SYS_ADMIN. */
must_check int etc_bind(int host, int tree, const unsigned char *kinds, struct error *err);

#endif
