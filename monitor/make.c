/* make.c - see make.h. */
#include "monitor/make.h"

#include "common/cleanup.h"
#include "monitor/host_policy.h"
#include "monitor/root_image.h"
#include "monitor/tier.h"
#include "monitor/tier_vm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_progress(void *context, const char *text)
{
        (void)context;
        (void)fprintf(stderr, "%s...\n", text);
}

static const struct vm_progress progress = { .say = print_progress };

int make_for_account(const char *account, struct error *err)
{
        cleanup_free struct policy *policy = calloc(1, sizeof(*policy));
        const struct tier *tier;
        int r = policy == NULL ? error_errno(err, ENOMEM, "cannot load the policy")
                               : host_policy_load(account, policy, err);

        if (r < 0)
                return r;
        tier = tier_find(policy, err);
        if (tier == NULL)
                return -ENOTSUP;
        if (tier != &tier_vm)
                return error_text(err, EINVAL, "%s gets the tier %s, for which nothing is to be made", account,
                                  tier->name);
        return tier_vm_make(policy, &progress, err);
}

int make_root(const char *source, struct error *err)
{
        cleanup_free struct policy_report *report = calloc(1, sizeof(*report));
        cleanup_free struct policy *policy = calloc(1, sizeof(*policy));
        cleanup_close int fd = -EBADF;
        char text[PATH_MAX + 64];
        int r;

        if (report == NULL || policy == NULL)
                return error_errno(err, ENOMEM, "cannot make a policy");
        if (strpbrk(source, "\n\r;#\"\\") != NULL || strncmp(source, "image:", strlen("image:")) == 0)
                return error_text(err, EINVAL, "no image can be made of \"%s\": give host, or dir:PATH", source);
        (void)snprintf(text, sizeof(text), "[account]\ntier = vm\n[root]\nsource = %.*s\n", PATH_MAX, source);
        r = policy_load_text(text, strlen(text), "--root", "agentsh-root", policy, report, err);
        return r < 0 ? r : root_image_open(policy, &progress, &fd, err);
}
