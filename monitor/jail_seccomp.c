/* jail_seccomp.c - compiles the system call filter with libseccomp, and installs it. */
#include "monitor/jail_seccomp.h"

#include "common/cleanup.h"
#include "common/fault.h"
#include "common/fd.h"
#include "common/hash.h"
#include "common/paths.h"
#include "monitor/jail.h"
#include "monitor/jail_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#ifndef KDSKBENT
#define KDSKBENT 0x4B47
#endif

enum verdict { VERDICT_ALLOW, VERDICT_NESTED, VERDICT_REFUSE };

static const struct {
        const char *name;
        enum verdict verdict;
} system_calls[] = {
#define ALLOW(name)  { #name, VERDICT_ALLOW },
#define NESTED(name) { #name, VERDICT_NESTED },
#define REFUSE(name) { #name, VERDICT_REFUSE },
#include "monitor/seccomp_default.def"
#undef ALLOW
#undef NESTED
#undef REFUSE
};

static const char *const strict_calls[] = {
#define STRICT(name) #name,
#include "monitor/seccomp_strict.def"
#undef STRICT
};

#define UNKNOWN_CALL SCMP_ACT_ERRNO(ENOSYS)
#define LOW_WORD     0xffffffffULL

/*
 * The kernel takes only the low 32 bits of these arguments, so only they may be compared: a set bit above them must
 * not make TIOCSTI look like another request.
 */
#define EQUAL(argument, value)                                            \
        {                                                                 \
                argument, SCMP_CMP_MASKED_EQ, LOW_WORD, (uint32_t)(value) \
        }
#define HAS_BIT(argument, value)                               \
        {                                                      \
                argument, SCMP_CMP_MASKED_EQ, (value), (value) \
        }
#define KIND(value)                                 \
        {                                           \
                1, SCMP_CMP_MASKED_EQ, 0xf, (value) \
        } /* of a socket, without SOCK_* flags */

struct refusal {
        const char *name;
        unsigned unless; /* JAIL_FILTER_*: flags that leave it out */
        unsigned only;   /* flags that it needs */
        int number;
        unsigned count;
        struct scmp_arg_cmp arguments[2];
};

