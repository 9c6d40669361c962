/*
 * jail_verify.c - the self-test of a new jail: init runs, waits for its configuration, and is looked at from outside.
 * Only when all is as it was meant to be does it get the configuration, and with it the first channel. Root.
 */
#include "monitor/jail.h"

#include "monitor/verify.h"

#include <errno.h>
#include <sys/capability.h>

/* Written down once more on purpose: a slip in what jail_caps.c keeps must not excuse itself here. */
#define FAKE_ROOT_SET                                                                                                  \
        (1ULL << CAP_CHOWN | 1ULL << CAP_DAC_OVERRIDE | 1ULL << CAP_FOWNER | 1ULL << CAP_FSETID | 1ULL << CAP_SETGID | \
         1ULL << CAP_SETUID)

int jail_verify(struct jail *jail, struct error *err)
{
        const struct tier_request *request = jail->request;
        struct verify_expected expected = {
                .uid = request->uid,
                .gid = request->gid,
                .user_namespace = jail->user_namespace,
                .uid_map = { { request->uid, request->uid, 1 } },
                .gid_map = { { request->gid, request->gid, 1 } },
                .cgroup = request->cgroup,
                .home = request->home,
        };

        if (request->policy->fake_root) {
                if (jail->uids.first < SUBID_FIRST || jail->gids.first < SUBID_FIRST)
                        return error_text(err, EPERM,
                                          "self-test: the subordinate ids should begin at %d and are %u, %u",
                                          SUBID_FIRST, jail->uids.first, jail->gids.first);
                expected.capabilities = FAKE_ROOT_SET;
                expected.uid_map[0].inside = expected.gid_map[0].inside = 0;
                expected.uid_map[1] = (struct verify_range){ 1, jail->uids.first, SUBID_COUNT };
                expected.gid_map[1] = (struct verify_range){ 1, jail->gids.first, SUBID_COUNT };
        }
        if (jail->places->peer != 0)
                expected.uid_map[1] = (struct verify_range){ jail->places->peer, jail->places->peer, 1 };
        return verify_process(jail->isolation->pid, &expected, err);
}
