/*
 * fuzz_admin.c - what agentshctl reads of other packages: PAM stacks, sshd's effective configuration, login.defs,
 * subuid, and what nft prints.
 */
#include "admin/findings.h"
#include "admin/guard.h"
#include "admin/login_defs.h"
#include "admin/pam_stack.h"
#include "admin/sshd_config.h"
#include "tests/fuzz/mutate.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static const char *const words[] = {
        "session required pam_agentsh.so\n",
        "-session optional pam_systemd.so\n",
        "@include common-session\n",
        "account [success=1 default=ignore] pam_unix.so\n",
        "session [success=ok default=bad] pam_agentsh.so x\n",
        "session include b\n",
        "session substack b\n",
        "@include b\n",
        "session sufficient pam_rootok.so\n",
        "session [perm_denied=die default=1] pam_agentsh.so\n",
        "session requisite /lib/security/pam_agentsh.so\n",
        "session [default=done] pam_x.so\n",
        "session [new_authtok_reqd=done success=9] pam_x.so\n",
        "#",
        "\\\n",
        "[",
        "]",
        "%%\n",
        "account",
        "session",
        "auth",
        "password",
        "allowtcpforwarding no\n",
        "x11forwarding yes\n",
        "allowagentforwarding no\n",
        "allowstreamlocalforwarding no\n",
        "permittunnel no\n",
        "gatewayports no\n",
        "permituserrc no\n",
        "permituserenvironment no\n",
        "forcecommand agentsh-session\n",
        "forcecommand none\n",
        "subsystem sftp internal-sftp\n",
        "subsystem sftp /usr/lib/openssh/sftp-server -l INFO\n",
        "usepam yes\n",
        "authorizedkeysfile .ssh/authorized_keys\n",
        "disableforwarding yes\n",
        "acceptenv LANG\n",
        "UID_MIN 1000\n",
        "acceptenv LD_*\n",
        "chrootdirectory none\n",
        "UID_MAX\t\t60000 # x\n",
        "SUB_UID_MIN 0100000\n",
        "UID_MIN 0x3e8\n",
        "agent01:100000:65536\n",
        "23000:0:1\n",
        "agent01:4294967295:2\n",
        "table inet agentsh { set agents { type uid flags interval elements = { 1000-2000, 23000 } } }\n",
        "table inet agentsh { set agents { type uid flags interval } }\n",
        "table inet agentsh { counter refused { packets 3 bytes 180 } }\n",
        "elements = { ",
        "} }",
        ",",
        "-",
        " ",
        "\t",
        "=",
        "1000",
        "4294967295",
        "18446744073709551616",
};

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
        return mutate_text(data, size, max, seed, words, MUTATE_COUNT(words));
}

static char pam_path[] = "/dev/shm/agentsh-fuzz-XXXXXX";
static int pam_fd = -EBADF;

static void remove_pam_directory(void)
{
        (void)unlinkat(pam_fd, "a", 0);
        (void)unlinkat(pam_fd, "b", 0);
        (void)rmdir(pam_path);
}

/* A directory with two files, "a" and "b", which may include each other. */
static int pam_directory(void)
{
        if (pam_fd < 0) {
                require(mkdtemp(pam_path) != NULL);
                pam_fd = open(pam_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                require(pam_fd >= 0 && atexit(remove_pam_directory) == 0);
        }
        return pam_fd;
}

static void write_file(int directory, const char *name, const char *text, size_t size)
{
        int fd = openat(directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        require(fd >= 0 && write(fd, text, size) == (ssize_t)size);
        (void)close(fd);
}

static void try_pam(const char *text, size_t size)
{
        static struct pam_stack stack;
        const char *cut = strstr(text, "%%\n");
        size_t first = cut != NULL ? (size_t)(cut - text) : size;
        int directory = pam_directory();

        write_file(directory, "a", text, first);
        write_file(directory, "b", cut != NULL ? cut + 3 : "", cut != NULL ? size - first - 3 : 0);
        for (int facility = PAM_FACILITY_ACCOUNT; facility <= PAM_FACILITY_SESSION; facility++) {
                struct error err = ERROR_INIT;
                int r = pam_stack_read(&directory, 1, "a", (enum pam_facility)facility, &stack, &err);

                require(r == -err.number && (r == 0 || r == -EINVAL));
                if (r < 0)
                        continue;
                require(stack.count <= PAM_RULES_MAX);
                r = pam_stack_check(&stack, "pam_agentsh.so", &err);
                require(r == 0 || r == -ENOENT || r == -EPERM);
                require(r != 0 || strstr(text, "pam_agentsh.so") != NULL);
        }
}

static void try_sshd(const char *text)
{
        cleanup_findings struct findings findings = { 0 };
        char value[64];

        for (size_t i = 0; sshd_config_get(text, "AcceptEnv", i, value, sizeof(value)); i++)
                require(strlen(value) < sizeof(value) && strchr(value, '\n') == NULL);
        require(sshd_config_check(text, "agent01", &findings) == findings.count && !findings.lost);
}

static void try_shadow(const char *text)
{
        struct subid_range range;

        (void)login_defs_parse(text, "UID_MIN", 1000);
        (void)login_defs_parse(text, "SUB_UID_MIN", 1000);
        if (subid_parse(text, "agent01", 23000, &range))
                require(range.count > 0 && range.start > 0 && range.start + range.count <= (uint64_t)UINT32_MAX + 1);
}

static void try_guard(const char *text)
{
        cleanup_guard_ranges struct guard_ranges ranges = { 0 };
        uint64_t packets;

        if (guard_parse_uids(text, &ranges, NULL) == 0)
                for (size_t i = 0; i < ranges.count; i++)
                        require(ranges.range[i].first <= ranges.range[i].last &&
                                (i == 0 || ranges.range[i - 1].last < ranges.range[i].first));
        (void)guard_parse_refused(text, &packets, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char *text = mutate_string(data, size);

        try_pam(text, size);
        try_sshd(text);
        try_shadow(text);
        try_guard(text);
        free(text);
        return 0;
}
