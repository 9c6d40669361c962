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
                finding_add(findings, FINDING_BAD, CHECK, "%s: the home %s cannot be used: %s", agent->name,
                            agent->home, err.text);
                finding_remedy(findings, "install -d -o root -g root -m 0755 %s", agent->home);
        } else if (fd_check_root_owned(fd, S_IFDIR, agent->home, &err) < 0) {
                finding_add(findings, FINDING_BAD, CHECK, "%s: %s: what the agent puts there is read on the host",
                            agent->name, err.text);
                finding_remedy(findings,
                               "move its content to " AGENTSH_STATE_DIR "/homes/%s, then: chown root:root %s "
                               "&& chmod 0755 %s",
                               agent->name, agent->home, agent->home);
        } else if (places_list(fd, NULL, &names, &err) < 0 || names.count > 0) {
                finding_add(findings, FINDING_WARNING, CHECK, "%s: the home %s is not empty (%s)", agent->name,
                            agent->home, names.count > 0 ? names.entry[0]->d_name : err.text);
                finding_remedy(findings, "move its content to " AGENTSH_STATE_DIR "/homes/%s", agent->name);
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
                const char *dir, *what, *remedy;
        } PLACES[] = {
                { "/var/spool/cron/crontabs", "a crontab", "crontab -r -u" },
                { "/var/spool/cron", "a crontab", "crontab -r -u" },
                { "/var/lib/systemd/linger", "lingering enabled", "loginctl disable-linger" },
        };

        for (size_t i = 0; i < sizeof(PLACES) / sizeof(PLACES[0]); i++) {
                cleanup_close int dir = fd_open_absolute(PLACES[i].dir, O_PATH | O_DIRECTORY, 0, NULL);
                struct stat st;

                if (dir < 0 || fstatat(dir, agent->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                        continue;
                finding_add(findings, FINDING_WARNING, CHECK, "%s has %s (%s/%s), which would run outside a session",
                            agent->name, PLACES[i].what, PLACES[i].dir, agent->name);
                finding_remedy(findings, "%s %s", PLACES[i].remedy, agent->name);
        }
}

/* Each is root's program or runs as root: whoever can write one owns the host. */
static void check_programs(struct findings *findings)
{
        static const char *const PROGRAMS[] = { AGENTSH_SHELL_PATH, AGENTSH_LIBEXEC_DIR "/agentsh-init",
                                                AGENTSH_LIBEXEC_DIR "/agentsh-monitor" };

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
        if (homes < 0 && (homes != -ENOENT || agents->count > 0)) {
                finding_add(findings, FINDING_BAD, CHECK, "the data homes are not safe or not there: %s", err.text);
                finding_remedy(findings,
                               "install -d -o root -g root -m 0700 " AGENTSH_STATE_DIR " " AGENTSH_STATE_DIR "/homes");
        }
        for (size_t i = 0; i < agents->count; i++) {
                check_passwd_home(findings, &agents->account[i]);
                if (homes >= 0)
                        check_data_home(findings, homes, &agents->account[i]);
                check_keys(findings, &agents->account[i]);
                check_jobs(findings, &agents->account[i]);
        }
}
