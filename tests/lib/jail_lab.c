/* jail_lab.c - a jail for tests. Root. */
#include "tests/lib/jail_lab.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/seqpacket.h"
#include "tests/lib/stub_protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define OUTPUT_MAX     (4U * 1024 * 1024)
#define RUN_TIMEOUT_MS 120000

void jail_lab_probe_path(const char *name, char *ret, size_t size)
{
        char self[PATH_MAX / 2];
        ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
        char *slash;

        self[length > 0 ? length : 0] = '\0';
        slash = strrchr(self, '/');
        if (slash != NULL)
                *slash = '\0';
        (void)snprintf(ret, size, "%s/../probes/%s", self, name);
}

void jail_lab_fact(const char *text, const char *key, char *ret, size_t size)
{
        size_t length = strlen(key);

        ret[0] = '\0';
        for (const char *at = text; *at != '\0'; at += strcspn(at, "\n"), at += *at == '\n') {
                if (strncmp(at, key, length) != 0 || at[length] != '=')
                        continue;
                at += length + 1;
                (void)snprintf(ret, size, "%.*s", (int)strcspn(at, "\n"), at);
                return;
        }
}

void jail_lab_need_root(void)
{
        const char *must = getenv("AGENTSH_MUST_RUN"), *ci = getenv("CI");

        if (geteuid() == 0)
                return;
        (void)fprintf(stderr, "skipped: needs root\n");
        if ((must != NULL && strcmp(must, "1") == 0) || (ci != NULL && strcmp(ci, "true") == 0))
                fail();
        skip();
}

static void set_policy(struct policy *policy)
{
        memset(policy, 0, sizeof(*policy));
        (void)snprintf(policy->account, sizeof(policy->account), "%s", JAIL_LAB_ACCOUNT);
        (void)snprintf(policy->shell, sizeof(policy->shell), "/bin/bash");
        (void)snprintf(policy->root_source, sizeof(policy->root_source), "host");
        policy->enabled = true;
        policy->tier = TIER_JAIL;
        policy->max_sessions = 2;
        policy->home_mode = HOME_PERSISTENT;
        policy->home_size = 64ULL << 20;
        policy->memory = 1ULL << 30;
        policy->tasks = 512;
        policy->tmp = 64ULL << 20;
        policy->open_files = 4096;
        policy->seccomp = SECCOMP_DEFAULT;
}

static int make_text(const char *path, struct error *err)
{
        cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        char text[64];

        if (fd < 0)
                return error_errno(err, errno, "cannot make %s", path);
        (void)snprintf(text, sizeof(text), JAIL_LAB_ACCOUNT ":%u:65535\n", JAIL_LAB_SUBID);
        return fd_write_all(fd, text, strlen(text), path, err);
}

static int make_places(struct jail_lab *lab, struct error *err)
{
        char home[160], probe[PATH_MAX];

        (void)snprintf(lab->directory, sizeof(lab->directory), "/tmp/agentsh-lab.XXXXXX");
        if (mkdtemp(lab->directory) == NULL)
                return error_errno(err, errno, "cannot make a directory in /tmp");
        (void)snprintf(lab->homes, sizeof(lab->homes), "%s/homes", lab->directory);
        (void)snprintf(lab->filters, sizeof(lab->filters), "%s/filters", lab->directory);
        (void)snprintf(lab->etc, sizeof(lab->etc), "%s/etc", lab->directory);
        (void)snprintf(lab->subuid, sizeof(lab->subuid), "%s/subuid", lab->directory);
        (void)snprintf(lab->subgid, sizeof(lab->subgid), "%s/subgid", lab->directory);
        (void)snprintf(home, sizeof(home), "%s/" JAIL_LAB_ACCOUNT, lab->homes);
        if (mkdir(lab->homes, 0700) < 0 || mkdir(home, 0700) < 0 || chown(home, JAIL_LAB_UID, JAIL_LAB_UID) < 0)
                return error_errno(err, errno, "cannot make %s", home);
        jail_lab_probe_path("stub_init", probe, sizeof(probe));
        if (realpath(probe, lab->init) == NULL)
                return error_errno(err, errno, "cannot find %s", probe);
        lab->places = (struct jail_places){ .init = lab->init,
                                            .homes = lab->homes,
                                            .filters = lab->filters,
                                            .etc = lab->etc,
                                            .subuid = lab->subuid,
                                            .subgid = lab->subgid };
        return make_text(lab->subuid, err) < 0 ? -err->number : make_text(lab->subgid, err);
}

