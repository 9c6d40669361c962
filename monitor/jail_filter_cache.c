/* jail_filter_cache.c - KEY.bpf files: a header, then the programs. Root's, in a directory that only root enters. */
#include "monitor/jail_filter_cache.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/process.h"
#include "monitor/jail.h"
#include "monitor/jail_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CACHE_MAGIC 0x41475342U

struct header {
        uint32_t magic;
        uint32_t count;
        uint64_t key;
};

#define INSTRUCTION sizeof(struct sock_filter)
#define FILE_MAX    (sizeof(struct header) + BPF_MAXINSNS * INSTRUCTION)

static bool is_sane(const char *data, size_t size, uint64_t key, struct header *ret)
{
        struct header header;

        if (size < sizeof(header))
                return false;
        memcpy(&header, data, sizeof(header));
        *ret = header;
        return header.magic == CACHE_MAGIC && header.key == key && header.count > 0 && header.count <= BPF_MAXINSNS &&
               size == sizeof(header) + header.count * INSTRUCTION;
}

static int read_filter(int cache, const char *name, uint64_t key, struct jail_filter *ret, struct error *err)
{
        cleanup_close int fd = fd_open_beneath(cache, name, O_RDONLY, 0, err);
        cleanup_free char *data = NULL;
        struct header header;
        size_t size;
        int r;

        if (fd < 0)
                return fd;
        r = fd_check_root_owned(fd, S_IFREG, name, err);
        if (r >= 0)
                r = fd_read_all(fd, FILE_MAX, &data, &size, err);
        if (r < 0)
                return r;
        if (!is_sane(data, size, key, &header))
                return error_text(err, EBADMSG, "the kept seccomp filter %s is damaged", name);
        ret->code = calloc(header.count, INSTRUCTION);
        if (ret->code == NULL)
                return error_errno(err, ENOMEM, "cannot read a seccomp filter");
        memcpy(ret->code, data + sizeof(header), header.count * INSTRUCTION);
        ret->count = header.count;
        return 0;
}

static int write_filter(int cache, const char *name, uint64_t key, const struct jail_filter *filter, struct error *err)
{
        struct header header = { .magic = CACHE_MAGIC, .count = (uint32_t)filter->count, .key = key };
        cleanup_close int fd = -EBADF;
        char random[17], temporary[32];
        int r = process_random_id(random, err);

        if (r < 0)
                return r;
        (void)snprintf(temporary, sizeof(temporary), "%s.new", random);
        fd = openat(cache, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return error_errno(err, errno, "cannot keep a seccomp filter");
        r = fd_write_all(fd, &header, sizeof(header), temporary, err);
        if (r >= 0)
                r = fd_write_all(fd, filter->code, filter->count * INSTRUCTION, temporary, err);
        if (r >= 0 && renameat(cache, temporary, cache, name) < 0)
                r = error_errno(err, errno, "cannot keep a seccomp filter");
        if (r < 0)
                (void)unlinkat(cache, temporary, 0);
        return r;
}

int jail_filter_load(const char *path, unsigned flags, struct jail_filter *ret, struct error *err)
{
        uint64_t key = jail_filter_key(flags);
        cleanup_close int cache = cache_open(path, err);
        struct jail_filter filter;
        char name[32];
        int r;

        if (cache < 0)
                return cache;
        (void)snprintf(name, sizeof(name), "%016llx.bpf", (unsigned long long)key);
        if (read_filter(cache, name, key, ret, NULL) >= 0)
                return 0;
        r = jail_filter_compile(flags, &filter, err);
        if (r < 0)
                return r;
        if (write_filter(cache, name, key, &filter, NULL) < 0)
                (void)unlinkat(cache, name, 0); /* the damaged or foreign one */
        *ret = filter;
        return 0;
}

int jail_open_filter(struct jail *jail, struct error *err)
{
        return jail_filter_load(jail->places->filters, jail_filter_flags(jail->request->policy), &jail->filter, err);
}
