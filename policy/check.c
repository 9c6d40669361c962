/* check.c - defaults, and what only shows when all keys are known. Pure. */
#include "policy/load.h"

#include "policy/value.h"

#include <stdio.h>
#include <string.h>

int policy_set_defaults(struct policy *policy, const char *account, struct error *err)
{
        memset(policy, 0, sizeof(*policy));
        (void)snprintf(policy->account, sizeof(policy->account), "%s", account);
        for (size_t i = 0; i < POLICY_KEYS; i++) {
                const struct policy_key *key = table_key(i);
                int r;

                if (key->type == TYPE_LATER)
                        continue;
                r = value_parse(key, key->fallback, policy, err);
                if (r < 0)
                        return error_prefix(err, "default of [%s] %s", key->section, key->name);
        }
        return 0;
}

static bool is_set(const struct load *load, size_t index)
{
        return load->origins[index].file[0] != '\0';
}

/* Where the key was set, or the account's file as a whole for a default. */
static struct place place_of(const struct load *load, size_t index)
{
        if (is_set(load, index))
                return (struct place){ .file = load->origins[index].file, .line = load->origins[index].line };
        return (struct place){ .file = load->layers[0].name };
}

static void check_home(struct load *load)
{
        struct policy *policy = load->policy;
        struct place place = place_of(load, KEY_home_size);

        if (policy->home_mode == HOME_PERSISTENT) {
                if (is_set(load, KEY_home_size) && policy->home_size != 0)
                        report_error(load->report, place,
                                     "[home] size: not supported by this version for a persistent home "
                                     "(leave it out, or set it to 0)");
                policy->home_size = 0;
        } else if (policy->home_size == 0) {
                report_error(load->report, place, "[home] size: an ephemeral home needs a size");
        }
}

/* A memory file system larger than the memory limit ends in a killed process, not in "no space left". */
static void check_fits_memory(struct load *load, size_t index, uint64_t bytes)
{
        const struct policy_key *key = table_key(index);
        char size[32], memory[32];

        if (bytes <= load->policy->memory)
                return;
        value_format(key, load->policy, size, sizeof(size));
        value_format(table_key(KEY_limits_memory), load->policy, memory, sizeof(memory));
        report_warning(load->report, place_of(load, is_set(load, index) ? index : KEY_limits_memory),
                       "[%s] %s: %s is more than memory = %s, which it counts against", key->section, key->name, size,
                       memory);
}

/* Both mean a user namespace, and a setting that cannot be had is an error, not something to pass over. */
static void check_chroot(struct load *load)
{
        const struct policy *policy = load->policy;

        if (policy->tier != TIER_CHROOT)
                return;
        if (policy->nested)
                report_error(load->report, place_of(load, KEY_kernel_nested),
                             "[kernel] nested: needs a user namespace, which the tier chroot does not have (set tier "
                             "= jail)");
        if (policy->fake_root)
                report_error(load->report, place_of(load, KEY_kernel_fake_root),
                             "[kernel] fake_root: needs a user namespace, which the tier chroot does not have (set "
                             "tier = jail)");
}

/* What QEMU takes beside the guest's memory: its code, and the code that it translates to. */
#define VM_OVERHEAD (192ULL << 20)

static void check_vm(struct load *load)
{
        const struct policy *policy = load->policy;

        if (policy->tier != TIER_VM && policy->risk != RISK_HIGH) {
                if (strcmp(policy->root_source, "host") != 0)
                        report_error(load->report, place_of(load, KEY_root_source),
                                     "[root] source: %s is not supported by this version but for the tier vm",
                                     policy->root_source);
                return;
        }
        if (policy->nested || policy->fake_root)
                report_error(load->report, place_of(load, policy->nested ? KEY_kernel_nested : KEY_kernel_fake_root),
                             "[kernel] %s: has no meaning in a virtual machine",
                             policy->nested ? "nested" : "fake_root");
        if (policy->vm_memory % (1ULL << 20) != 0)
                report_error(load->report, place_of(load, KEY_vm_memory), "[vm] memory: must be whole MiB");
        if (policy->memory < policy->vm_memory + VM_OVERHEAD)
                report_error(load->report, place_of(load, KEY_limits_memory),
                             "[limits] memory: must be 192M more than [vm] memory at least, for QEMU itself");
}

void policy_check_across(struct load *load)
{
        const struct policy *policy = load->policy;

        check_home(load);
        check_fits_memory(load, KEY_home_size, policy->home_size);
        check_fits_memory(load, KEY_limits_tmp, policy->tmp);
        check_chroot(load);
        check_vm(load);
        if (policy->fake_root && policy->nested)
                report_error(load->report, place_of(load, KEY_kernel_fake_root),
                             "[kernel] fake_root: cannot be combined with nested = yes");
        if (policy->sshd == SSHD_ANY)
                report_warning(
                        load->report, place_of(load, KEY_account_sshd),
                        "[account] sshd: with any, nothing but sshd's own configuration keeps it from forwarding");
        if (policy->session_time != 0 && policy->idle_time > policy->session_time)
                report_warning(load->report, place_of(load, KEY_limits_idle_time),
                               "[limits] idle_time: never reached, session_time is shorter");
}
