/* agentsh_confine.c - the allow list, written by hand so that the login shell needs no library. No privilege. */
#include "shell/agentsh_confine.h"

#include "common/fault.h"

#include <asm/termbits.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define THIS_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define THIS_ARCH AUDIT_ARCH_AARCH64
#else
#error "the seccomp filter is written for x86_64 and aarch64 only"
#endif

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* Both architectures are little-endian: the low half of an argument comes first, and is all the kernel looks at. */
#define ARGUMENT_LOW(n) ((uint32_t)(offsetof(struct seccomp_data, args) + (n) * sizeof(uint64_t)))

/* Most frequent first. */
static const unsigned allowed_calls[] = {
#ifdef __NR_poll
        __NR_poll,
#endif
        __NR_ppoll,   __NR_read,       __NR_write,         __NR_setitimer, __NR_rt_sigreturn, __NR_restart_syscall,
        __NR_sendto,  __NR_recvfrom,   __NR_pread64,       __NR_close,     __NR_rt_sigaction, __NR_rt_sigprocmask,
        __NR_getpid,  __NR_getpgid,    __NR_clock_gettime,
#ifdef __NR_getpgrp
        __NR_getpgrp,
#endif
        __NR_exit,    __NR_exit_group,
};

static const unsigned allowed_ioctls[] = {
        TCGETS2, TCSETS2, TCFLSH, TIOCGWINSZ, TIOCSWINSZ, TIOCGPGRP,
};

struct program {
        struct sock_filter *code;
        size_t length;
};

static void add(struct program *program, struct sock_filter instruction)
{
        program->code[program->length++] = instruction;
}

static void load(struct program *program, uint32_t offset)
{
        add(program, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset));
}

static void finish(struct program *program, uint32_t verdict)
{
        add(program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, verdict));
}

static void allow_if_equal(struct program *program, uint32_t value)
{
        add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1));
        finish(program, SECCOMP_RET_ALLOW);
}

/* The call `number` passes when the low half of its argument is one of `values`; any other value kills. */
static void allow_call_with(struct program *program, uint32_t number, unsigned argument, const unsigned *values,
                            size_t count)
{
        size_t jump = program->length;

        add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 0));
        load(program, ARGUMENT_LOW(argument));
        for (size_t i = 0; i < count; i++)
                allow_if_equal(program, values[i]);
        finish(program, SECCOMP_RET_KILL_PROCESS);
        program->code[jump].jf = (uint8_t)(program->length - jump - 1);
}

size_t confine_build(struct sock_filter *ret, unsigned pid)
{
        struct program program = { .code = ret };

        load(&program, offsetof(struct seccomp_data, arch));
        add(&program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, THIS_ARCH, 1, 0));
        finish(&program, SECCOMP_RET_KILL_PROCESS);
        /* x32 numbers have a high bit of their own: they are equal to none of these. */
        load(&program, offsetof(struct seccomp_data, nr));
        for (size_t i = 0; i < sizeof(allowed_calls) / sizeof(allowed_calls[0]); i++)
                allow_if_equal(&program, allowed_calls[i]);
        allow_call_with(&program, __NR_ioctl, 1, allowed_ioctls, sizeof(allowed_ioctls) / sizeof(allowed_ioctls[0]));
        allow_call_with(&program, __NR_kill, 0, &pid, 1);
        finish(&program, SECCOMP_RET_KILL_PROCESS);
        return program.length;
}

int confine_enter(struct error *err)
{
        struct sock_filter code[CONFINE_LENGTH_MAX];
        struct sock_fprog program = { .filter = code };

        program.len = (unsigned short)confine_build(code, (unsigned)getpid());
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return error_errno(err, errno, "cannot set no_new_privs");
        if (!SANITIZED && !OMIT_POINT("relay filter") && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
                return error_errno(err, errno, "cannot install the seccomp filter");
        return 0;
}
