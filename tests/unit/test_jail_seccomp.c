/*
 * test_jail_seccomp.c - the filter as compiled, run on every system call number of three ABIs and on arguments around
 * the limits; the files that keep it.
 */
#include "common/cleanup.h"
#include "common/fd.h"
#include "monitor/jail_filter_cache.h"
#include "tests/lib/bpf_run.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <sched.h>
#include <seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cmocka.h>

#define ALLOWED     SECCOMP_RET_ALLOW
#define KILLED      SECCOMP_RET_KILL_PROCESS
#define ERROR(code) (SECCOMP_RET_ERRNO | (uint32_t)(code))
#define HIGH        (1ULL << 32)
#define NUMBERS     1024 /* beyond every number in use */

/* How many numbers pass, at most: raise it only together with a reason in the commit. */
#define ALLOWED_MAX 290
#define STRICT_MAX  150

static uint32_t native_arch(void)
{
        return seccomp_arch_native() == SCMP_ARCH_X86_64 ? AUDIT_ARCH_X86_64 : AUDIT_ARCH_AARCH64;
}

static struct jail_filter filters[4]; /* by flags */

static int compile_all(void **state)
{
        (void)state;
        for (unsigned flags = 0; flags < 4; flags++) {
                struct error err = ERROR_INIT;

                if (jail_filter_compile(flags, &filters[flags], &err) < 0) {
                        print_error("%s\n", err.text);
                        return -1;
                }
        }
        return 0;
}

static int free_all(void **state)
{
        (void)state;
        for (unsigned flags = 0; flags < 4; flags++)
                jail_filter_done(&filters[flags]);
        return 0;
}

static uint32_t run(unsigned flags, int number, uint64_t first, uint64_t second, uint64_t third)
{
        struct seccomp_data data = { .nr = number, .arch = native_arch(), .args = { first, second, third } };

        return bpf_run(filters[flags].code, filters[flags].count, &data);
}

static int number_of(const char *name)
{
        return seccomp_syscall_resolve_name(name);
}

static void assert_call(unsigned flags, const char *name, uint32_t wanted)
{
        int number = number_of(name);

        if (number < 0)
                return;
        if (run(flags, number, 0, 0, 0) != wanted)
                fail_msg("%s: 0x%x, not 0x%x", name, run(flags, number, 0, 0, 0), wanted);
}

/* With no argument set, or for sockets with the family AF_UNIX: no condition on arguments stops these. */
static bool passes(unsigned flags, int number)
{
        return run(flags, number, 0, 0, 0) == ALLOWED || run(flags, number, AF_UNIX, 0, 0) == ALLOWED;
}

static void foreign_abis_are_killed(void **state)
{
        static const uint32_t arches[] = {
                AUDIT_ARCH_I386, AUDIT_ARCH_ARM, AUDIT_ARCH_PPC64, AUDIT_ARCH_S390X, 0, ~0U
        };

        (void)state;
        for (unsigned flags = 0; flags < 4; flags++) {
                for (size_t i = 0; i < sizeof(arches) / sizeof(arches[0]); i++) {
                        for (int number = -1; number < NUMBERS; number++) {
                                struct seccomp_data data = { .nr = number, .arch = arches[i] };

                                assert_int_equal(bpf_run(filters[flags].code, filters[flags].count, &data), KILLED);
                        }
                }
                for (int number = 0x40000000; native_arch() == AUDIT_ARCH_X86_64 && number < 0x40000000 + NUMBERS;
                     number++)
                        assert_int_equal(run(flags, number, 0, 0, 0), KILLED);
        }
}

/* A program that is answered like this takes read(2) and write(2); GNU grep gives up at ENOSYS. */
static void strict_says_that_files_cannot_be_spliced(void **state)
{
        (void)state;
        assert_call(JAIL_FILTER_STRICT, "splice", ERROR(EINVAL));
        assert_call(JAIL_FILTER_STRICT, "vmsplice", ERROR(ENOSYS));
        assert_call(0, "splice", ALLOWED);
}

