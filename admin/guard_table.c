/* guard_table.c - the table of the egress guard, through nft(8). Root; runs nft. */
#include "admin/guard.h"

#include "admin/run.h"
#include "common/cleanup.h"
#include "common/parse.h"

#include <string.h>

#define NFT_SECONDS 30
#define UIDS_SET    "agents"

/*
 * `add` before `delete`, so that the same text works whether the table is there or not.
 *
 * Before connection tracking (-200) and before NAT: what is dropped here leaves no state and is not redirected.
 *
 * refuse: a connection's first packet is answered, so that the program is told at once and does not wait for two
 *   minutes; only with a source that is this host's own, or the answer itself would be a packet to anywhere, with a
 *   content of the agent's choice (IPV6_FREEBIND needs no privilege). Everything else is dropped: send(2) gets EPERM.
 * listeners4, listeners6: an answer to SYN comes from the listener's socket and shows where an agent listens. Without
 *   them, the listener's queue would fill, and SYN cookies then make connections by packets that belong to no socket. A
 *   cookie is good for two minutes; the entry lives longer than that.
 * output, input: packets of a known owner that is no agent end here; of the rest, those from or to such a listener are
 *   dropped. Incoming packets have an owner when they come from outside and belong to a connection.
 */
#define TABLE_RULES                                                                                              \
        "add table inet agentsh\n"                                                                               \
        "delete table inet agentsh\n"                                                                            \
        "table inet agentsh {\n"                                                                                 \
        "  counter refused { }\n"                                                                                \
        "  set " UIDS_SET " { type uid; flags interval; }\n"                                                     \
        "  set listeners4 { type ipv4_addr . inet_service; size 65535; flags dynamic,timeout; timeout 150s; }\n" \
        "  set listeners6 { type ipv6_addr . inet_service; size 65535; flags dynamic,timeout; timeout 150s; }\n" \
        "  chain refuse {\n"                                                                                     \
        "    counter name refused\n"                                                                             \
        "    tcp flags & (fin | syn | rst | ack) == syn fib saddr type local reject with tcp reset\n"            \
        "    fib saddr type local update @listeners4 { ip saddr . tcp sport }\n"                                 \
        "    fib saddr type local update @listeners6 { ip6 saddr . tcp sport }\n"                                \
        "    drop\n"                                                                                             \
        "  }\n"                                                                                                  \
        "  chain output {\n"                                                                                     \
        "    type filter hook output priority -310; policy accept;\n"                                            \
        "    meta skuid @" UIDS_SET " goto refuse\n"                                                             \
        "    meta skuid 0-4294967294 accept\n"                                                                   \
        "    ip saddr . tcp sport @listeners4 counter name refused drop\n"                                       \
        "    ip6 saddr . tcp sport @listeners6 counter name refused drop\n"                                      \
        "  }\n"                                                                                                  \
        "  chain input {\n"                                                                                      \
        "    type filter hook input priority -310; policy accept;\n"                                             \
        "    meta skuid @" UIDS_SET " counter name refused drop\n"                                               \
        "    meta skuid 0-4294967294 accept\n"                                                                   \
        "    ip daddr . tcp dport @listeners4 counter name refused drop\n"                                       \
        "    ip6 daddr . tcp dport @listeners6 counter name refused drop\n"                                      \
        "  }\n"                                                                                                  \
        "}\n"

/* What nft gives as the reason: its first line; the last ones only point at the place. */
static void first_line(const struct run_result *result, char *ret, size_t size)
{
        char line[256];
        const char *start = result->output + strspn(result->output, "\n");

        (void)snprintf(line, sizeof(line), "%.*s", (int)strcspn(start, "\n"), start);
        escape_text(ret, size, line[0] != '\0' ? line : "it gave no reason");
}

static int run_nft(const char *const argv[], const char *input, struct run_result *ret, struct error *err)
{
        cleanup_run_result struct run_result result = { 0 };
        char reason[256];
        int r = run_program(argv, input, NFT_SECONDS, &result, err);

        if (r == -ENOENT)
                return error_text(err, ENOENT,
                                  "the program nft is not installed: install the package nftables "
                                  "(apt-get install nftables, dnf install nftables)");
        if (r < 0)
                return r;
        if (result.status != 0) {
                first_line(&result, reason, sizeof(reason));
                return error_text(err, EIO, "nft refused: %s", reason);
        }
        *ret = result;
        result = (struct run_result){ 0 };
        return 0;
}

static int run_transaction(const char *rules, struct error *err)
{
        static const char *const ARGV[] = { "nft", "-f", "-", NULL };
        cleanup_run_result struct run_result result = { 0 };

        return run_nft(ARGV, rules, &result, err);
}

static int run_rules(const char *before, const struct guard_ranges *agents, struct error *err)
{
        cleanup_free char *rules = NULL;
        size_t size = 0;
        FILE *stream = open_memstream(&rules, &size);

        if (stream == NULL)
                return error_errno(err, errno, "cannot write the rules of the egress guard");
        (void)fputs(before, stream);
        for (size_t i = 0; i < agents->count; i++)
                (void)fprintf(stream, "%s%u-%u%s", i == 0 ? "add element inet agentsh " UIDS_SET " { " : ", ",
                              agents->range[i].first, agents->range[i].last, i + 1 == agents->count ? " }\n" : "");
        if (fclose(stream) != 0)
                return error_errno(err, errno, "cannot write the rules of the egress guard");
        return run_transaction(rules, err);
}

int guard_load(const struct guard_ranges *agents, struct error *err)
{
        int r = run_rules(TABLE_RULES, agents, err);

        return r < 0 ? error_prefix(err, "cannot load the egress guard") : 0;
}

int guard_set_uids(const struct guard_ranges *agents, struct error *err)
{
        int r = run_rules("flush set inet agentsh " UIDS_SET "\n", agents, err);

        return r < 0 ? error_prefix(err, "cannot write the agents' uids") : 0;
}

int guard_unload(struct error *err)
{
        bool loaded = false;
        int r = guard_is_loaded(&loaded, err);

        if (r == 0 && loaded)
                r = run_transaction("add table inet agentsh\ndelete table inet agentsh\n", err);
        return r < 0 ? error_prefix(err, "cannot unload the egress guard") : 0;
}

int guard_read_uids(struct guard_ranges *ret, struct error *err)
{
        static const char *const ARGV[] = { "nft", "list", "set", "inet", "agentsh", UIDS_SET, NULL };
        cleanup_run_result struct run_result result = { 0 };
        int r = run_nft(ARGV, NULL, &result, err);

        if (r == 0)
                r = guard_parse_uids(result.output, ret, err);
        return r < 0 ? error_prefix(err, "cannot read the uids of the egress guard") : 0;
}

int guard_read_refused(uint64_t *ret, struct error *err)
{
        static const char *const ARGV[] = { "nft", "list", "counter", "inet", "agentsh", "refused", NULL };
        cleanup_run_result struct run_result result = { 0 };
        int r = run_nft(ARGV, NULL, &result, err);

        if (r == 0)
                r = guard_parse_refused(result.output, ret, err);
        return r < 0 ? error_prefix(err, "cannot read the counter of the egress guard") : 0;
}
