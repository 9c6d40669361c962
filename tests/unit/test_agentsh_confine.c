/*
 * test_agentsh_confine.c - the login shell's seccomp filter: simulated for every call number and many arguments, then
 * tried on a real process.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shell/agentsh_confine.h"

#include <asm/termbits.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PID 4711U

#if defined(__x86_64__)
#define THIS_ARCH AUDIT_ARCH_X86_64
#else
#define THIS_ARCH AUDIT_ARCH_AARCH64
#endif

/* The few instructions that the filter is made of. */
static uint32_t simulate(const struct sock_filter *code, size_t length, const struct seccomp_data *data)
{
        uint32_t value = 0;

        for (size_t at = 0; at < length; at++) {
                if (code[at].code == (BPF_LD | BPF_W | BPF_ABS)) {
                        assert_true(code[at].k + sizeof(value) <= sizeof(*data));
                        memcpy(&value, (const char *)data + code[at].k, sizeof(value));
                } else if (code[at].code == (BPF_JMP | BPF_JEQ | BPF_K)) {
                        at += value == code[at].k ? code[at].jt : code[at].jf;
                } else {
                        assert_int_equal(code[at].code, BPF_RET | BPF_K);
                        return code[at].k;
                }
        }
        fail_msg("the filter ends without a verdict");
        return 0;
}

static bool allows(uint32_t arch, long number, uint64_t first, uint64_t second)
{
        struct sock_filter code[CONFINE_LENGTH_MAX];
        size_t length = confine_build(code, PID);
        struct seccomp_data data = { .nr = (int)number, .arch = arch, .args = { first, second } };
        uint32_t verdict;

        assert_in_range(length, 1, CONFINE_LENGTH_MAX);
        verdict = simulate(code, length, &data);
        assert_true(verdict == SECCOMP_RET_ALLOW || verdict == SECCOMP_RET_KILL_PROCESS);
        return verdict == SECCOMP_RET_ALLOW;
}

static void number_of_calls(void **state)
{
        unsigned allowed = 0;

        (void)state;
        for (long number = 0; number < 1024; number++)
                allowed += allows(THIS_ARCH, number, PID, TCGETS2);
        assert_in_range(allowed, 15, 24);
}

static void dangerous_calls(void **state)
{
        static const long numbers[] = {
                SYS_openat,
                SYS_sendmsg,
                SYS_recvmsg,
                SYS_execve,
                SYS_clone,
                SYS_socket,
                SYS_connect,
                SYS_mmap,
                SYS_mprotect,
                SYS_ptrace,
                SYS_prctl,
                SYS_pidfd_open,
                SYS_dup,
                SYS_fcntl,
                SYS_setitimer + 0x40000000L,
                SYS_openat2,
                SYS_io_uring_setup,
                SYS_tkill,
                SYS_tgkill,
                SYS_rt_sigqueueinfo,
                SYS_pidfd_send_signal,
                SYS_process_vm_writev,
                -1L,
        };

        (void)state;
        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
                assert_false(allows(THIS_ARCH, numbers[i], PID, TCGETS2));
}

static void foreign_architectures(void **state)
{
        static const uint32_t others[] = { AUDIT_ARCH_I386, AUDIT_ARCH_ARM, AUDIT_ARCH_X86_64 ^ AUDIT_ARCH_AARCH64, 0 };

        (void)state;
        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
                for (long number = 0; number < 512; number++)
                        assert_false(allows(others[i], number, PID, TCGETS2));
}

static void ioctls(void **state)
{
        static const uint32_t bad[] = { TIOCSTI,   TIOCLINUX, TIOCSCTTY, TIOCSETD, TIOCCONS, TIOCGPTPEER,
                                        TIOCNOTTY, TIOCSPGRP, FIONBIO,   TCSETS,   0,        UINT32_MAX };
        static const uint64_t high[] = { 0, 1ULL << 32, 0xffffffffULL << 32 };

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                for (size_t j = 0; j < sizeof(high) / sizeof(high[0]); j++)
                        assert_false(allows(THIS_ARCH, SYS_ioctl, 0, bad[i] | high[j]));
        assert_true(allows(THIS_ARCH, SYS_ioctl, 0, TCSETS2));
        assert_true(allows(THIS_ARCH, SYS_ioctl, 0, TIOCSWINSZ));
}

static void signals_go_to_itself(void **state)
{
        (void)state;
        assert_true(allows(THIS_ARCH, SYS_kill, PID, SIGTERM));
        assert_false(allows(THIS_ARCH, SYS_kill, PID + 1, SIGTERM));
        assert_false(allows(THIS_ARCH, SYS_kill, 0, SIGTERM));
        assert_false(allows(THIS_ARCH, SYS_kill, (uint64_t)-1, SIGTERM));
        assert_false(allows(THIS_ARCH, SYS_kill, 1, SIGTERM));
}

/* The wait status of a process that enters the filter and does `act`. */
static int confined(void (*act)(void))
{
        int status;
        pid_t pid = fork();

        if (pid == 0) {
                if (confine_enter(NULL) < 0)
                        _exit(99);
                act();
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return status;
}

static void do_nothing(void)
{
}

static void inject(void)
{
        (void)ioctl(0, TIOCSTI, "x");
}

static void open_a_file(void)
{
        (void)syscall(SYS_openat, -1, "/etc/passwd", 0);
}

static void signal_another(void)
{
        (void)kill(getppid(), 0);
}

static void signal_itself(void)
{
        (void)kill(getpid(), SIGTERM);
}

static void on_a_process(void **state)
{
        (void)state;
#if defined(__SANITIZE_ADDRESS__)
        skip();
#endif
        assert_int_equal(confined(do_nothing), 0);
        assert_int_equal(confined(signal_itself), SIGTERM);
        assert_int_equal(WTERMSIG(confined(inject)), SIGSYS);
        assert_int_equal(WTERMSIG(confined(open_a_file)), SIGSYS);
        assert_int_equal(WTERMSIG(confined(signal_another)), SIGSYS);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(number_of_calls),       cmocka_unit_test(dangerous_calls),
                cmocka_unit_test(foreign_architectures), cmocka_unit_test(ioctls),
                cmocka_unit_test(signals_go_to_itself),  cmocka_unit_test(on_a_process),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
