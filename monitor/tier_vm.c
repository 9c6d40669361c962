/*
 * tier_vm.c - the tier `vm`: a virtual machine for each session, restored from a template, inside a jail of its own.
 * Process 1 of that jail is agentsh-launch, later agentsh-relay; QEMU is its child. What goes in is file descriptors: the
 * memory, the devices' state, the images of root and home. The jail has a uid of its own, that of no account.
 *
 * Root; what jail.h names, and reading the templates and images below AGENTSH_STATE_DIR.
 */
#include "monitor/jail.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/paths.h"
#include "common/process.h"
#include "common/session_state.h"
#include "monitor/tier_vm.h"
#include "monitor/root_image.h"
#include "monitor/vm_copy.h"
#include "monitor/vm_images.h"
#include "monitor/vm_uid.h"
#include "vm/host.h"
#include "vm/launch.h"
#include "vm/template.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WORDS_MAX 24

/* All that a session's machine is made of, until the jail has it. */
struct vm_session {
        const struct tier_request *request;
        struct vm_host host;
        struct vm_template template;
        int relay_fd, ram_fd, root_fd, home_fd; /* owned; home_fd -EBADF: in memory */
        bool copy;                              /* home_fd is one that ends with the session */
        char text[8][72];                       /* of words */
        const char *words[WORDS_MAX];
        struct jail_inheritance inheritance;
};

static void vm_session_done(struct vm_session *vm)
{
        vm_template_done(&vm->template);
        cleanup_close_fd(&vm->relay_fd);
        cleanup_close_fd(&vm->ram_fd);
        cleanup_close_fd(&vm->root_fd);
        cleanup_close_fd(&vm->home_fd);
}
#define cleanup_vm __attribute__((cleanup(vm_session_done)))

static struct vm_wish wish_of(const struct policy *policy)
{
        static const enum vm_wish_accel accel[] = {
                [ACCEL_KVM] = VM_WISH_KVM, [ACCEL_TCG] = VM_WISH_TCG, [ACCEL_AUTO] = VM_WISH_AUTO
        };

        return (struct vm_wish){ .kernel = policy->vm_kernel,
                                 .memory = policy->vm_memory,
                                 .cpus = (unsigned)policy->vm_cpus,
                                 .accel = accel[policy->vm_accel] };
}

static int check_settings(const struct policy *policy, struct error *err)
{
        if (policy->nested || policy->fake_root)
                return error_text(err, EINVAL, "[kernel] %s has no meaning in a virtual machine (leave it out)",
                                  policy->nested ? "nested" : "fake_root");
        if (policy->network_mode != NETWORK_NONE)
                return error_text(err, ENOTSUP, "[network] mode = allow is not supported by this version");
        return 0;
}

static int vm_probe(const struct policy *policy, uid_t uid, struct error *err)
{
        const struct vm_wish wish = wish_of(policy);
        char text[ERROR_TEXT_MAX];
        struct vm_host host;
        int r = check_settings(policy, err);

        (void)uid;
        if (r >= 0)
                r = root_image_describe(policy, text, sizeof(text), err);
        return r < 0 ? r : vm_host_find(&wish, &host, err);
}

int tier_vm_describe_root(const struct policy *policy, char *ret, size_t size, struct error *err)
{
        return root_image_describe(policy, ret, size, err);
}

int tier_vm_make(const struct policy *policy, const struct vm_progress *progress, struct error *err)
{
        const struct vm_wish wish = wish_of(policy);
        cleanup_close int root = -EBADF;
        struct vm_host host;
        char key[STORE_KEY_SIZE];
        int r = check_settings(policy, err);

        if (r >= 0)
                r = vm_host_find(&wish, &host, err);
        if (r >= 0)
                r = vm_template_build(&host.machine, progress, key, err);
        return r < 0 ? r : root_image_open(policy, progress, &root, err);
}

int tier_vm_describe_template(const struct policy *policy, char *ret, size_t size, struct error *err)
{
        cleanup_template struct vm_template template = VM_TEMPLATE_INIT;
        const struct vm_wish wish = wish_of(policy);
        struct vm_host host;
        char key[17];
        int r = vm_host_find(&wish, &host, err);

        if (r >= 0)
                r = vm_machine_key(&host.machine, key, err);
        if (r >= 0)
                r = vm_template_open(key, &template, err);
        if (r < 0 && r != -ENOENT)
                return r;
        (void)snprintf(ret, size,
                       r >= 0 ? "%s, by %s, is ready"
                              : "%s, by %s, is not there yet: the first login makes it and "
                                "waits for it, or: agentshctl vm build",
                       key, vm_accel_name(host.machine.accel));
        return r >= 0;
}