static void unknown_numbers_do_not_exist(void **state)
{
        unsigned allowed = 0, strict = 0;

        (void)state;
        for (int number = 0; number < NUMBERS; number++) {
                uint32_t action = run(0, number, 0, 0, 0);
                bool by_strict = passes(JAIL_FILTER_STRICT, number);
                char *name = seccomp_syscall_resolve_num_arch(seccomp_arch_native(), number);

                if (name == NULL)
                        assert_int_equal(action, ERROR(ENOSYS));
                assert_int_not_equal(action, BPF_RUN_BROKEN);
                allowed += passes(0, number);
                strict += by_strict;
                /* Never more than the default. */
                assert_true(!by_strict || passes(0, number));
                free(name);
        }
        print_message("%u system calls pass, %u when strict\n", allowed, strict);
        assert_true(allowed <= ALLOWED_MAX);
        assert_true(strict <= STRICT_MAX);
        assert_int_equal(run(JAIL_FILTER_STRICT, -1, 0, 0, 0), ERROR(ENOSYS));
        assert_int_equal(run(0, -1, 0, 0, 0), ERROR(ENOSYS));
}

static void dangerous_calls_are_refused(void **state)
{
        static const char *const names[] = {
                "acct",
                "add_key",
                "bpf",
                "clock_settime",
                "delete_module",
                "fanotify_init",
                "finit_module",
                "init_module",
                "io_uring_enter",
                "io_uring_register",
                "io_uring_setup",
                "ioperm",
                "iopl",
                "kcmp",
                "kexec_file_load",
                "kexec_load",
                "keyctl",
                "lookup_dcookie",
                "mbind",
                "memfd_secret",
                "migrate_pages",
                "modify_ldt",
                "move_pages",
                "open_by_handle_at",
                "perf_event_open",
                "pidfd_getfd",
                "process_vm_readv",
                "process_vm_writev",
                "quotactl",
                "quotactl_fd",
                "reboot",
                "request_key",
                "settimeofday",
                "swapoff",
                "swapon",
                "syslog",
                "userfaultfd",
                "vhangup",
        };
        static const char *const nested[] = {
                "chroot",        "fsconfig",      "fsmount",    "fsopen",    "fspick",
                "mount",         "mount_setattr", "move_mount", "open_tree", "pivot_root",
                "setdomainname", "sethostname",   "setns",      "umount2",   "unshare",
        };

        (void)state;
        for (unsigned flags = 0; flags < 4; flags++) {
                for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                        assert_call(flags, names[i], ERROR(EPERM));
                for (size_t i = 0; i < sizeof(nested) / sizeof(nested[0]); i++)
                        assert_call(flags, nested[i], (flags & JAIL_FILTER_NESTED) != 0 ? ALLOWED : ERROR(EPERM));
                assert_call(flags, "clone3", ERROR(ENOSYS));
                assert_call(flags, "ptrace", (flags & JAIL_FILTER_STRICT) != 0 ? ERROR(ENOSYS) : ALLOWED);
                assert_call(flags, "shmget", (flags & JAIL_FILTER_STRICT) != 0 ? ERROR(ENOSYS) : ALLOWED);
                assert_call(flags, "read", ALLOWED);
                assert_call(flags, "execveat", ALLOWED);
                assert_call(flags, "vfork", ALLOWED);
        }
}

static void clone_makes_no_namespaces(void **state)
{
        static const uint64_t bits[] = { CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
                                         CLONE_NEWUSER, CLONE_NEWPID,    CLONE_NEWNET };
        int number = number_of("clone");

        (void)state;
        for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
                assert_int_equal(run(0, number, bits[i], 0, 0), ERROR(EPERM));
                assert_int_equal(run(0, number, bits[i] | 17 | HIGH, 0, 0), ERROR(EPERM));
                assert_int_equal(run(0, number, bits[i] | ~0xffffffffULL, 0, 0), ERROR(EPERM));
                assert_int_equal(run(JAIL_FILTER_STRICT, number, bits[i], 0, 0), ERROR(EPERM));
                assert_int_equal(run(JAIL_FILTER_NESTED, number, bits[i], 0, 0), ALLOWED);
        }
        assert_int_equal(run(0, number, 17, 0, 0), ALLOWED);
        /* As glibc starts a thread. */
        assert_int_equal(run(0, number, 0x3d0f00, 0, 0), ALLOWED);
}