static const struct refusal refusals[] = {
        { "clone", JAIL_FILTER_NESTED, 0, EPERM, 1, { HAS_BIT(0, CLONE_NEWNS) } },
        { "clone", JAIL_FILTER_NESTED, 0, EPERM, 1, { HAS_BIT(0, CLONE_NEWCGROUP) } },
        { "clone", JAIL_FILTER_NESTED, 0, EPERM, 1, { HAS_BIT(0, CLONE_NEWUTS) } },
        { "clone", JAIL_FILTER_NESTED, 0, EPERM, 1, { HAS_BIT(0, CLONE_NEWIPC) } },
        { "clone", JAIL_FILTER_NESTED, 0, EPERM, 1, { HAS_BIT(0, CLONE_NEWUSER) } },
        { "clone", JAIL_FILTER_NESTED, 0, EPERM, 1, { HAS_BIT(0, CLONE_NEWPID) } },
        { "clone", JAIL_FILTER_NESTED, 0, EPERM, 1, { HAS_BIT(0, CLONE_NEWNET) } },
        /* Input into a terminal, its paste buffer, its console; line disciplines are kernel modules. */
        { "ioctl", 0, 0, EPERM, 1, { EQUAL(1, TIOCSTI) } },
        { "ioctl", 0, 0, EPERM, 1, { EQUAL(1, TIOCLINUX) } },
        { "ioctl", 0, 0, EPERM, 1, { EQUAL(1, TIOCCONS) } },
        { "ioctl", 0, 0, EPERM, 1, { EQUAL(1, TIOCSETD) } },
        { "ioctl", 0, 0, EPERM, 1, { EQUAL(1, KDSKBENT) } },
        /* What is left is AF_UNIX, AF_INET, AF_INET6 and AF_NETLINK (16), the last for routes alone. */
        { "socket", 0, 0, EAFNOSUPPORT, 1, { EQUAL(0, 0) } },
        { "socket", 0, 0, EAFNOSUPPORT, 1, { EQUAL(0, 3) } },
        { "socket", 0, 0, EAFNOSUPPORT, 1, { EQUAL(0, 4) } },
        { "socket", 0, 0, EAFNOSUPPORT, 1, { EQUAL(0, 5) } },
        { "socket", 0, 0, EAFNOSUPPORT, 1, { EQUAL(0, 6) } },
        { "socket", 0, 0, EAFNOSUPPORT, 1, { EQUAL(0, 7) } },
        { "socket", 0, 0, EAFNOSUPPORT, 1, { EQUAL(0, 8) } },
        { "socket", 0, 0, EAFNOSUPPORT, 1, { EQUAL(0, 9) } },
        { "socket", 0, 0, EAFNOSUPPORT, 1, { EQUAL(0, 11) } },
        { "socket", 0, 0, EAFNOSUPPORT, 1, { EQUAL(0, 12) } },
        { "socket", 0, 0, EAFNOSUPPORT, 1, { EQUAL(0, 13) } },
        { "socket", 0, 0, EAFNOSUPPORT, 1, { EQUAL(0, 14) } },
        { "socket", 0, 0, EAFNOSUPPORT, 1, { EQUAL(0, 15) } },
        { "socket", 0, JAIL_FILTER_STRICT, EAFNOSUPPORT, 1, { EQUAL(0, AF_NETLINK) } },
        { "socket", 0, 0, EAFNOSUPPORT, 1, { { 0, SCMP_CMP_GT, AF_NETLINK, 0 } } },
        { "socket", 0, 0, EPROTONOSUPPORT, 2, { EQUAL(0, AF_NETLINK), { 2, SCMP_CMP_NE, 0, 0 } } },
        /* TCP, UDP and ping by their numbers; no raw socket, SCTP, DCCP, MPTCP, SMC or L2TP. */
        { "socket", 0, 0, EPROTONOSUPPORT, 1, { { 2, SCMP_CMP_GT, 58, 0 } } },
        { "socket", 0, 0, EPROTONOSUPPORT, 1, { EQUAL(2, 33) } },
        { "socket", 0, 0, EPERM, 2, { EQUAL(0, AF_INET), KIND(SOCK_RAW) } },
        { "socket", 0, 0, EPERM, 2, { EQUAL(0, AF_INET6), KIND(SOCK_RAW) } },
        { "socket", 0, 0, EPERM, 1, { KIND(SOCK_PACKET) } },
        /* Huge pages come from a pool of the host's that is there for its databases, and are charged to nobody. */
        { "mmap", 0, 0, ENOMEM, 1, { HAS_BIT(3, MAP_HUGETLB) } },
        { "memfd_create", 0, 0, ENOSYS, 1, { HAS_BIT(1, MFD_HUGETLB) } },
        { "shmget", 0, 0, ENOMEM, 1, { HAS_BIT(2, SHM_HUGETLB) } },
        { "socketpair", 0, 0, EAFNOSUPPORT, 1, { { 0, SCMP_CMP_NE, AF_UNIX, 0 } } },
        /* The limit of core files stays at the 1 that jail_limits.c gave it. Errno 0: programs that want none go on. */
        { "setrlimit", 0, 0, 0, 1, { EQUAL(0, RLIMIT_CORE) } },
        { "prlimit64", 0, 0, 0, 2, { EQUAL(1, RLIMIT_CORE), { 2, SCMP_CMP_NE, 0, 0 } } },
};

static void release_context(scmp_filter_ctx *context)
{
        if (*context != NULL)
                seccomp_release(*context);
}
#define cleanup_context __attribute__((cleanup(release_context)))

static bool is_strict(const char *name)
{
        for (size_t i = 0; i < sizeof(strict_calls) / sizeof(strict_calls[0]); i++)
                if (strcmp(strict_calls[i], name) == 0)
                        return true;
        return false;
}

/* What strict says of a call that it does not have: splice(2) as of files that have no such way, which all programs know. */
static uint32_t strict_answer(const char *name)
{
        return strcmp(name, "splice") == 0 ? SCMP_ACT_ERRNO(EINVAL) : UNKNOWN_CALL;
}

/* What the list says of a call; no rule means the answer of an unknown one. */
static uint32_t action_of(const char *name, enum verdict verdict, unsigned flags)
{
        switch (verdict) {
        case VERDICT_ALLOW:
                return (flags & JAIL_FILTER_STRICT) == 0 || is_strict(name) ? SCMP_ACT_ALLOW : strict_answer(name);
        case VERDICT_NESTED:
                return (flags & JAIL_FILTER_NESTED) != 0 ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM);
        case VERDICT_REFUSE:
                return SCMP_ACT_ERRNO(EPERM);
        }
        return SCMP_ACT_ERRNO(EPERM);
}

static int set_attribute(scmp_filter_ctx context, enum scmp_filter_attr attribute, uint32_t value, struct error *err)
{
        int r = seccomp_attr_set(context, attribute, value);

        return r < 0 ? error_errno(err, -r, "cannot set attribute %d of the seccomp filter", (int)attribute) : 0;
}

static int make_context(uint32_t otherwise, scmp_filter_ctx *ret, struct error *err)
{
        cleanup_context scmp_filter_ctx context = seccomp_init(otherwise);
        int r;

        if (context == NULL)
                return error_errno(err, ENOMEM, "cannot make a seccomp filter");
        r = set_attribute(context, SCMP_FLTATR_ACT_BADARCH,
                          OMIT_POINT("foreign ABIs") ? SCMP_ACT_ALLOW : SCMP_ACT_KILL_PROCESS, err);
        if (r >= 0)
                r = set_attribute(context, SCMP_FLTATR_CTL_OPTIMIZE, 2, err);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(context);
        return 0;
}

