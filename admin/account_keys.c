/*
 * account_keys.c - `account add --key`: public keys for sshd, in a file of root's. Root; runs ssh-keygen.
 *
 * Options in front of a key (command=, environment=) are refused: a key file handed in by somebody gives a key, no
 * settings. The installed line gets ours, by which sshd keeps to the login shell even where its configuration does not
 * say so, and which the monitor asks for (monitor/ssh_login.c).
 */
#include "admin/account_keys.h"
#include "admin/account_plan.h"
#include "admin/run.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/paths.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define OPTIONS "restrict,pty,command=\"agentsh-session\" "

static bool has_key_type(const char *line)
{
        static const char *const PREFIXES[] = { "ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-", "rsa-sha2-" };

        for (size_t i = 0; i < sizeof(PREFIXES) / sizeof(PREFIXES[0]); i++)
                if (strncmp(line, PREFIXES[i], strlen(PREFIXES[i])) == 0)
                        return strchr(line, ' ') != NULL;
        return false;
}

static bool is_plain(const char *text)
{
        for (; *text != '\0'; text++)
                if (((unsigned char)*text < 0x20 && *text != '\t') || *text == 0x7f)
                        return false;
        return true;
}

static int check_key(const char *line, unsigned number, struct error *err)
{
        static const char *const ARGV[] = { "ssh-keygen", "-l", "-f", "-", NULL };
        cleanup_run_result struct run_result result = { 0 };
        char text[KEY_LINE_MAX + 2];
        int r;

        if (strncmp(line, "-----BEGIN", 10) == 0)
                return error_text(err, EINVAL, "line %u: this is a private key; give the public one (the .pub file)",
                                  number);
        if (!has_key_type(line))
                return error_text(err, EINVAL,
                                  "line %u: not a public key line, or one with options in front of the "
                                  "key, which are not taken over",
                                  number);
        (void)snprintf(text, sizeof(text), "%s\n", line);
        r = run_program(ARGV, text, 20, &result, err);
        if (r < 0)
                return error_prefix(err, "cannot check the public key");
        if (result.status != 0)
                return error_text(err, EINVAL, "line %u: ssh-keygen does not take it for a public key", number);
        return 0;
}

int keys_check_text(const char *text, size_t size, size_t *ret_count, struct error *err)
{
        unsigned number = 0;
        size_t keys = 0;

        if (memchr(text, '\0', size) != NULL)
                return error_text(err, EINVAL, "there is a NUL byte in it");
        for (const char *at = text; *at != '\0';) {
                size_t length = strcspn(at, "\n");
                char line[KEY_LINE_MAX + 1];
                int r;

                number++;
                if (length > KEY_LINE_MAX || number > KEY_LINES_MAX)
                        return error_text(err, EFBIG, "line %u: too long, or too many lines", number);
                (void)snprintf(line, sizeof(line), "%.*s", (int)length, at);
                if (length > 0 && line[length - 1] == '\r')
                        return error_text(err, EINVAL, "line %u: ends in CR LF; convert the file with dos2unix",
                                          number);
                if (!is_plain(line))
                        return error_text(err, EINVAL, "line %u: there is a control character in it", number);
                at += length + (at[length] == '\n');
                if (line[strspn(line, " \t")] == '\0' || line[0] == '#')
                        continue;
                r = check_key(line, number, err);
                if (r < 0)
                        return r;
                keys++;
        }
        if (keys == 0)
                return error_text(err, EINVAL, "there is no key in it");
        *ret_count = keys;
        return 0;
}

static int read_key_file(const char *path, char **ret, size_t *ret_size, struct error *err)
{
        /* O_NONBLOCK: a FIFO must not hang us. */
        cleanup_close int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return error_errno(err, errno, "cannot open it");
        if (!S_ISREG(st.st_mode))
                return error_text(err, EINVAL, "it is not a regular file");
        return fd_read_all(fd, KEY_FILE_MAX, ret, ret_size, err);
}

int keys_restrict(const char *text, char **ret, struct error *err)
{
        cleanup_free char *result = NULL;
        size_t size = 0;
        FILE *stream = open_memstream(&result, &size);

        if (stream == NULL)
                return error_errno(err, errno, "cannot keep the keys");
        for (const char *at = text; *at != '\0';) {
                size_t length = strcspn(at, "\n");

                (void)fprintf(stream, "%s%.*s\n", has_key_type(at) && *at != '#' ? OPTIONS : "", (int)length, at);
                at += length + (at[length] == '\n');
        }
        if (fclose(stream) != 0)
                return error_errno(err, errno, "cannot keep the keys");
        *ret = TAKE_PTR(result);
        return 0;
}

int plan_keys_check(struct account_plan *plan, struct error *err)
{
        cleanup_free char *text = NULL;
        struct stat st;
        size_t size = 0, count = 0;
        int r;

        if (fstatat(plan->keys_fd, plan->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
                return error_text(err, EEXIST, AGENTSH_CONFIG_DIR "/keys/%s is there already: remove it first",
                                  plan->name);
        if (plan->key_file == NULL)
                return 0;
        r = read_key_file(plan->key_file, &text, &size, err);
        if (r == 0)
                r = keys_check_text(text, size, &count, err);
        if (r < 0)
                return error_prefix(err, "cannot use the key file %s", plan->key_file);
        return keys_restrict(text, &plan->keys, err);
}

int plan_write_keys(struct account_plan *plan, struct error *err)
{
        int r;

        if (plan->keys == NULL)
                return 0;
        r = plan_write_file(plan->keys_fd, plan->name, plan->keys, 0644, err);
        return r < 0 ? error_prefix(err, "cannot write " AGENTSH_CONFIG_DIR "/keys/%s", plan->name) : 0;
}

int plan_remove_keys(struct account_plan *plan, struct error *err)
{
        return plan->keys == NULL ? 0 : plan_remove_file(plan->keys_fd, plan->name, err);
}