static void terminals_take_no_input(void **state)
{
        static const uint32_t requests[] = { TIOCSTI, TIOCLINUX, TIOCSETD, TIOCCONS };
        static const uint32_t fine[] = { TCGETS, TIOCGWINSZ, TIOCSWINSZ, TIOCSPGRP, TIOCSCTTY, FIONREAD, FIONBIO };
        int number = number_of("ioctl");

        (void)state;
        for (unsigned flags = 0; flags < 4; flags++) {
                for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
                        assert_int_equal(run(flags, number, 0, requests[i], 0), ERROR(EPERM));
                        assert_int_equal(run(flags, number, 0, requests[i] | HIGH, 0), ERROR(EPERM));
                        assert_int_equal(run(flags, number, 0, requests[i] | ~0xffffffffULL, 0), ERROR(EPERM));
                        assert_int_equal(run(flags, number, 0, requests[i] | 1ULL << 63, 0), ERROR(EPERM));
                        assert_int_equal(run(flags, number, HIGH, requests[i], ~0ULL), ERROR(EPERM));
                }
                for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
                        assert_int_equal(run(flags, number, 0, fine[i], 0), ALLOWED);
        }
}

static void sockets_are_of_four_families(void **state)
{
        int number = number_of("socket"), pair = number_of("socketpair");

        (void)state;
        for (uint64_t family = 0; family < 64; family++) {
                bool known = family == AF_UNIX || family == AF_INET || family == AF_INET6 || family == AF_NETLINK;

                assert_int_equal(run(0, number, family, SOCK_STREAM, 0), known ? ALLOWED : ERROR(EAFNOSUPPORT));
                /* The kernel drops the high bits: a family must not pass by them. */
                if (!known)
                        assert_int_not_equal(run(0, number, family | HIGH, SOCK_STREAM, 0), ALLOWED);
                assert_int_equal(run(0, pair, family, SOCK_STREAM, 0),
                                 family == AF_UNIX ? ALLOWED : ERROR(EAFNOSUPPORT));
        }
        assert_int_equal(run(JAIL_FILTER_STRICT, number, AF_NETLINK, SOCK_RAW, 0), ERROR(EAFNOSUPPORT));
        for (uint64_t protocol = 1; protocol < 32; protocol++)
                assert_int_not_equal(run(0, number, AF_NETLINK, SOCK_RAW, protocol), ALLOWED);
        assert_int_not_equal(run(0, number, AF_NETLINK, SOCK_RAW, HIGH | 9), ALLOWED);
        assert_int_equal(run(0, number, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0), ALLOWED);
}

static void internet_sockets_are_plain(void **state)
{
        static const uint64_t refused[] = { 33, 115, 132, 136, 255, 256, 262, 263, 1ULL << 31 };
        static const uint64_t taken[] = { 0, 1, 6, 17, 58 };
        int number = number_of("socket");

        (void)state;
        for (uint64_t family = AF_INET; family <= AF_INET6; family += AF_INET6 - AF_INET) {
                for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
                        assert_int_not_equal(run(0, number, family, SOCK_STREAM, refused[i]), ALLOWED);
                for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
                        assert_int_equal(run(0, number, family, SOCK_DGRAM, taken[i]), ALLOWED);
                assert_int_not_equal(run(0, number, family, SOCK_RAW, 1), ALLOWED);
                assert_int_not_equal(run(0, number, family, SOCK_RAW | SOCK_NONBLOCK | HIGH, 1), ALLOWED);
                assert_int_not_equal(run(0, number, family, SOCK_PACKET, 0), ALLOWED);
                assert_int_equal(run(0, number, family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 6), ALLOWED);
        }
}

