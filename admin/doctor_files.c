/* doctor_files.c - owners and modes of what agents have in files, and jobs that would run outside. Root; reads only. */
#include "admin/doctor.h"
#include "admin/places.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/paths.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define CHECK "files"

/* Whether the passwd home is an empty directory that only root can write: nothing of the agent's is read there. */
static void check_passwd_home(struct findings *findings, const struct account *agent)
{
        cleanup_name_list struct name_list names = { 0 };
        struct error err = ERROR_INIT;
        cleanup_close int fd = fd_open_absolute(agent->home, O_RDONLY | O_DIRECTORY, 0, &err);

        if (fd < 0) {
                struct stat st;
                bool in_the_way = lstat(agent->home, &st) == 0 && !S_ISDIR(st.st_mode);

                finding_add(findings, FINDING_BAD, CHECK, "%s: the home %s cannot be used: %s", agent->name,
                            agent->home, err.text);
                if (in_the_way)
                        finding_remedy(findings, "mv %s %s.old && install -d -o root -g root -m 0755 %s", agent->home,
                                       agent->home, agent->home);
                else
                        finding_remedy(findings, "install -d -o root -g root -m 0755 %s", agent->home);
        } else if (fd_check_root_owned(fd, S_IFDIR, agent->home, &err) < 0) {
                finding_add(findings, FINDING_BAD, CHECK, "%s: %s: what the agent puts there is read on the host",
                            agent->name, err.text);
                finding_remedy(findings, "chown root:root %s && chmod 0755 %s", agent->home, agent->home);
        } else if (places_list(fd, NULL, &names, &err) < 0 || names.count > 0) {
                finding_add(findings, FINDING_WARNING, CHECK, "%s: the home %s is not empty (%s)", agent->name,
                            agent->home, names.count > 0 ? names.entry[0]->d_name : err.text);
                finding_remedy(findings,
                               "find %s -mindepth 1 -maxdepth 1 -exec mv --backup=numbered -t " AGENTSH_STATE_DIR
                               "/homes/%s {} +",
                               agent->home, agent->name);
        } else {
                finding_add(findings, FINDING_OK, CHECK, "%s: the home %s is root's and empty", agent->name,
                            agent->home);
        }
}

