/*
 * fuzz_status.c - the line between monitor and init: the one report that root reads from inside, the notice, and init's
 * settings with the environment that a channel gets from them.
 */
#include "common/status.h"
#include "shell/init_config.h"
#include "shell/init_environment.h"
#include "tests/fuzz/mutate.h"

#include <errno.h>

static const uint64_t magics[] = { STATUS_MAGIC, 0, STATUS_MAGIC + 1 };
static const uint64_t kinds[] = { 0, STATUS_UP, STATUS_OPENED, STATUS_CLOSED, 4, UINT32_MAX };
static const uint64_t counts[] = { 0, 1, STATUS_CHANNELS_MAX, STATUS_CHANNELS_MAX + 1, INT32_MAX, UINT32_MAX };
static const uint64_t bits[] = { 0, 1, (1U << LIMIT_BITS) - 1, 1U << LIMIT_BITS, UINT32_MAX };
static const uint64_t endings[] = { 0, ENDING_ADMIN, ENDINGS - 1, ENDINGS, UINT32_MAX };
static const uint64_t sizes[] = { 0, 1, 2, 9, 11, 25, INIT_ENVIRONMENT_MAX, INIT_ENVIRONMENT_MAX + 1, UINT32_MAX };
static const char *const texts[] = { "/", "agent01", "/home/agent01", "/bin/bash", "", "bin/bash" };
static const char *const variables[] = { "A=1", "A=", "=", "A", "PATH=/usr/bin:/bin", "SSH_TTY=/dev/pts/7", "TERM=vt" };

#define REPORT(field, values)                                                                               \
        {                                                                                                   \
                offsetof(struct status_report, field), sizeof(uint32_t), values, NULL, MUTATE_COUNT(values) \
        }
#define NOTICE(field, values)                                                                               \
        {                                                                                                   \
                offsetof(struct status_notice, field), sizeof(uint32_t), values, NULL, MUTATE_COUNT(values) \
        }
#define CONFIG(field, values)                                                                             \
        {                                                                                                 \
                offsetof(struct init_config, field), sizeof(uint32_t), values, NULL, MUTATE_COUNT(values) \
        }
#define CONFIG_TEXT(field, values)                                                                              \
        {                                                                                                       \
                offsetof(struct init_config, field), sizeof(((struct init_config *)NULL)->field), NULL, values, \
                        MUTATE_COUNT(values)                                                                    \
        }

static const struct mutate_field report_fields[] = { REPORT(magic, magics), REPORT(kind, kinds),
                                                     REPORT(channels, counts), REPORT(wait_status, counts) };
static const struct mutate_field notice_fields[] = { NOTICE(magic, magics), NOTICE(hit, bits),
                                                     NOTICE(ending, endings) };
static const struct mutate_field config_fields[] = { CONFIG(magic, magics),
                                                     CONFIG(uid, counts),
                                                     CONFIG_TEXT(user, texts),
                                                     CONFIG_TEXT(home, texts),
                                                     CONFIG_TEXT(shell, texts),
                                                     CONFIG(environment_size, sizes),
                                                     CONFIG_TEXT(environment, variables) };

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
        if (seed % 8 == 0)
                return mutate_struct(data, size, max, seed / 8, sizeof(struct status_report), report_fields,
                                     MUTATE_COUNT(report_fields));
        if (seed % 8 == 1)
                return mutate_struct(data, size, max, seed / 8, sizeof(struct status_notice), notice_fields,
                                     MUTATE_COUNT(notice_fields));
        return mutate_struct(data, size, max, seed / 8, sizeof(struct init_config), config_fields,
                             MUTATE_COUNT(config_fields));
}

static void try_report(const uint8_t *data, size_t size)
{
        struct error err = ERROR_INIT;
        struct status_report report;
        int r = status_parse_report(data, size, &report, &err);

        require(r == -err.number && r <= 0 && (r == 0) == (err.text[0] == '\0'));
        if (r < 0)
                return;
        require(size == sizeof(report) && report.magic == STATUS_MAGIC && report.channels <= STATUS_CHANNELS_MAX);
        require(report.kind == STATUS_UP || report.kind == STATUS_OPENED || report.kind == STATUS_CLOSED);
}

static void try_notice(const uint8_t *data, size_t size)
{
        struct status_notice notice;

        if (status_parse_notice(data, size, &notice, NULL) < 0)
                return;
        require(size == sizeof(notice) && notice.magic == STATUS_MAGIC);
        require(notice.hit < 1U << LIMIT_BITS && notice.ending < ENDINGS);
}

static size_t name_length(const char *variable)
{
        return strcspn(variable, "=");
}

/* Each is an assignment, no name comes twice, the terminal is the inner one. */
static void require_environment(const struct init_config *config, const struct attach_parts *parts, const char *tty)
{
        static const char *list[INIT_VARIABLES_MAX];
        bool connection = false, ours = false;
        size_t count = 0;

        init_environment(config, parts, tty, list);
        while (list[count] != NULL)
                count++;
        require(count < INIT_VARIABLES_MAX);
        for (size_t i = 0; i < count; i++) {
                size_t length = name_length(list[i]);

                require(list[i][length] == '=');
                connection = connection || strncmp(list[i], "SSH_CONNECTION=", 15) == 0;
                ours = ours || list[i] == tty;
                for (size_t j = i + 1; j < count && count < 64; j++)
                        require(strncmp(list[i], list[j], length + 1) != 0);
        }
        require(!ours || connection);
}

static void try_config(const uint8_t *data, size_t size)
{
        static const char client[] = "TERM=xterm\0SSH_CONNECTION=::1 1 ::1 2\0SSH_TTY=/dev/pts/99\0A=theirs\0A=again";
        static struct init_config config;
        struct attach_parts parts = { .environment = client, .header.environment_size = sizeof(client) };
        struct error err = ERROR_INIT;
        int r;

        memset(&config, 0, sizeof(config));
        memcpy(&config, data, size < sizeof(config) ? size : sizeof(config));
        r = init_config_check(&config, size, &err);
        require(r <= 0 && r == -err.number);
        if (r < 0)
                return;
        require(strnlen(config.user, sizeof(config.user)) < sizeof(config.user));
        require(config.home[0] == '/' && config.shell[0] == '/');
        require_environment(&config, &parts, NULL);
        require_environment(&config, &parts, "SSH_TTY=/dev/pts/0");
        parts = (struct attach_parts){ .environment = NULL };
        require_environment(&config, &parts, "SSH_TTY=/dev/pts/0");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        try_report(data, size);
        try_notice(data, size);
        if (size <= sizeof(struct init_config) + 1)
                try_config(data, size);
        return 0;
}