static int open_template(struct vm_session *vm, struct error *err)
{
        char key[17];
        int r = vm_machine_key(&vm->host.machine, key, err);

        if (r >= 0)
                r = vm_template_open(key, &vm->template, err);
        if (r != -ENOENT)
                return r;
        r = vm_template_build(&vm->host.machine, NULL, key, err);
        return r < 0 ? r : vm_template_open(key, &vm->template, err);
}

static int open_relay(int *ret, struct error *err)
{
        const char *path = AGENTSH_LIBEXEC_DIR "/agentsh-relay";
        cleanup_close int file = fd_open_absolute(path, O_PATH, 0, err);
        int r;

        if (file < 0)
                return file;
        r = fd_check_root_owned(file, S_IFREG, path, err);
        if (r >= 0)
                *ret = TAKE_FD(file);
        return r;
}

static int gather(struct vm_session *vm, struct error *err)
{
        const struct policy *policy = vm->request->policy;
        const struct vm_wish wish = wish_of(policy);
        int r = check_settings(policy, err);

        if (r >= 0)
                r = vm_host_find(&wish, &vm->host, err);
        if (r >= 0)
                r = open_template(vm, err);
        if (r >= 0)
                r = vm_copy_memory(vm->template.ram_fd, &vm->ram_fd, err);
        if (r >= 0)
                r = root_image_open(policy, NULL, &vm->root_fd, err);
        if (r >= 0 && policy->home_mode == HOME_PERSISTENT)
                r = vm_open_home(policy, vm->request->uid, vm->request->gid, &vm->home_fd, &vm->copy, err);
        if (r >= 0 && vm->home_fd >= 0 && !vm->copy)
                r = vm_mark_home(vm->request->session_id, err);
        return r < 0 ? r : open_relay(&vm->relay_fd, err);
}

/* agentsh-launch's words, then agentsh-relay's. */
static void choose_words(struct vm_session *vm)
{
        const struct tier_request *request = vm->request;
        const struct vm_machine *machine = &vm->host.machine;
        bool home = vm->home_fd >= 0;
        size_t count = 0;

        (void)snprintf(vm->text[0], sizeof(vm->text[0]), "%llu", (unsigned long long)machine->memory);
        (void)snprintf(vm->text[1], sizeof(vm->text[1]), "%u", machine->cpus);
        (void)snprintf(vm->text[2], sizeof(vm->text[2]), "%u", (unsigned)request->gid);
        (void)snprintf(vm->text[3], sizeof(vm->text[3]), "%s", request->policy->account);
        /* 32 hex digits, new for each session. */
        (void)snprintf(vm->text[4], sizeof(vm->text[4]), "%s%s", request->session_id, request->session_id);
        (void)snprintf(vm->text[5], sizeof(vm->text[5]), "%llu", (unsigned long long)request->policy->tmp);
        const char *const all[] = { "agentsh-launch",
                                    vm_accel_name(machine->accel),
                                    vm->text[0],
                                    vm->text[1],
                                    home ? "yes" : "no",
                                    "agentsh-relay",
                                    "--gid",
                                    vm->text[2],
                                    "--host-name",
                                    vm->text[3],
                                    "--machine-id",
                                    vm->text[4],
                                    "--root",
                                    "root:erofs",
                                    "--root-size",
                                    vm->text[5],
                                    home ? "--home" : NULL,
                                    "home:ext4" };

        for (size_t i = 0; i < sizeof(all) / sizeof(all[0]) && all[i] != NULL; i++)
                vm->words[count++] = all[i];
        vm->words[count] = NULL;
}

static void choose_inheritance(struct vm_session *vm)
{
        vm->inheritance = (struct jail_inheritance){
                .words = vm->words,
                .first = LAUNCH_FD_RELAY,
                .fds = { vm->relay_fd, vm->ram_fd, vm->template.state_fd, vm->root_fd, vm->home_fd },
                .count = vm->home_fd >= 0 ? 5 : 4,
        };
}

/* The group that may use /dev/kvm is the jail's only one, where it is needed. */
static int find_gid(const struct vm_session *vm, gid_t otherwise, gid_t *ret, struct error *err)
{
        struct stat status;

        *ret = otherwise;
        if (vm->host.machine.accel != VM_KVM)
                return 0;
        if (stat("/dev/kvm", &status) < 0)
                return error_errno(err, errno, "cannot look at /dev/kvm");
        if (status.st_gid == 0 && (status.st_mode & 006) != 006)
                return error_text(err, EACCES,
                                  "/dev/kvm belongs to the group root: QEMU cannot be given it without "
                                  "giving it root's group (chgrp kvm /dev/kvm)");
        *ret = status.st_gid != 0 ? status.st_gid : otherwise;
        return 0;
}

