/* probe_identity - prints who the process is: ids, capabilities, filters, limits, signals. Static; runs inside. */
#include "probe/probe.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

static void print_status(void)
{
        static const char *const wanted[] = { "Uid:",    "Gid:",    "Groups:", "CapInh:",           "CapPrm:",
                                              "CapEff:", "CapBnd:", "CapAmb:", "NoNewPrivs:",       "Seccomp:",
                                              "SigBlk:", "SigIgn:", "NSpid:",  "Cpus_allowed_list:" };
        FILE *file = fopen("/proc/self/status", "re");
        char line[512];

        if (file == NULL)
                return;
        while (fgets(line, sizeof(line), file) != NULL) {
                for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
                        size_t length = strlen(wanted[i]);

                        if (strncmp(line, wanted[i], length) != 0)
                                continue;
                        line[strcspn(line, "\n")] = '\0';
                        (void)printf("%.*s=%s\n", (int)length - 1, line, line + length + strspn(line + length, " \t"));
                }
        }
        (void)fclose(file);
}

static void print_limits(void)
{
        static const struct {
                int kind;
                const char *name;
        } limits[] = {
                { RLIMIT_AS, "as" },           { RLIMIT_CORE, "core" },         { RLIMIT_CPU, "cpu" },
                { RLIMIT_DATA, "data" },       { RLIMIT_FSIZE, "fsize" },       { RLIMIT_LOCKS, "locks" },
                { RLIMIT_MEMLOCK, "memlock" }, { RLIMIT_MSGQUEUE, "msgqueue" }, { RLIMIT_NICE, "nice" },
                { RLIMIT_NOFILE, "nofile" },   { RLIMIT_NPROC, "nproc" },       { RLIMIT_RSS, "rss" },
                { RLIMIT_RTPRIO, "rtprio" },   { RLIMIT_RTTIME, "rttime" },     { RLIMIT_SIGPENDING, "sigpending" },
                { RLIMIT_STACK, "stack" },
        };

        for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
                struct rlimit limit;

                if (getrlimit((__rlimit_resource_t)limits[i].kind, &limit) == 0)
                        (void)printf("limit_%s=%lld:%lld\n", limits[i].name, (long long)limit.rlim_cur,
                                     (long long)limit.rlim_max);
        }
}

static void print_file(const char *key, const char *path)
{
        char text[256];
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

        if (got < 0) {
                probe_result(key, -1);
                return;
        }
        text[got] = '\0';
        text[strcspn(text, "\n")] = '\0';
        (void)printf("%s=%s\n", key, text);
        (void)close(fd);
}

static void print_namespaces(void)
{
        static const char *const names[] = { "cgroup", "ipc", "mnt", "net", "pid", "user", "uts" };

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                char path[64], target[64];
                ssize_t length;

                (void)snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
                length = readlink(path, target, sizeof(target) - 1);
                target[length > 0 ? length : 0] = '\0';
                (void)printf("ns_%s=%s\n", names[i], target);
        }
}

int main(void)
{
        uid_t ruid, euid, suid;
        gid_t rgid, egid, sgid;
        struct utsname system;
        mode_t mask = umask(0);
        int score;

        if (getresuid(&ruid, &euid, &suid) < 0 || getresgid(&rgid, &egid, &sgid) < 0)
                ruid = euid = suid = rgid = egid = sgid = (uid_t)-1;
        (void)printf("uids=%u %u %u\ngids=%u %u %u\ngroups=%d\n", ruid, euid, suid, rgid, egid, sgid,
                     getgroups(0, NULL));
        print_status();
        (void)printf("securebits=0x%x\n", (unsigned)prctl(PR_GET_SECUREBITS, 0, 0, 0, 0));
        (void)printf("umask=%04o\nnice=%d\nscheduler=%d\n", (unsigned)mask, getpriority(PRIO_PROCESS, 0),
                     sched_getscheduler(0));
        print_limits();
        print_file("oom_score_adj", "/proc/self/oom_score_adj");
        print_file("loginuid", "/proc/self/loginuid");
        print_file("uid_map", "/proc/self/uid_map");
        print_file("gid_map", "/proc/self/gid_map");
        print_file("setgroups", "/proc/self/setgroups");
        print_file("cgroup", "/proc/self/cgroup");
        print_file("keys", "/proc/keys");
        print_file("max_user_namespaces", "/proc/sys/user/max_user_namespaces");
        score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
        probe_result("oom_lower", score < 0 ? -1 : write(score, "-1", 2));
        probe_result("keyring", syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0));
        print_namespaces();
        if (uname(&system) == 0)
                (void)printf("hostname=%s\ndomainname=%s\n", system.nodename, system.domainname);
        (void)printf("sid=%d\nppid=%d\n", getsid(0), getppid());
        return 0;
}
