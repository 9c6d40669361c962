/*
 * guard.h - the egress guard: one nftables table, `inet agentsh`, by which no socket of an agent's uid in this network
 * namespace opens a connection, sends a datagram or answers as a listener.
 *
 * It is for what goes around the login shell: sshd's forwarding when its configuration forgets a switch, a process that
 * was started with an agent's uid outside of an isolation. An isolation has a network namespace of its own, which the
 * table does not touch. A socket belongs to who opened it, so the connection that sshd accepted stays root's.
 * docs/egress_guard.md has the rules and what they do not cover.
 *
 * Everything here needs root with CAP_NET_ADMIN in the user namespace that owns the network namespace.
 */
#ifndef AGENTSH_ADMIN_GUARD_H
#define AGENTSH_ADMIN_GUARD_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct guard_range {
        uint32_t first, last; /* uids, both inclusive */
};

/* Sorted, disjoint and not adjacent once guard_ranges_merge() was called; only then may the others look at it. */
struct guard_ranges {
        size_t count;
        struct guard_range *range; /* owned */
};

must_check int guard_ranges_add(struct guard_ranges *ranges, uint32_t first, uint32_t last, struct error *err);
void guard_ranges_merge(struct guard_ranges *ranges);
bool guard_ranges_hold(const struct guard_ranges *ranges, uint32_t uid);
bool guard_ranges_equal(const struct guard_ranges *one, const struct guard_ranges *other);
void guard_ranges_done(struct guard_ranges *ranges);

#define cleanup_guard_ranges __attribute__((cleanup(guard_ranges_done)))

/*
 * The uids that the guard is to refuse: of every agent, and its largest range of subordinate uids, which a process of
 * its uid can take by newuidmap(1). Never root's, and no range that holds a uid of the system's or of an account that
 * is no agent. `except` (may be NULL): an account that is about to go.
 */
must_check int guard_wanted(const char *except, struct guard_ranges *ret, struct error *err);

/* Whether the table is loaded. False on a kernel without nftables. -EPERM: this root may not ask. */
must_check int guard_is_loaded(bool *ret, struct error *err);

/*
 * Each of these is one transaction of nft(8): the kernel takes all of it or nothing, and no packet sees a half of it.
 * No other table is read or changed. -ENOENT, with the remedy, when nft is not installed.
 */
must_check int guard_load(const struct guard_ranges *agents, struct error *err);     /* the table, new or again */
must_check int guard_set_uids(const struct guard_ranges *agents, struct error *err); /* the set of a loaded table */
must_check int guard_unload(struct error *err);                                      /* also when it is not loaded */

/* What a loaded table has: the uids of its set, the packets that it refused since it was loaded. */
must_check int guard_read_uids(struct guard_ranges *ret, struct error *err);
must_check int guard_read_refused(uint64_t *ret, struct error *err);

/* The same on what nft printed; -EBADMSG for everything that is not exactly what is expected. Pure. */
must_check int guard_parse_uids(const char *text, struct guard_ranges *ret, struct error *err);
must_check int guard_parse_refused(const char *text, uint64_t *ret, struct error *err);

/*
 * One change of the user database, followed up: when the guard is loaded, its set becomes guard_wanted(except), one
 * caller at a time. Nothing is done, and nothing fails, when it is not loaded.
 */
must_check int guard_follow(const char *except, struct error *err);

/*
 * Try it: open sockets that belong to `uid` and let them reach for listeners of this process on the loopback interface,
 * by every protocol that a program can do so with and this kernel has. *ret_open is the first that gets through, a
 * literal, or NULL when all are refused. -EIO when the same sockets of root's do not get through: then nothing is
 * known. Needs CAP_SETUID; no code runs with that uid.
 */
must_check int guard_try(uid_t uid, const char **ret_open, struct error *err);

/* What closes a protocol that guard_try() found open: a literal. */
const char *guard_remedy(const char *open);

#endif