static void check_data_home(struct findings *findings, int homes, const struct account *agent)
{
        struct stat st;

        if (fstatat(homes, agent->name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
                finding_add(findings, FINDING_BAD, CHECK, "%s has no data home: %s", agent->name, strerror(errno));
                finding_remedy(findings, "install -d -o %s -g %u -m 0700 " AGENTSH_STATE_DIR "/homes/%s", agent->name,
                               (unsigned)agent->gid, agent->name);
        } else if (!S_ISDIR(st.st_mode) || st.st_uid != agent->uid || (st.st_mode & 07777) != 0700) {
                finding_add(findings, FINDING_BAD, CHECK,
                            AGENTSH_STATE_DIR "/homes/%s must be a directory of %s's with "
                                              "mode 0700 (uid %u, mode %04o)",
                            agent->name, agent->name, (unsigned)st.st_uid, (unsigned)(st.st_mode & 07777));
                finding_remedy(findings,
                               "chown %s " AGENTSH_STATE_DIR "/homes/%s && chmod 0700 " AGENTSH_STATE_DIR "/homes/%s",
                               agent->name, agent->name, agent->name);
        }
}

static void check_keys(struct findings *findings, const struct account *agent)
{
        struct error err = ERROR_INIT;
        char path[sizeof(AGENTSH_CONFIG_DIR "/keys/") + ACCOUNT_NAME_MAX];
        cleanup_close int fd = -EBADF;

        (void)snprintf(path, sizeof(path), AGENTSH_CONFIG_DIR "/keys/%s", agent->name);
        fd = fd_open_absolute(path, O_RDONLY | O_NONBLOCK, 0, &err);
        if (fd == -ENOENT) {
                finding_add(findings, FINDING_NOTE, CHECK, "%s has no keys: it cannot log in by ssh", agent->name);
                finding_remedy(findings, "install -o root -g root -m 0644 KEY.pub %s", path);
                return;
        }
        if (fd >= 0 && fd_check_root_owned(fd, S_IFREG, path, &err) == 0)
                return;
        finding_add(findings, FINDING_BAD, CHECK, "%s: %s", agent->name, err.text);
        finding_remedy(findings, "chown root:root %s && chmod 0644 %s", path, path);
}

/* Jobs run without a login: the PAM door refuses the services that start them; they are a mistake all the same. */
static void check_jobs(struct findings *findings, const struct account *agent)
{
        static const struct {
                const char *dir, *what;
        } PLACES[] = {
                { "/var/spool/cron/crontabs", "a crontab" },
                { "/var/spool/cron", "a crontab" },
                { "/var/lib/systemd/linger", "lingering enabled" },
        };

        for (size_t i = 0; i < sizeof(PLACES) / sizeof(PLACES[0]); i++) {
                cleanup_close int dir = fd_open_absolute(PLACES[i].dir, O_PATH | O_DIRECTORY, 0, NULL);
                struct stat st;

                if (dir < 0 || fstatat(dir, agent->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                        continue;
                finding_add(findings, FINDING_WARNING, CHECK, "%s has %s (%s/%s), which would run outside a session",
                            agent->name, PLACES[i].what, PLACES[i].dir, agent->name);
                /* What crontab -r and loginctl disable-linger do, where these are not at hand too. */
                finding_remedy(findings, "rm %s/%s", PLACES[i].dir, agent->name);
        }
}

static int filter_at_jobs(const struct dirent *entry)
{
        return entry->d_name[0] >= 'a' && entry->d_name[0] <= 'z';
}

/* Files of the at daemon belong to the user whose job they are. */
static void check_at_jobs(struct findings *findings, const struct account *agent)
{
        static const char *const SPOOLS[] = { "/var/spool/cron/atjobs", "/var/spool/at" };

        for (size_t i = 0; i < sizeof(SPOOLS) / sizeof(SPOOLS[0]); i++) {
                cleanup_close int dir = fd_open_absolute(SPOOLS[i], O_RDONLY | O_DIRECTORY, 0, NULL);
                cleanup_name_list struct name_list jobs = { 0 };

                if (dir < 0 || places_list(dir, filter_at_jobs, &jobs, NULL) < 0)
                        continue;
                for (int j = 0; j < jobs.count; j++) {
                        const char *name = jobs.entry[j]->d_name;
                        struct stat st;

                        if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_uid != agent->uid ||
                            !S_ISREG(st.st_mode))
                                continue;
                        finding_add(findings, FINDING_WARNING, CHECK,
                                    "%s has a job of at (%s/%s), which would run outside a session", agent->name,
                                    SPOOLS[i], name);
                        finding_remedy(findings, "rm %s/%s", SPOOLS[i], name);
                }
        }
}

/* Directories of root's that decide what an agent may: who could write there could change it. */
static void check_directories(struct findings *findings)
{
        static const struct {
                const char *path;
                mode_t mode;
        } DIRECTORIES[] = { { AGENTSH_CONFIG_DIR, 0755 },
                            { AGENTSH_CONFIG_DIR "/accounts", 0755 },
                            { AGENTSH_CONFIG_DIR "/templates", 0755 },
                            { AGENTSH_CONFIG_DIR "/keys", 0755 },
                            { AGENTSH_LOG_DIR, 0700 } };

        for (size_t i = 0; i < sizeof(DIRECTORIES) / sizeof(DIRECTORIES[0]); i++) {
                const char *path = DIRECTORIES[i].path;
                mode_t mode = DIRECTORIES[i].mode;
                struct stat st;

                if (lstat(path, &st) < 0 ||
                    (S_ISDIR(st.st_mode) && st.st_uid == 0 && (st.st_mode & 07777 & ~mode) == 0))
                        continue;
                finding_add(findings, FINDING_BAD, CHECK,
                            "%s must be a directory of root's with mode %04o at most (uid %u, mode %04o)", path,
                            (unsigned)mode, (unsigned)st.st_uid, (unsigned)(st.st_mode & 07777));
                finding_remedy(findings, "chown root:root %s && chmod %04o %s", path, (unsigned)mode, path);
        }
}

/* Each is root's program or runs as root: whoever can write one owns the host. */
static void check_programs(struct findings *findings)
{
        static const char *const PROGRAMS[] = { AGENTSH_SHELL_PATH, AGENTSH_LIBEXEC_DIR "/agentsh-init",
                                                AGENTSH_LIBEXEC_DIR "/agentsh-monitor",
                                                AGENTSH_LIBEXEC_DIR "/agentsh-probe" };

        for (size_t i = 0; i < sizeof(PROGRAMS) / sizeof(PROGRAMS[0]); i++) {
                struct error err = ERROR_INIT;
                cleanup_close int fd = open(PROGRAMS[i], O_PATH | O_CLOEXEC);
                struct stat st;

                if (fd < 0 || fstat(fd, &st) < 0) {
                        finding_add(findings, FINDING_BAD, CHECK, "%s: %s", PROGRAMS[i], strerror(errno));
                        finding_remedy(findings, "install agentsh again: make install");
                } else if (fd_check_root_owned(fd, S_IFREG, PROGRAMS[i], &err) < 0) {
                        finding_add(findings, FINDING_BAD, CHECK, "%s", err.text);
                        finding_remedy(findings, "chown root:root %s && chmod 0755 %s", PROGRAMS[i], PROGRAMS[i]);
                } else if ((st.st_mode & 06000) != 0) {
                        finding_add(findings, FINDING_BAD, CHECK, "%s is setuid or setgid: nothing of agentsh is",
                                    PROGRAMS[i]);
                        finding_remedy(findings, "chmod 0755 %s", PROGRAMS[i]);
                }
        }
}

void doctor_files(struct findings *findings, const struct account_list *agents)
{
        struct error err = ERROR_INIT;
        cleanup_close int homes = places_open_homes(false, &err);

        check_programs(findings);
        check_directories(findings);
        if (homes < 0 && (homes != -ENOENT || agents->count > 0)) {
                finding_add(findings, FINDING_BAD, CHECK, "the data homes are not safe or not there: %s", err.text);
                finding_remedy(findings,
                               "install -d -o root -g root -m 0700 " AGENTSH_STATE_DIR " " AGENTSH_STATE_DIR "/homes");
        }
        for (size_t i = 0; i < agents->count; i++) {
                size_t first = findings->count;

                check_passwd_home(findings, &agents->account[i]);
                if (homes >= 0)
                        check_data_home(findings, homes, &agents->account[i]);
                check_keys(findings, &agents->account[i]);
                check_jobs(findings, &agents->account[i]);
                check_at_jobs(findings, &agents->account[i]);
                findings_give(findings, first, agents->account[i].name);
        }
}