static void huge_pages_stay_in_their_pool(void **state)
{
        struct seccomp_data data = { .nr = number_of("mmap"), .arch = native_arch() };

        (void)state;
        for (unsigned flags = 0; flags < 4; flags++) {
                data.args[3] = MAP_PRIVATE | MAP_ANONYMOUS;
                assert_int_equal(bpf_run(filters[flags].code, filters[flags].count, &data), ALLOWED);
                data.args[3] |= MAP_HUGETLB;
                assert_int_equal(bpf_run(filters[flags].code, filters[flags].count, &data), ERROR(ENOMEM));
                assert_int_equal(run(flags, number_of("memfd_create"), 0, MFD_CLOEXEC | MFD_HUGETLB, 0), ERROR(ENOSYS));
        }
        assert_int_equal(run(0, number_of("memfd_create"), 0, MFD_CLOEXEC | MFD_ALLOW_SEALING, 0), ALLOWED);
        assert_int_equal(run(0, number_of("shmget"), 0, 4096, IPC_CREAT | 0600), ALLOWED);
        assert_int_equal(run(0, number_of("shmget"), 0, 4096, IPC_CREAT | SHM_HUGETLB | 0600), ERROR(ENOMEM));
}

static void personality_stays(void **state)
{
        int number = number_of("personality");

        (void)state;
        assert_int_equal(run(0, number, 0, 0, 0), ALLOWED);
        assert_int_equal(run(0, number, 0xffffffff, 0, 0), ALLOWED);
        assert_int_equal(run(0, number, ~0ULL, 0, 0), ALLOWED);
        for (unsigned bit = 0; bit < 32; bit++) {
                assert_int_not_equal(run(0, number, 1ULL << bit, 0, 0), ALLOWED);
                assert_int_not_equal(run(0, number, 1ULL << bit | HIGH, 0, 0), ALLOWED);
                assert_int_not_equal(run(0, number, 0xffffffffULL & ~(1ULL << bit), 0, 0), ALLOWED);
        }
}

/* It seems to work and changes nothing; all other limits can be lowered, and this one read. */
static void core_limit_stays(void **state)
{
        (void)state;
        for (unsigned flags = 0; flags < 4; flags++) {
                uint32_t others = flags & JAIL_FILTER_STRICT ? ERROR(ENOSYS) : ALLOWED;

                for (uint64_t high = 0; high <= HIGH; high += HIGH) {
                        assert_int_equal(run(flags, number_of("setrlimit"), RLIMIT_CORE | high, 0, 0), ERROR(0));
                        assert_int_equal(run(flags, number_of("prlimit64"), 0, RLIMIT_CORE | high, 1), ERROR(0));
                        assert_int_equal(run(flags, number_of("prlimit64"), 0, RLIMIT_CORE | high, HIGH), ERROR(0));
                }
                assert_int_equal(run(flags, number_of("setrlimit"), RLIMIT_NOFILE, 0, 0), others);
                assert_int_equal(run(flags, number_of("prlimit64"), 0, RLIMIT_NOFILE, 1), ALLOWED);
                assert_int_equal(run(flags, number_of("prlimit64"), 0, RLIMIT_CORE, 0), ALLOWED);
        }
}

static void keys_differ(void **state)
{
        (void)state;
        for (unsigned a = 0; a < 4; a++) {
                assert_true(jail_filter_key(a) == jail_filter_key(a));
                for (unsigned b = 0; b < a; b++)
                        assert_true(jail_filter_key(a) != jail_filter_key(b));
        }
}

/* The one .bpf file of a cache directory. */
static void find_file(const char *directory, char *ret, size_t size)
{
        (void)snprintf(ret, size, "%s/%016llx.bpf", directory, (unsigned long long)jail_filter_key(0));
}

static void assert_same(const struct jail_filter *a, const struct jail_filter *b)
{
        assert_int_equal(a->count, b->count);
        assert_memory_equal(a->code, b->code, a->count * sizeof(struct sock_filter));
}

