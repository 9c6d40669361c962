/* test_vm_kernel_image.c - finding the kernel in an image, whatever the image says of itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vm/kernel_image.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SETUP  ((4 + 1) * 512)
#define OFFSET 0x40
#define PACKED 200
#define WHOLE  (SETUP + OFFSET + PACKED)

static void put_u32(unsigned char *at, uint32_t value)
{
        for (size_t i = 0; i < 4; i++)
                at[i] = (unsigned char)(value >> 8 * i);
}

/* A bzImage of protocol 2.15 with an lz4 payload. */
static void make_image(unsigned char image[static WHOLE])
{
        memset(image, 0, WHOLE);
        memcpy(image + 0x202, "HdrS", 4);
        image[0x206] = 0x0f;
        image[0x207] = 0x02;
        put_u32(image + 0x248, OFFSET);
        put_u32(image + 0x24c, PACKED);
        put_u32(image + SETUP + OFFSET, 0x184c2102);
}

static void test_found(void **state)
{
        unsigned char image[WHOLE];
        struct kernel_payload payload;

        (void)state;
        make_image(image);
        assert_int_equal(kernel_find_payload(image, WHOLE, WHOLE, &payload, NULL), 0);
        assert_int_equal(payload.packing, KERNEL_LZ4);
        assert_int_equal(payload.offset, SETUP + OFFSET);
        /* Without the unpacked size behind it. */
        assert_int_equal(payload.size, PACKED - 4);
}

static void test_gzip_keeps_its_end(void **state)
{
        unsigned char image[WHOLE];
        struct kernel_payload payload;

        (void)state;
        make_image(image);
        put_u32(image + SETUP + OFFSET, 0x00088b1f);
        assert_int_equal(kernel_find_payload(image, WHOLE, WHOLE, &payload, NULL), 0);
        assert_int_equal(payload.packing, KERNEL_GZIP);
        assert_int_equal(payload.size, PACKED);
}

static void test_refused(void **state)
{
        static const struct {
                size_t at;
                uint32_t value;
                const char *text;
        } damages[] = {
                { 0x202, 0, "neither" },
                { 0x206, 0x0207, "before 2.08" },
                { 0x24c, PACKED + 1, "cut short" },
                { 0x24c, 0, "cut short" },
                { 0x24c, UINT32_MAX, "cut short" },
                { 0x248, UINT32_MAX, "cut short" },
                { 0x248, OFFSET + PACKED - 3, "cut short" },
                { SETUP + OFFSET, 0x12345678, "not known" },
        };
        unsigned char image[WHOLE];
        struct kernel_payload payload;

        (void)state;
        for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
                struct error err = ERROR_INIT;

                make_image(image);
                put_u32(image + damages[i].at, damages[i].value);
                assert_true(kernel_find_payload(image, WHOLE, WHOLE, &payload, &err) < 0);
                assert_non_null(strstr(err.text, damages[i].text));
        }
        /* Every length of a head that is cut. */
        make_image(image);
        for (size_t size = 0; size < SETUP + OFFSET + 6; size++)
                assert_true(kernel_find_payload(image, size, WHOLE, &payload, NULL) < 0);
}

static size_t make_elf(unsigned char *data, uint32_t type, uint32_t filesz)
{
        Elf64_Ehdr header = { .e_phoff = sizeof(header), .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 1 };
        Elf64_Phdr part = { .p_type = PT_NOTE, .p_offset = sizeof(header) + sizeof(part), .p_filesz = filesz };
        const Elf64_Nhdr note = { .n_namesz = 4, .n_descsz = 4, .n_type = type };

        memcpy(header.e_ident, ELFMAG, SELFMAG);
        header.e_ident[EI_CLASS] = ELFCLASS64;
        memcpy(data, &header, sizeof(header));
        memcpy(data + sizeof(header), &part, sizeof(part));
        memcpy(data + part.p_offset, &note, sizeof(note));
        memcpy(data + part.p_offset + sizeof(note), "Xen", 4);
        return part.p_offset + sizeof(note) + 8;
}

static void test_pvh_note(void **state)
{
        unsigned char data[512] = { 0 };
        size_t size = make_elf(data, 18, sizeof(Elf64_Nhdr) + 8);

        (void)state;
        assert_true(kernel_has_pvh(data, size));
        for (size_t cut = 0; cut < size; cut++)
                assert_false(kernel_has_pvh(data, cut));
        (void)make_elf(data, 17, sizeof(Elf64_Nhdr) + 8);
        assert_false(kernel_has_pvh(data, size));
        (void)make_elf(data, 18, UINT32_MAX);
        assert_false(kernel_has_pvh(data, size));
}

/* A plain ELF is taken as it is. */
static void test_unpack_plain(void **state)
{
        unsigned char data[512] = { 0 }, copy[512];
        size_t size = make_elf(data, 18, sizeof(Elf64_Nhdr) + 8);
        int from = memfd_create("from", MFD_CLOEXEC), to = memfd_create("to", MFD_CLOEXEC);

        (void)state;
        assert_int_equal(write(from, data, size), size);
        assert_int_equal(kernel_unpack(from, to, "test", NULL), 0);
        assert_int_equal(pread(to, copy, sizeof(copy), 0), size);
        assert_memory_equal(data, copy, size);
        (void)close(from);
        (void)close(to);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_found),        cmocka_unit_test(test_gzip_keeps_its_end),
                cmocka_unit_test(test_refused),      cmocka_unit_test(test_pvh_note),
                cmocka_unit_test(test_unpack_plain),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
