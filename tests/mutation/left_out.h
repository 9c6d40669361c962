/*
 * left_out.h - one login with something left out of it: who objects, and to what. For the tests of tests/mutation.
 */
#ifndef AGENTSH_TESTS_LEFT_OUT_H
#define AGENTSH_TESTS_LEFT_OUT_H

#include "common/cleanup.h"
#include "common/fd.h"
#include "tests/lib/jail_facts.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define ANSWER_MS 2000

static struct jail_lab lab;

struct finding {
        char text[512]; /* who objects, and to what; "" when nobody does */
};

static inline void start_without(const char *omitted, struct error *err, struct finding *ret)
{
        ret->text[0] = '\0';
        *err = (struct error)ERROR_INIT;
        (void)setenv("AGENTSH_OMIT", omitted, 1);
        if (jail_lab_start(&lab, err) < 0)
                (void)snprintf(ret->text, sizeof(ret->text), "%s", err->text);
        (void)unsetenv("AGENTSH_OMIT");
}

static inline void stop(void)
{
        struct error err = ERROR_INIT;

        if (jail_lab_stop(&lab, &err) < 0)
                fail_msg("%s", err.text);
}

/* Whether process 1 is in every cgroup of the session, looked at from outside. */
static inline bool is_in_cgroups(void)
{
        for (size_t i = 0; i < lab.cgroup.count; i++) {
                char text[4096], line[16];

                (void)snprintf(line, sizeof(line), "%d", (int)lab.isolation.pid);
                if (fd_read_file_at(lab.cgroup.dir[i].fd, "cgroup.procs", text, sizeof(text), NULL) < 0 ||
                    !jail_facts_has_line(text, line))
                        return false;
        }
        return true;
}

/* What process 1 does with its first command; one that was never told who it is does nothing. */
static inline bool answers(void)
{
        static const char *const arguments[] = { "/bin/true", NULL };
        struct pollfd item = { .events = POLLIN };
        pid_t pid;
        int status;

        (void)fflush(NULL);
        pid = fork();
        if (pid == 0) {
                struct error err = ERROR_INIT;
                int code, null = open("/dev/null", O_RDWR | O_CLOEXEC), fds[] = { null, null, null };

                _exit(jail_lab_run(&lab, NULL, arguments, fds, &code, &err) < 0);
        }
        item.fd = (int)syscall(SYS_pidfd_open, pid, 0);
        (void)poll(&item, 1, ANSWER_MS);
        (void)close(item.fd);
        (void)kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* The whole of it: the login is refused, or the probes and the view from outside object. */
static inline struct finding login_without(const char *omitted)
{
        struct finding finding;
        struct error err;

        start_without(omitted, &err, &finding);
        if (finding.text[0] != '\0')
                return finding;
        if (!is_in_cgroups())
                (void)snprintf(finding.text, sizeof(finding.text), "process 1 is not in the session's cgroup");
        else if (strcmp(omitted, "configure init") == 0 && !answers())
                (void)snprintf(finding.text, sizeof(finding.text), "process 1 does not answer");
        else
                jail_facts_check(&lab, finding.text, sizeof(finding.text));
        stop();
        return finding;
}

static inline void told(const char *name, const struct finding *finding)
{
        (void)fprintf(stderr, "noticed: %s: %s\n", name, finding->text);
}

/* Leaving `omitted` out is noticed, and by a guard of that name if one is given. */
static inline void expect_noticed(const char *name, const char *omitted, const char *guard)
{
        struct finding finding = login_without(omitted);

        if (finding.text[0] == '\0')
                fail_msg("nobody noticed that \"%s\" was left out", omitted);
        if (guard != NULL && strstr(finding.text, guard) == NULL)
                fail_msg("not %s noticed that \"%s\" was left out, but: %s", guard, omitted, finding.text);
        told(name, &finding);
}

#define BY_SELF_TEST       "(step \"self-test\"): self-test: "
#define BY_PROOF           "(step \"proof\"): "
#define BY_PROBES(finding) (strstr((finding).text, "(step \"") == NULL)

/* With the guards left out too the login succeeds, and the probes inside, or the host, object. */
static inline void expect_seen_inside(const char *name, const char *omitted)
{
        struct finding finding = login_without(omitted);

        if (finding.text[0] == '\0' || !BY_PROBES(finding))
                fail_msg("without \"%s\": %s", omitted, finding.text[0] == '\0' ? "nobody noticed" : finding.text);
        told(name, &finding);
}

#endif