static void load(const char *directory)
{
        struct jail_filter filter = JAIL_FILTER_INIT;
        struct error err = ERROR_INIT;

        if (jail_filter_load(directory, 0, &filter, &err) < 0)
                fail_msg("%s", err.text);
        assert_same(&filter, &filters[0]);
        jail_filter_done(&filter);
}

/* Change the kept file in one way each: the filter that is loaded stays the compiled one, and the file is replaced. */
static void damage(const char *path, int way)
{
        cleanup_close int fd = open(path, O_RDWR | O_CLOEXEC);
        struct stat st;
        uint32_t wrong = 0xffffffff;

        assert_true(fd >= 0 && fstat(fd, &st) == 0);
        switch (way) {
        case 0:
                assert_int_equal(ftruncate(fd, st.st_size - 8), 0);
                break;
        case 1:
                assert_int_equal(ftruncate(fd, st.st_size + 8), 0);
                break;
        case 2:
                assert_int_equal(ftruncate(fd, 3), 0);
                break;
        case 3:
                assert_int_equal(pwrite(fd, &wrong, 4, 0), 4);
                break; /* magic */
        case 4:
                assert_int_equal(pwrite(fd, &wrong, 4, 4), 4);
                break; /* count */
        case 5:
                assert_int_equal(pwrite(fd, &wrong, 4, 8), 4);
                break; /* key */
        default:
                break;
        }
}

static void keeps_filters(void **state)
{
        char base[] = "/tmp/agentsh-filters.XXXXXX", directory[64], path[128];
        cleanup_close int tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
        struct jail_filter filter;
        struct error err = ERROR_INIT;
        struct stat before, after;

        (void)state;
        if (geteuid() != 0)
                skip();
        assert_non_null(mkdtemp(base));
        (void)snprintf(directory, sizeof(directory), "%s/run/seccomp", base);
        load(directory);
        find_file(directory, path, sizeof(path));
        assert_int_equal(stat(directory, &before), 0);
        assert_int_equal(before.st_mode & 07777, 0700);
        assert_int_equal(stat(path, &before), 0);
        assert_int_equal(before.st_mode & 07777, 0600);
        load(directory);
        assert_int_equal(stat(path, &after), 0);
        assert_true(before.st_ino == after.st_ino);
        for (int way = 0; way < 6; way++) {
                damage(path, way);
                load(directory);
                assert_int_equal(stat(path, &after), 0);
                assert_true(before.st_size == after.st_size);
        }
        /* Somebody else's file, a file others can write, a link, a directory: not used. */
        assert_int_equal(chown(path, 65534, 65534), 0);
        load(directory);
        assert_int_equal(stat(path, &after), 0);
        assert_int_equal(after.st_uid, 0);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(symlink("/etc/passwd", path), 0);
        load(directory);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(mkdir(path, 0700), 0);
        load(directory);
        /* A directory that others can write: refused altogether. */
        assert_int_equal(chmod(directory, 0777), 0);
        assert_int_equal(jail_filter_load(directory, 0, &filter, &err), -EPERM);
        assert_int_equal(fd_remove_tree(tmp, base + strlen("/tmp/"), &err), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(foreign_abis_are_killed),
                cmocka_unit_test(unknown_numbers_do_not_exist),
                cmocka_unit_test(strict_says_that_files_cannot_be_spliced),
                cmocka_unit_test(dangerous_calls_are_refused),
                cmocka_unit_test(clone_makes_no_namespaces),
                cmocka_unit_test(terminals_take_no_input),
                cmocka_unit_test(sockets_are_of_four_families),
                cmocka_unit_test(internet_sockets_are_plain),
                cmocka_unit_test(huge_pages_stay_in_their_pool),
                cmocka_unit_test(personality_stays),
                cmocka_unit_test(core_limit_stays),
                cmocka_unit_test(keys_differ),
                cmocka_unit_test(keeps_filters),
        };

        return cmocka_run_group_tests(tests, compile_all, free_all);
}