/* Programs inside can tell that what they write is not kept. */
static int name_copy(struct init_config *config, struct error *err)
{
        static const char variable[] = "AGENTSH_HOME=copy";

        if (sizeof(variable) > sizeof(config->environment) - config->environment_size)
                return error_text(err, E2BIG, "the environment of the policy is too large");
        memcpy(config->environment + config->environment_size, variable, sizeof(variable));
        config->environment_size += sizeof(variable);
        return 0;
}

static const char *describe(const struct vm_session *vm)
{
        static const char *const copies[] = {
                [VM_TCG] = "tcg" SESSION_STATE_COPY, [VM_KVM] = "kvm" SESSION_STATE_COPY
        };

        return vm->copy ? copies[vm->host.machine.accel] : vm_accel_name(vm->host.machine.accel);
}

static int start_jail(struct vm_session *vm, struct isolation *ret, struct error *err)
{
        const struct jail_places places = {
                .init = AGENTSH_LIBEXEC_DIR "/agentsh-launch",
                .filters = AGENTSH_RUNTIME_DIR "/seccomp",
                .etc = AGENTSH_RUNTIME_DIR "/etc",
                .inheritance = &vm->inheritance,
                .peer = vm->request->uid,
                .kvm = vm->host.machine.accel == VM_KVM,
        };
        cleanup_free struct policy *policy = malloc(sizeof(*policy));
        cleanup_free struct init_config *config = malloc(sizeof(*config));
        struct tier_request request = *vm->request;
        int r;

        if (policy == NULL || config == NULL)
                return error_errno(err, ENOMEM, "cannot make the jail around a virtual machine");
        /* The jail is QEMU's: what the policy says of root and home is the guest's. */
        *policy = *vm->request->policy;
        policy->tier = TIER_JAIL;
        policy->home_mode = HOME_EPHEMERAL;
        policy->home_size = 1 << 20;
        policy->tmp = 1 << 20;
        policy->seccomp = SECCOMP_DEFAULT;
        (void)snprintf(policy->root_source, sizeof(policy->root_source), "host");
        request.policy = policy;
        *config = *vm->request->config;
        request.config = config;
        request.uid = vm_uid();
        r = find_gid(vm, request.uid, &request.gid, err);
        if (r >= 0 && vm->copy)
                r = name_copy(config, err);
        return r < 0 ? r : jail_start(&request, &places, ret, err);
}

static int vm_start(const struct tier_request *request, struct isolation *ret, struct error *err)
{
        cleanup_vm struct vm_session vm = {
                .request = request,
                .template = VM_TEMPLATE_INIT,
                .relay_fd = -EBADF,
                .ram_fd = -EBADF,
                .root_fd = -EBADF,
                .home_fd = -EBADF,
        };
        int r = gather(&vm, err);

        if (r < 0)
                return error_prefix(err, "cannot make the virtual machine");
        choose_words(&vm);
        choose_inheritance(&vm);
        r = start_jail(&vm, ret, err);
        if (r < 0)
                return r;
        ret->detail = describe(&vm);
        ret->lock_fd = TAKE_FD(vm.template.ram_fd);
        return 0;
}

/* For the guest to write the home back. More than a guest of ours takes; a hostile one has no longer than that. */
#define POWEROFF_MS 1500

/* With its status line the relay sees the session end, and tells the guest to switch itself off. */
static void wait_poweroff(struct isolation *isolation)
{
        struct pollfd ended = { .fd = isolation->pidfd, .events = POLLIN };
        uint64_t now = process_monotonic_ms(), until = now + POWEROFF_MS;

        cleanup_close_fd(&isolation->status_fd);
        while (isolation->pidfd >= 0 && now < until) {
                if (poll(&ended, 1, (int)(until - now)) > 0)
                        return;
                now = process_monotonic_ms();
        }
}

static int vm_stop(struct isolation *isolation, struct error *err)
{
        wait_poweroff(isolation);
        cleanup_close_fd(&isolation->lock_fd);
        return jail_stop(isolation, err);
}

const struct tier tier_vm = {
        .name = "vm",
        .remote = true,
        .probe = vm_probe,
        .prepare = jail_prepare,
        .start = vm_start,
        .stop = vm_stop,
};