static int add_numbers(scmp_filter_ctx context, unsigned flags, struct error *err)
{
        for (size_t i = 0; i < sizeof(system_calls) / sizeof(system_calls[0]); i++) {
                const char *name = system_calls[i].name;
                int number = seccomp_syscall_resolve_name(name);
                uint32_t action = action_of(name, system_calls[i].verdict, flags);
                int r;

                /* Negative: unknown to this libseccomp, or a call of other architectures. */
                if (number < 0 || action == UNKNOWN_CALL)
                        continue;
                r = seccomp_rule_add_array(context, action, number, 0, NULL);
                if (r < 0)
                        return error_errno(err, -r, "cannot add %s to the seccomp filter", name);
        }
        return 0;
}

/* The two personalities that ask or keep; another one may switch off what protects memory. */
static int add_personality(scmp_filter_ctx context, struct error *err)
{
        static const uint32_t harmless[] = { PER_LINUX, 0xffffffff };

        for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++) {
                struct scmp_arg_cmp argument = EQUAL(0, harmless[i]);
                int r = seccomp_rule_add_array(context, SCMP_ACT_ALLOW, SCMP_SYS(personality), 1, &argument);

                if (r < 0)
                        return error_errno(err, -r, "cannot add personality to the seccomp filter");
        }
        return 0;
}

static int add_refusal(scmp_filter_ctx context, const struct refusal *refusal, struct error *err)
{
        struct scmp_arg_cmp arguments[] = { refusal->arguments[0], refusal->arguments[1] };
        int r;

        for (unsigned i = 0; OMIT_POINT("masked compare") && i < refusal->count; i++)
                if (arguments[i].op == SCMP_CMP_MASKED_EQ && arguments[i].datum_a == LOW_WORD)
                        arguments[i].datum_a = UINT64_MAX;
        r = seccomp_rule_add_array(context, SCMP_ACT_ERRNO((uint32_t)refusal->number),
                                   seccomp_syscall_resolve_name(refusal->name), refusal->count, arguments);
        if (r < 0)
                return error_errno(err, -r, "cannot add a condition on %s to the seccomp filter", refusal->name);
        return 0;
}

static int add_refusals(scmp_filter_ctx context, unsigned flags, struct error *err)
{
        int r = 0;

        for (size_t i = 0; r >= 0 && i < sizeof(refusals) / sizeof(refusals[0]); i++)
                if ((refusals[i].unless & flags) == 0 && (refusals[i].only & flags) == refusals[i].only)
                        r = add_refusal(context, &refusals[i], err);
        return r;
}

static int export_program(scmp_filter_ctx context, struct jail_filter *ret, struct error *err)
{
        cleanup_close int fd = memfd_create("filter", MFD_CLOEXEC);
        cleanup_free char *code = NULL;
        size_t size;
        int r;

        if (fd < 0)
                return error_errno(err, errno, "cannot make a memfd");
        r = seccomp_export_bpf(context, fd);
        if (r < 0)
                return error_errno(err, -r, "cannot compile the seccomp filter");
        if (lseek(fd, 0, SEEK_SET) < 0)
                return error_errno(err, errno, "cannot read the seccomp filter");
        r = fd_read_all(fd, BPF_MAXINSNS * sizeof(struct sock_filter), &code, &size, err);
        if (r < 0)
                return r;
        if (size == 0 || size % sizeof(struct sock_filter) != 0)
                return error_text(err, EIO, "the compiled seccomp filter is cut");
        ret->code = (void *)TAKE_PTR(code);
        ret->count = size / sizeof(struct sock_filter);
        return 0;
}

/*
 * libseccomp cannot say "this call, but for these arguments" in a filter that refuses by default, so there are two.
 * Put one behind the other: where the first one allows, it goes on to the second. Half the cost of installing both.
 */
static int join_programs(const struct jail_filter *first, const struct jail_filter *second, struct jail_filter *ret,
                         struct error *err)
{
        size_t count = first->count + second->count;
        struct sock_filter *code;

        if (count > BPF_MAXINSNS)
                return error_text(err, E2BIG, "the seccomp filter has more than %d instructions", BPF_MAXINSNS);
        code = calloc(count, sizeof(*code));
        if (code == NULL)
                return error_errno(err, ENOMEM, "cannot make the seccomp filter");
        memcpy(code, first->code, first->count * sizeof(*code));
        memcpy(code + first->count, second->code, second->count * sizeof(*code));
        for (size_t i = 0; i < first->count; i++)
                if (code[i].code == (BPF_RET | BPF_K) && code[i].k == SECCOMP_RET_ALLOW)
                        code[i] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)(first->count - i - 1));
        *ret = (struct jail_filter){ .count = count, .code = code };
        return 0;
}

