/* agentsh_end.c - how the login shell ends. Works inside the filter of agentsh_confine.c. */
#include "shell/agentsh_end.h"

#include "common/status.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static size_t append(char *ret, size_t used, size_t size, const char *text)
{
        for (; *text != '\0' && used < size; text++)
                ret[used++] = *text;
        return used;
}

void end_say(const char *text)
{
        char line[640];
        size_t used = append(line, 0, sizeof(line), "agentsh: ");

        used = append(line, used, sizeof(line) - 1, text);
        line[used++] = '\n';
        while (write(STDERR_FILENO, line, used) < 0 && errno == EINTR)
                continue;
}

void end_report(const struct attach_reply *reply)
{
        static const char *const limits[] = {
#define LIMIT_TEXT(name, key, text) text,
                LIMIT_LIST(LIMIT_TEXT)
#undef LIMIT_TEXT
        };
        static const char *const endings[] = {
#define ENDING_TEXT(name, text) "the session ended: " text,
                ENDING_LIST(ENDING_TEXT)
#undef ENDING_TEXT
        };

        for (size_t i = 0; i < LIMIT_BITS; i++)
                if ((reply->hit & (1U << i)) != 0)
                        end_say(limits[i]);
        if (reply->ending != ENDING_NONE && reply->ending < ENDINGS)
                end_say(endings[reply->ending]);
}

void end_as(int wait_status)
{
        int number = WTERMSIG(wait_status);
        struct sigaction action = { .sa_handler = SIG_DFL };
        sigset_t set;

        if (WIFEXITED(wait_status))
                _exit(WEXITSTATUS(wait_status));
        /* The core limit is 0 since the start. */
        (void)sigaction(number, &action, NULL);
        (void)kill(getpid(), number);
        sigemptyset(&set);
        sigaddset(&set, number);
        (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
        _exit(128 + number);
}
