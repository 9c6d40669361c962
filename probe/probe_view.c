/*
 * probe_view - prints what can be seen: mounts, processes, interfaces, fds, devices, hidden places.
 *
 *   probe_view [ABSTRACT-NAME SOCKET-PATH]    also tries to connect to these two of the host's
 */
#include "probe/probe.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

/* "mount /PATH=options fstype root" per line of mountinfo. */
static void print_mounts(void)
{
        FILE *file = fopen("/proc/self/mountinfo", "re");
        char line[4096];

        if (file == NULL)
                return;
        while (fgets(line, sizeof(line), file) != NULL) {
                char root[1024], target[1024], options[256], type[64];
                const char *tail = strstr(line, " - ");

                if (tail == NULL || sscanf(line, "%*s %*s %*s %1023s %1023s %255s", root, target, options) != 3 ||
                    sscanf(tail, " - %63s", type) != 1)
                        continue;
                (void)printf("mount %s=%s %s %s\n", target, options, type, root);
                if (strncmp(tail, " - ", 3) != 0 || strstr(line, "shared:") != NULL || strstr(line, "master:") != NULL)
                        (void)printf("propagating=%s\n", target);
        }
        (void)fclose(file);
}

static void print_lines(const char *key, const char *path, int skip)
{
        FILE *file = fopen(path, "re");
        char line[512];
        int number = 0;

        if (file == NULL) {
                probe_result(key, -1);
                return;
        }
        while (fgets(line, sizeof(line), file) != NULL) {
                line[strcspn(line, "\n")] = '\0';
                if (number++ >= skip)
                        (void)printf("%s=%s\n", key, line);
        }
        (void)fclose(file);
}

static void print_names(const char *key, const char *path, int digits_only)
{
        DIR *dir = opendir(path);
        struct dirent *entry;

        if (dir == NULL) {
                probe_result(key, -1);
                return;
        }
        while ((entry = readdir(dir)) != NULL)
                if (entry->d_name[0] != '.' && (!digits_only || isdigit((unsigned char)entry->d_name[0])))
                        (void)printf("%s=%s\n", key, entry->d_name);
        (void)closedir(dir);
}

static void print_fds(const char *directory)
{
        DIR *dir = opendir(directory);
        struct dirent *entry;

        if (dir == NULL) {
                probe_result("fds", -1);
                return;
        }
        while ((entry = readdir(dir)) != NULL) {
                char target[512];
                ssize_t length;

                if (entry->d_name[0] == '.' || (directory[6] == 's' && atoi(entry->d_name) == dirfd(dir)))
                        continue;
                length = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
                target[length > 0 ? length : 0] = '\0';
                (void)printf("fd %s=%s\n", entry->d_name, target);
        }
        (void)closedir(dir);
}

static void print_devices(void)
{
        static const char *const names[] = { "null", "zero", "full", "random", "urandom", "tty" };

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                char path[64], key[64];
                struct stat st;
                int fd;

                (void)snprintf(path, sizeof(path), "/dev/%s", names[i]);
                if (stat(path, &st) == 0)
                        (void)printf("device %s=%u:%u\n", names[i], major(st.st_rdev), minor(st.st_rdev));
                fd = open(path, O_RDWR | O_CLOEXEC);
                (void)snprintf(key, sizeof(key), "open %s", names[i]);
                probe_result(key, fd);
                if (fd >= 0)
                        (void)close(fd);
        }
}

/* How many bytes, or entries of a directory, a hidden place gives; an error's name. */
static void print_hidden(void)
{
        static const char *const paths[] = {
                "/proc/acpi",
                "/proc/irq",
                "/proc/kallsyms",
                "/proc/kcore",
                "/proc/keys",
                "/proc/kmsg",
                "/proc/kpagecount",
                "/proc/kpageflags",
                "/proc/latency_stats",
                "/proc/mtrr",
                "/proc/sched_debug",
                "/proc/scsi",
                "/proc/slabinfo",
                "/proc/sysrq-trigger",
                "/proc/timer_list",
                "/proc/vmallocinfo",
                "/proc/1/environ",
                "/proc/1/mem",
                "/proc/1/maps",
                "/proc/1/root",
                "/proc/1/cwd",
                "/proc/1/exe",
                "/sys",
                "/etc/shadow",
                "/etc/gshadow",
                "/etc/sudoers",
                "/etc/ssh/ssh_host_rsa_key",
                "/etc/agentsh",
                "/run/agentsh",
                "/var/lib/agentsh",
                "/boot",
                "/etc/ssl/private",
        };

        for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
                char key[128], buffer[64];
                int fd = open(paths[i], O_RDONLY | O_CLOEXEC | O_NONBLOCK);
                ssize_t got = fd < 0 ? -1 : read(fd, buffer, sizeof(buffer));

                (void)snprintf(key, sizeof(key), "hidden %s", paths[i]);
                if (fd >= 0 && got < 0 && errno == EISDIR) {
                        DIR *dir = fdopendir(fd);
                        struct dirent *entry;

                        for (got = 0; dir != NULL && (entry = readdir(dir)) != NULL;)
                                got += entry->d_name[0] != '.';
                }
                if (got < 0)
                        probe_result(key, -1);
                else
                        (void)printf("%s=%zd\n", key, got);
        }
}

static void try_connect(const char *key, const char *name, int abstract)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        size_t length = strlen(name);
        socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (length + 2 > sizeof(address.sun_path))
                return;
        memcpy(address.sun_path + (abstract ? 1 : 0), name, length);
        probe_result(key, connect(fd, (struct sockaddr *)&address, size));
        (void)close(fd);
}

int main(int argc, char **argv)
{
        char cwd[512];

        print_mounts();
        print_names("pid", "/proc", 1);
        print_lines("interface", "/proc/net/dev", 2);
        print_lines("route", "/proc/net/route", 1);
        print_lines("route6", "/proc/net/ipv6_route", 0);
        print_lines("unix", "/proc/net/unix", 1);
        print_lines("passwd", "/etc/passwd", 0);
        print_lines("group", "/etc/group", 0);
        print_fds("/proc/self/fd");
        print_names("dev", "/dev", 0);
        print_names("pts", "/dev/pts", 0);
        print_names("root", "/", 0);
        print_names("home", "/home", 0);
        print_names("run", "/run", 0);
        print_devices();
        print_hidden();
        (void)printf("cwd=%s\n", getcwd(cwd, sizeof(cwd)) != NULL ? cwd : "?");
        if (argc == 3) {
                try_connect("connect abstract", argv[1], 1);
                try_connect("connect path", argv[2], 0);
        }
        return 0;
}