static int compile_conditions(unsigned flags, struct jail_filter *ret, struct error *err)
{
        cleanup_context scmp_filter_ctx context = NULL;
        int r = make_context(SCMP_ACT_ALLOW, &context, err);

        if (r >= 0)
                r = add_refusals(context, flags, err);
        return r < 0 ? r : export_program(context, ret, err);
}

static int compile_list(unsigned flags, struct jail_filter *ret, struct error *err)
{
        cleanup_context scmp_filter_ctx context = NULL;
        /* With "unknown calls" clone3 is among those that would be refused in a way that breaks threads. */
        int r = make_context(OMIT_POINT("unknown calls") ? SCMP_ACT_ERRNO(EPERM) : UNKNOWN_CALL, &context, err);

        if (r >= 0)
                r = add_numbers(context, flags, err);
        if (r >= 0)
                r = add_personality(context, err);
        return r < 0 ? r : export_program(context, ret, err);
}

int jail_filter_compile(unsigned flags, struct jail_filter *ret, struct error *err)
{
        struct jail_filter conditions = JAIL_FILTER_INIT, list = JAIL_FILTER_INIT;
        int r = compile_conditions(flags, &conditions, err);

        if (r >= 0)
                r = compile_list(flags, &list, err);
        if (r >= 0)
                r = join_programs(&conditions, &list, ret, err);
        jail_filter_done(&conditions);
        jail_filter_done(&list);
        return r;
}

void jail_filter_done(struct jail_filter *filter)
{
        free(filter->code);
        *filter = (struct jail_filter)JAIL_FILTER_INIT;
}

unsigned jail_filter_flags(const struct policy *policy)
{
        return (policy->seccomp == SECCOMP_STRICT ? JAIL_FILTER_STRICT : 0U) |
               (policy->nested && jail_has_user_namespace(policy) ? JAIL_FILTER_NESTED : 0U);
}

static void mix_refusal(uint64_t *hash, const struct refusal *refusal)
{
        uint64_t rest[] = { refusal->unless, refusal->only, (uint64_t)refusal->number, refusal->count };

        hash_mix(hash, refusal->name, strlen(refusal->name) + 1);
        hash_mix(hash, rest, sizeof(rest));
        for (unsigned i = 0; i < refusal->count; i++) {
                const struct scmp_arg_cmp *argument = &refusal->arguments[i];
                uint64_t parts[] = { argument->arg, (uint64_t)argument->op, argument->datum_a, argument->datum_b };

                hash_mix(hash, parts, sizeof(parts));
        }
}

uint64_t jail_filter_key(unsigned flags)
{
        const struct scmp_version *version = seccomp_version();
        uint64_t numbers[] = { version->major, version->minor, version->micro, seccomp_arch_native(), flags,
                               /* A filter that lacks something for a test is not the one that others find. */
                               OMIT_POINT("masked compare") | OMIT_POINT("unknown calls") << 1 |
                                       OMIT_POINT("foreign ABIs") << 2 };
        uint64_t hash = HASH_INIT;

        hash_mix(&hash, AGENTSH_VERSION, sizeof(AGENTSH_VERSION));
        hash_mix(&hash, numbers, sizeof(numbers));
        for (size_t i = 0; i < sizeof(system_calls) / sizeof(system_calls[0]); i++) {
                unsigned char verdict = (unsigned char)system_calls[i].verdict;

                hash_mix(&hash, system_calls[i].name, strlen(system_calls[i].name) + 1);
                hash_mix(&hash, &verdict, 1);
        }
        for (size_t i = 0; i < sizeof(strict_calls) / sizeof(strict_calls[0]); i++)
                hash_mix(&hash, strict_calls[i], strlen(strict_calls[i]) + 1);
        for (size_t i = 0; i < sizeof(system_calls) / sizeof(system_calls[0]); i++) {
                uint32_t answer = strict_answer(system_calls[i].name);

                hash_mix(&hash, &answer, sizeof(answer));
        }
        for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
                mix_refusal(&hash, &refusals[i]);
        return hash;
}

int jail_filter_install(const struct jail_filter *filter, struct error *err)
{
        struct sock_fprog program = { .len = (unsigned short)filter->count, .filter = filter->code };

        /* No SECCOMP_FILTER_FLAG_SPEC_ALLOW: the kernel's default mitigations stay on. */
        if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
                return error_errno(err, errno, "cannot install the seccomp filter");
        return 0;
}

int jail_install_filter(struct jail *jail, struct error *err)
{
        return jail_filter_install(&jail->filter, err);
}
