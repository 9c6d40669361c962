/*
 * kernel_image.c - see kernel_image.h. The image is root's file; it is read carefully all the same. The format is that
 * of the kernel's documentation, arch/x86/boot.rst: real-mode header at 0x1f1, payload offset and length since 2.08.
 */
#include "vm/kernel_image.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "vm/spawn.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define SETUP_SECTORS  0x1f1
#define HEADER_MAGIC   0x202
#define HEADER_VERSION 0x206
#define PAYLOAD_OFFSET 0x248
#define PAYLOAD_LENGTH 0x24c
#define HEADER_END     0x250
#define SECTOR         512U
#define UNPACK_SECONDS 60
#define PVH_NOTE_TYPE  18 /* XEN_ELFNOTE_PHYS32_ENTRY */

static uint32_t read_u32(const unsigned char *at)
{
        return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static int find_packing(const unsigned char *magic, enum kernel_packing *ret)
{
        static const struct {
                unsigned char bytes[6];
                size_t count;
                enum kernel_packing packing;
        } known[] = {
                { { 0x1f, 0x8b }, 2, KERNEL_GZIP },
                { { 0xfd, '7', 'z', 'X', 'Z', 0 }, 6, KERNEL_XZ },
                { { 0x5d, 0, 0 }, 3, KERNEL_LZMA },
                { { 0x02, 0x21, 0x4c, 0x18 }, 4, KERNEL_LZ4 },
                { { 0x28, 0xb5, 0x2f, 0xfd }, 4, KERNEL_ZSTD },
                { { 0x7f, 'E', 'L', 'F' }, 4, KERNEL_PLAIN },
        };

        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
                if (memcmp(magic, known[i].bytes, known[i].count) == 0) {
                        *ret = known[i].packing;
                        return 0;
                }
        }
        return -EINVAL;
}

int kernel_find_payload(const unsigned char *head, size_t size, uint64_t file_size, struct kernel_payload *ret,
                        struct error *err)
{
        struct kernel_payload payload;

        if (size >= SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0) {
                *ret = (struct kernel_payload){ .offset = 0, .size = file_size, .packing = KERNEL_PLAIN };
                return 0;
        }
        if (size < HEADER_END || memcmp(head + HEADER_MAGIC, "HdrS", 4) != 0)
                return error_text(err, EINVAL, "neither an ELF nor a bzImage");
        if ((head[HEADER_VERSION] | head[HEADER_VERSION + 1] << 8) < 0x208)
                return error_text(err, EINVAL, "a bzImage of a protocol before 2.08, from which no ELF can be taken");
        payload.offset = ((head[SETUP_SECTORS] == 0 ? 4U : head[SETUP_SECTORS]) + 1U) * SECTOR;
        payload.offset += read_u32(head + PAYLOAD_OFFSET);
        payload.size = read_u32(head + PAYLOAD_LENGTH);
        if (payload.size < 8 || payload.offset > file_size || payload.size > file_size - payload.offset)
                return error_text(err, EINVAL, "a bzImage that is cut short");
        if (payload.offset + 6 > size)
                return error_text(err, EINVAL, "a bzImage whose payload lies too far behind its header");
        if (find_packing(head + payload.offset, &payload.packing) < 0)
                return error_text(err, EINVAL, "a bzImage packed in a way that is not known");
        /* All but gzip, which has it in its own format, carry the unpacked size behind the packed data. */
        if (payload.packing != KERNEL_GZIP && payload.packing != KERNEL_PLAIN)
                payload.size -= 4;
        *ret = payload;
        return 0;
}

static bool notes_have_pvh(const unsigned char *notes, uint64_t size)
{
        while (size >= sizeof(Elf64_Nhdr)) {
                Elf64_Nhdr note;
                uint64_t name, whole;

                memcpy(&note, notes, sizeof(note));
                name = ((uint64_t)note.n_namesz + 3) & ~3ULL;
                whole = sizeof(note) + name + (((uint64_t)note.n_descsz + 3) & ~3ULL);
                if (whole > size)
                        return false;
                if (note.n_type == PVH_NOTE_TYPE && note.n_namesz == 4 && memcmp(notes + sizeof(note), "Xen", 4) == 0)
                        return true;
                notes += whole;
                size -= whole;
        }
        return false;
}