int jail_lab_open(struct jail_lab *lab, struct error *err)
{
        memset(lab, 0, sizeof(*lab));
        lab->cgroup = (struct cgroup)CGROUP_INIT;
        lab->isolation = (struct isolation)ISOLATION_INIT;
        lab->attach_fd = -EBADF;
        set_policy(&lab->policy);
        lab->config.magic = STATUS_MAGIC;
        lab->config.uid = JAIL_LAB_UID;
        (void)snprintf(lab->config.user, sizeof(lab->config.user), "%s", JAIL_LAB_ACCOUNT);
        (void)snprintf(lab->config.home, sizeof(lab->config.home), "%s", JAIL_LAB_HOME);
        lab->request = (struct tier_request){
                .policy = &lab->policy,
                .session_id = "00000000000000ab",
                .uid = JAIL_LAB_UID,
                .gid = JAIL_LAB_UID,
                .home = JAIL_LAB_HOME,
                .attach_fd = -EBADF,
                .cgroup = &lab->cgroup,
                .config = &lab->config,
        };
        return make_places(lab, err);
}

int jail_lab_start(struct jail_lab *lab, struct error *err)
{
        int pair[2], r;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return error_errno(err, errno, "cannot make a socket");
        lab->request.attach_fd = pair[1];
        r = jail_start(&lab->request, &lab->places, &lab->isolation, err);
        (void)close(pair[1]);
        if (r < 0) {
                (void)close(pair[0]);
                return r;
        }
        lab->attach_fd = pair[0];
        return 0;
}

int jail_lab_stop(struct jail_lab *lab, struct error *err)
{
        cleanup_close_fd(&lab->attach_fd);
        return tier_jail.stop(&lab->isolation, err);
}

void jail_lab_close(struct jail_lab *lab)
{
        struct error err = ERROR_INIT;
        cleanup_close int tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);

        if (jail_lab_stop(lab, &err) < 0 || fd_remove_tree(tmp, lab->directory + strlen("/tmp/"), &err) < 0)
                (void)fprintf(stderr, "jail_lab: %s\n", err.text);
}

int jail_lab_run(struct jail_lab *lab, const char *program, const char *const *arguments, const int *fds,
                 int *ret_status, struct error *err)
{
        cleanup_close int program_fd = program != NULL ? open(program, O_RDONLY | O_CLOEXEC) : -EBADF;
        cleanup_free struct stub_request *request = calloc(1, sizeof(*request));
        int passed[4] = { fds[0], fds[1], fds[2], program_fd }, status;
        size_t used = 0, fds_count;
        ssize_t got;
        int r;

        if (request == NULL || (program != NULL && program_fd < 0))
                return error_errno(err, errno, "cannot open %s", program != NULL ? program : "nothing");
        request->passed = program != NULL;
        for (; arguments[request->count] != NULL; request->count++) {
                size_t size = strlen(arguments[request->count]) + 1;

                if (size > sizeof(request->text) - used)
                        return error_errno(err, E2BIG, "cannot run %s", arguments[0]);
                memcpy(request->text + used, arguments[request->count], size);
                used += size;
        }
        r = seqpacket_send(lab->attach_fd, request, sizeof(*request), passed, program != NULL ? 4 : 3, RUN_TIMEOUT_MS,
                           err);
        if (r < 0)
                return r;
        got = seqpacket_receive(lab->attach_fd, &status, sizeof(status), NULL, 0, &fds_count, RUN_TIMEOUT_MS, err);
        if (got != (ssize_t)sizeof(status))
                return got < 0 ? (int)got : error_text(err, EPIPE, "process 1 of the jail ended");
        *ret_status = status;
        return 0;
}

int jail_lab_capture(struct jail_lab *lab, const char *program, const char *const *arguments, int *ret_status,
                     char **ret_text, struct error *err)
{
        /* A file, not a pipe: nobody has to read while the program writes. */
        cleanup_close int output = memfd_create("output", MFD_CLOEXEC);
        cleanup_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        size_t size;
        int r;

        if (output < 0 || null < 0 || fcntl(output, F_SETFL, O_APPEND) < 0)
                return error_errno(err, errno, "cannot make the output of a test program");
        r = jail_lab_run(lab, program, arguments, (const int[]){ null, output, output }, ret_status, err);
        if (r < 0)
                return r;
        if (lseek(output, 0, SEEK_SET) < 0)
                return error_errno(err, errno, "cannot read the output of a test program");
        return fd_read_all(output, OUTPUT_MAX, ret_text, &size, err);
}
