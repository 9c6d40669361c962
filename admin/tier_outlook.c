/* tier_outlook.c - see tier_outlook.h. Root. */
#include "admin/tier_outlook.h"

#include "admin/run.h"
#include "common/paths.h"
#include "vm/host.h"
#include "vm/root_store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MONITOR AGENTSH_LIBEXEC_DIR "/agentsh-monitor"
#define SECONDS 30

/* The first thing that is missing, in the order in which the monitor looks. */
static void choose_remedy(const struct policy *policy, const char *shown, struct tier_outlook *ret)
{
        char file[sizeof(AGENTSH_ACCOUNTS_DIR) + ACCOUNT_NAME_MAX + 8];

        (void)snprintf(file, sizeof(file), AGENTSH_ACCOUNTS_DIR "/%s.ini", shown);
        if (strcmp(ret->tier, "vm") != 0)
                (void)snprintf(ret->remedy, sizeof(ret->remedy), "agentsh-monitor --probe, then see what it says");
        else if (policy->nested || policy->fake_root)
                (void)snprintf(ret->remedy, sizeof(ret->remedy), "edit %s: leave nested and fake_root out", file);
        else if (strncmp(policy->root_source, "image:", 6) == 0 && access(policy->root_source + 6, R_OK) < 0)
                (void)snprintf(ret->remedy, sizeof(ret->remedy), "mkfs.erofs %s DIRECTORY", policy->root_source + 6);
        else if (strncmp(policy->root_source, "image:", 6) != 0 && access(ROOT_IMAGE_PROGRAM, X_OK) < 0)
                (void)snprintf(ret->remedy, sizeof(ret->remedy), "apt-get install erofs-utils");
        else if (access(VM_QEMU_PATH, X_OK) < 0)
                (void)snprintf(ret->remedy, sizeof(ret->remedy), "apt-get install qemu-system-x86");
        else if (policy->vm_kernel[0] != '\0' && access(policy->vm_kernel, R_OK) < 0)
                (void)snprintf(ret->remedy, sizeof(ret->remedy),
                               "edit %s: leave kernel out of the section [vm], or name one that is there", file);
        else if (policy->vm_accel == ACCEL_KVM && vm_kvm_probe(NULL) < 0)
                (void)snprintf(ret->remedy, sizeof(ret->remedy),
                               "modprobe kvm_intel (or kvm_amd), or: set accel = auto in the section [vm] of %s, where "
                               "emulation will do",
                               file);
        else
                (void)snprintf(ret->remedy, sizeof(ret->remedy),
                               "apt-get install linux-image-cloud-amd64, or: name a kernel in the section [vm] of %s",
                               file);
}

/* "ok|note|fail<TAB>tier|login|root|template<TAB>text" */
static void take_line(char *line, struct tier_outlook *ret)
{
        char *name = strchr(line, '\t');
        char *text = name != NULL ? strchr(name + 1, '\t') : NULL;

        if (text == NULL)
                return;
        *name++ = '\0';
        *text++ = '\0';
        if (strcmp(name, "tier") == 0) {
                (void)snprintf(ret->tier, sizeof(ret->tier), "%.*s", (int)strcspn(text, " "), text);
                text += strcspn(text, " ");
                (void)snprintf(ret->why, sizeof(ret->why), "%s", text + (*text != '\0'));
        } else if (strcmp(name, "login") == 0) {
                ret->refused = strcmp(line, "ok") != 0;
                (void)snprintf(ret->reason, sizeof(ret->reason), "%s", ret->refused ? text : "");
        } else if (strcmp(name, "root") == 0) {
                (void)snprintf(ret->root, sizeof(ret->root), "%s", text);
        } else if (strcmp(name, "template") == 0) {
                (void)snprintf(ret->template, sizeof(ret->template), "%s", text);
        }
}

int tier_outlook_read(const char *account, const char *shown, const struct policy *policy, struct tier_outlook *ret,
                      struct error *err)
{
        const char *const argv[] = { MONITOR, "--probe-account", account, NULL };
        cleanup_run_result struct run_result result = { 0 };
        struct tier_outlook outlook = { .refused = true };
        char *rest;
        int r = run_program(argv, NULL, SECONDS, &result, err);

        if (r < 0)
                return r;
        rest = result.output;
        for (char *line; (line = strsep(&rest, "\n")) != NULL;)
                take_line(line, &outlook);
        if (outlook.tier[0] == '\0' || (outlook.refused && outlook.reason[0] == '\0')) {
                char words[256];

                run_last_line(&result, words, sizeof(words));
                return error_text(err, EPROTO, MONITOR " --probe-account %s said \"%s\"", account, words);
        }
        if (outlook.refused)
                choose_remedy(policy, shown, &outlook);
        *ret = outlook;
        return 0;
}
