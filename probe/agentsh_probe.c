/*
 * agentsh_probe.c - all probes in one program, for `agentshctl doctor --live`. Static; runs inside an isolation, as
 * the agent, and is hostile to nobody: it looks, and tries what must fail.
 *
 *   agentsh-probe HOST-PID KEY-NAME ABSTRACT-NAME DIRECTORY PORT
 *
 * The arguments are things of the host's that must be out of reach: a process, a key of the uid's, an abstract socket,
 * a directory with "socket" and "file" in it, a TCP port on loopback. Prints "section=NAME" before the lines of each
 * part, and "section=end" last. Then it waits until its standard input ends, so that it can be looked at from outside.
 */
#include "probe/probe.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* The main functions of the single probes, under these names (make/probe.mk). */
int probe_identity_main(void);
int probe_view_main(int argc, char **argv);
int probe_escape_main(int argc, char **argv);

enum argument { HOST_PID = 1, KEY_NAME, ABSTRACT_NAME, DIRECTORY, PORT, ARGUMENTS };

static int run_identity(char **argv)
{
        (void)argv;
        return probe_identity_main();
}

static int run_view(char **argv)
{
        static char name[] = "probe_view";
        char path[256];
        char *arguments[] = { name, argv[ABSTRACT_NAME], path, NULL };

        (void)snprintf(path, sizeof(path), "%s/socket", argv[DIRECTORY]);
        return probe_view_main(3, arguments);
}

static int run_reach(char **argv)
{
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        char path[256];

        address.sin_port = htons((in_port_t)strtoul(argv[PORT], NULL, 10));
        probe_result("connect host port", connect(fd, (struct sockaddr *)&address, sizeof(address)));
        (void)snprintf(path, sizeof(path), "%s/file", argv[DIRECTORY]);
        probe_result("open host file", open(path, O_RDONLY | O_CLOEXEC));
        return 0;
}

static int run_escape(char **argv)
{
        static char name[] = "probe_escape";
        char *arguments[] = { name, argv[HOST_PID], argv[KEY_NAME], NULL };

        return probe_escape_main(3, arguments);
}

/* Each in a process of its own: an attempt that succeeds must not change what the next part finds. */
static void run_section(const char *name, int (*run)(char **argv), char **argv)
{
        pid_t pid;

        (void)printf("section=%s\n", name);
        (void)fflush(stdout);
        pid = fork();
        if (pid == 0) {
                int status = run(argv);

                (void)fflush(stdout);
                _exit(status);
        }
        (void)waitpid(pid, NULL, 0);
}

int main(int argc, char **argv)
{
        static const struct {
                const char *name;
                int (*run)(char **argv);
        } sections[] = {
                { "identity", run_identity }, { "view", run_view }, { "reach", run_reach }, { "escape", run_escape }
        };
        char byte;

        if (argc != ARGUMENTS) {
                (void)fputs("usage: agentsh-probe HOST-PID KEY-NAME ABSTRACT-NAME DIRECTORY PORT\n", stderr);
                return 2;
        }
        for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
                run_section(sections[i].name, sections[i].run, argv);
        (void)puts("section=end");
        (void)fflush(stdout);
        while (read(STDIN_FILENO, &byte, 1) > 0)
                continue;
        return 0;
}
