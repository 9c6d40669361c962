/*
 * probe_syscalls - which x86-64 system calls get past the filters over this process, number by number. Static; runs
 * inside.
 *
 * No call is carried out, so none can do harm, block, or fail in the kernel for other reasons than the filter's. A
 * child lays a filter of its own over those it has: it hands each call whose last argument is a mark to the parent. The
 * kernel asks all filters and takes the strictest answer: a call that another one refuses keeps that answer, and only
 * what all others let through comes to the parent, which turns it into an error that no filter gives.
 *
 *   probe_syscalls     prints counts "reached=N", "EPERM=N", "ENOSYS=N" ..., "killed=N", then "call NUMBER=RESULT"
 *
 * Numbers that the kernel has no code for are passed over. A call that a condition on arguments stops counts as reached
 * when any of the tried arguments passes.
 */
#include "probe/probe.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MARK       0x0a9e27f1
#define TAKEN      ENOTRECOVERABLE /* what the parent makes of a call that came through */
#define LAST       469             /* file_setattr, Linux 6.17 */
#define TIMEOUT_MS 10000

#ifndef SECCOMP_FILTER_FLAG_NEW_LISTENER
#define SECCOMP_FILTER_FLAG_NEW_LISTENER (1UL << 3)
#endif

enum result { UNTRIED = 0, REACHED = -1, KILLED = -2 }; /* above 0: errno */

struct shared {
        volatile int listener; /* -1: none yet; below: -errno - 1 */
        volatile int at, result[LAST + 1];
};

/* Never numbered, or all kernels that this project runs on have no code for it. */
static bool is_call(int number)
{
        static const int dead[] = { 134, 156, 174, 177, 178, 180, 181, 182, 183, 184, 185, 205, 211, 214, 215, 236 };

        for (size_t i = 0; i < sizeof(dead) / sizeof(dead[0]); i++)
                if (dead[i] == number)
                        return false;
        return number <= 334 || number >= 424;
}

static int try_number(int number)
{
        /* The second is AF_UNIX, a signal, a kind of id: what passes where 0 does not. */
        static const long firsts[] = { 0, 1, SIGCHLD };
        int refused = 0;

        for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
                if (syscall(number, firsts[i], 0L, 0L, 0L, 0L, (long)MARK) >= 0)
                        return REACHED; /* carried out: cannot be */
                if (errno == TAKEN)
                        return REACHED;
                refused = errno;
        }
        return refused;
}

__attribute__((noreturn)) static void child(struct shared *shared)
{
        static struct sock_filter code[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[5])),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MARK, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };
        long fd;

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
        shared->listener = fd < 0 ? -errno - 1 : (int)fd;
        if (fd < 0)
                _exit(1);
        for (; shared->at <= LAST; shared->at++)
                if (is_call(shared->at))
                        shared->result[shared->at] = try_number(shared->at);
        _exit(0);
}

/* Answers until the child is gone. The fds are shared with it: its listener is the parent's too. */
static void serve(struct shared *shared, pid_t pid)
{
        struct seccomp_notif request;
        struct seccomp_notif_resp response;
        struct pollfd item = { .fd = -1, .events = POLLIN };

        siginfo_t info = { .si_pid = 0 };

        while (shared->listener == -1 && waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
               info.si_pid == 0)
                (void)sched_yield();
        item.fd = shared->listener;
        while (item.fd >= 0 && poll(&item, 1, TIMEOUT_MS) > 0 && (item.revents & POLLIN) != 0) {
                memset(&request, 0, sizeof(request));
                memset(&response, 0, sizeof(response));
                if (ioctl(item.fd, SECCOMP_IOCTL_NOTIF_RECV, &request) < 0)
                        continue;
                response.id = request.id;
                response.error = -TAKEN;
                (void)ioctl(item.fd, SECCOMP_IOCTL_NOTIF_SEND, &response);
        }
        if (item.fd >= 0)
                (void)close(item.fd);
}

/* One child, from number shared->at on, until it is through or was killed for one. */
static int run_child(struct shared *shared)
{
        int status = 0;
        pid_t pid;

        shared->listener = -1;
        pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0L, 0L, 0L, 0L);
        if (pid == 0)
                child(shared);
        if (pid < 0)
                return -errno;
        serve(shared, pid);
        (void)kill(pid, SIGKILL); /* has ended, or hangs */
        if (waitpid(pid, &status, 0) != pid)
                return -errno;
        if (shared->listener < 0)
                return shared->listener + 1;
        if (WIFSIGNALED(status) && shared->at <= LAST)
                shared->result[shared->at++] = KILLED;
        return 0;
}

static const char *word_of(int result)
{
        const char *name = result > 0 ? strerrorname_np(result) : NULL;

        return result == REACHED ? "reached" : result == KILLED ? "killed" : name != NULL ? name : "?";
}

static void print_counts(const struct shared *shared)
{
        int total = 0;

        for (int kind = KILLED; kind < 200; kind++) {
                int count = 0;

                for (int number = 0; number <= LAST; number++)
                        count += is_call(number) && shared->result[number] == kind;
                total += count;
                if (count > 0 || kind == REACHED)
                        (void)printf("%s=%d\n", word_of(kind), count);
        }
        (void)printf("numbers=%d\n", total);
}

int main(void)
{
        struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        if (shared == MAP_FAILED) {
                perror("probe_syscalls: mmap");
                return 1;
        }
        while (shared->at <= LAST) {
                int r = run_child(shared);

                if (r < 0) {
                        (void)fprintf(stderr, "probe_syscalls: cannot lay a filter over this process: %s\n",
                                      strerror(-r));
                        return 1;
                }
        }
        print_counts(shared);
        for (int number = 0; number <= LAST; number++)
                if (is_call(number))
                        (void)printf("call %d=%s\n", number, word_of(shared->result[number]));
        return 0;
}