bool kernel_has_pvh(const unsigned char *data, size_t size)
{
        Elf64_Ehdr header;

        if (size < sizeof(header) || memcmp(data, ELFMAG, SELFMAG) != 0 || data[EI_CLASS] != ELFCLASS64)
                return false;
        memcpy(&header, data, sizeof(header));
        if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phoff > size ||
            header.e_phnum > (size - header.e_phoff) / sizeof(Elf64_Phdr))
                return false;
        for (size_t i = 0; i < header.e_phnum; i++) {
                Elf64_Phdr part;

                memcpy(&part, data + header.e_phoff + i * sizeof(part), sizeof(part));
                if (part.p_type == PT_NOTE && part.p_offset <= size && part.p_filesz <= size - part.p_offset &&
                    notes_have_pvh(data + part.p_offset, part.p_filesz))
                        return true;
        }
        return false;
}

static int copy_range(int from, uint64_t offset, uint64_t size, int to)
{
        off_t at = (off_t)offset;

        while (size > 0) {
                ssize_t done = sendfile(to, from, &at, size);

                if (done <= 0)
                        return done < 0 ? -errno : -EIO;
                size -= (uint64_t)done;
        }
        return 0;
}

static int unpack(int image_fd, const struct kernel_payload *payload, int out_fd, struct error *err)
{
        static const char *const programs[][4] = {
                [KERNEL_GZIP] = { "gzip", "-dc", NULL },
                [KERNEL_XZ] = { "xz", "-dc", NULL },
                [KERNEL_LZMA] = { "xz", "-dc", "--format=lzma", NULL },
                [KERNEL_LZ4] = { "lz4", "-dc", NULL },
                [KERNEL_ZSTD] = { "zstd", "-dc", NULL },
        };
        cleanup_close int packed = -EBADF;
        int r;

        if (payload->packing == KERNEL_PLAIN) {
                r = copy_range(image_fd, payload->offset, payload->size, out_fd);
                return r < 0 ? error_errno(err, -r, "cannot copy the kernel") : 0;
        }
        packed = memfd_create("kernel", MFD_CLOEXEC);
        if (packed < 0)
                return error_errno(err, errno, "cannot make a memory file");
        r = copy_range(image_fd, payload->offset, payload->size, packed);
        if (r < 0 || lseek(packed, 0, SEEK_SET) < 0)
                return error_errno(err, r < 0 ? -r : errno, "cannot copy the kernel");
        return spawn_program(programs[payload->packing], packed, out_fd, UNPACK_SECONDS, "cannot unpack the kernel",
                             err);
}

static int check_elf(int fd, struct error *err)
{
        struct stat status;
        void *data;
        bool good;

        if (fstat(fd, &status) < 0 || status.st_size <= 0)
                return error_text(err, EINVAL, "unpacked, it is empty");
        data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED)
                return error_errno(err, errno, "cannot map the unpacked kernel");
        good = kernel_has_pvh(data, (size_t)status.st_size);
        (void)munmap(data, (size_t)status.st_size);
        return good ? 0 : error_text(err, EINVAL, "it has no PVH entry: build it with CONFIG_PVH=y");
}

int kernel_unpack(int image_fd, int out_fd, const char *path, struct error *err)
{
        cleanup_free unsigned char *head = malloc(KERNEL_HEAD);
        struct kernel_payload payload;
        struct stat status;
        ssize_t got;
        int r;

        if (head == NULL)
                return error_errno(err, ENOMEM, "%s", path);
        got = pread(image_fd, head, KERNEL_HEAD, 0);
        if (got < 0 || fstat(image_fd, &status) < 0)
                return error_errno(err, errno, "cannot read the kernel %s", path);
        r = kernel_find_payload(head, (size_t)got, (uint64_t)status.st_size, &payload, err);
        if (r >= 0)
                r = unpack(image_fd, &payload, out_fd, err);
        if (r >= 0)
                r = check_elf(out_fd, err);
        return r < 0 ? error_prefix(err, "the kernel %s", path) : 0;
}
