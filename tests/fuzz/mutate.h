/*
 * mutate.h - mutations that know what an input is made of, so that the fuzzers get past the first check of a parser.
 *
 * A text is lines of words: whole lines are inserted, doubled, moved and dropped, and words of the target's language
 * put between others. A struct is fields: one at a time gets a value that means something. One time in four
 * libFuzzer's own mutations, which know nothing, are taken instead, so that nothing is out of reach.
 */
#ifndef AGENTSH_FUZZ_MUTATE_H
#define AGENTSH_FUZZ_MUTATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void require(bool holds)
{
        if (!holds)
                abort();
}

/* A field of a struct, and the values that it should be tried with. */
struct mutate_field {
        size_t offset, size;
        const uint64_t *numbers;  /* for a field of 1, 2, 4 or 8 bytes */
        const char *const *texts; /* for an array of characters */
        size_t count;
};

#define MUTATE_COUNT(array) (sizeof(array) / sizeof((array)[0]))

static inline uint32_t mutate_random(unsigned *state)
{
        *state = *state * 1664525U + 1013904223U;
        return *state >> 8;
}

/* Put `count` bytes at `at`, in the place of `removed`. Returns the new size; `size` when it does not fit. */
static inline size_t mutate_splice(uint8_t *data, size_t size, size_t max, size_t at, size_t removed, const void *bytes,
                                   size_t count)
{
        if (size - removed + count > max)
                return size;
        memmove(data + at + count, data + at + removed, size - at - removed);
        if (count > 0)
                memcpy(data + at, bytes, count);
        return size - removed + count;
}

/* Where the line begins that holds `at`, and where the next one does. */
static inline size_t mutate_line_start(const uint8_t *data, size_t at)
{
        while (at > 0 && data[at - 1] != '\n')
                at--;
        return at;
}

static inline size_t mutate_line_end(const uint8_t *data, size_t size, size_t at)
{
        while (at < size && data[at] != '\n')
                at++;
        return at < size ? at + 1 : size;
}

static inline size_t mutate_text(uint8_t *data, size_t size, size_t max, unsigned seed, const char *const *words,
                                 size_t count)
{
        unsigned state = seed;
        size_t at = mutate_random(&state) % (size + 1), start = mutate_line_start(data, at);
        size_t end = mutate_line_end(data, size, at), length = end - start, other;
        const char *word = words[mutate_random(&state) % count];
        uint8_t line[512];

        switch (mutate_random(&state) % 8) {
        case 0: /* a word, anywhere */
                return mutate_splice(data, size, max, at, 0, word, strlen(word));
        case 1: /* a word or a line of the language, where a line begins */
                return mutate_splice(data, size, max, start, 0, word, strlen(word));
        case 2: /* in the place of the rest of the line */
                return mutate_splice(data, size, max, at, end - at, word, strlen(word));
        case 3: /* in the place of the line */
                return mutate_splice(data, size, max, start, length, word, strlen(word));
        case 4: /* without the line */
                return mutate_splice(data, size, max, start, length, NULL, 0);
        case 5: /* the line once more, somewhere else */
                if (length > sizeof(line))
                        length = sizeof(line);
                memcpy(line, data + start, length);
                other = mutate_line_start(data, mutate_random(&state) % (size + 1));
                return mutate_splice(data, size, max, other, 0, line, length);
        default:
                return LLVMFuzzerMutate(data, size, max);
        }
}

static inline void mutate_field(uint8_t *at, const struct mutate_field *field, unsigned *state)
{
        size_t choice = mutate_random(state) % field->count;

        if (field->numbers != NULL) {
                memcpy(at, &field->numbers[choice], field->size);
        } else {
                size_t length = strlen(field->texts[choice]), start = mutate_random(state) % 2;

                /* From the beginning, or where what is there ends; the terminator may be pushed out. */
                start = start == 0 ? 0 : strnlen((const char *)at, field->size);
                for (size_t i = 0; i <= length && start + i < field->size; i++)
                        at[start + i] = (uint8_t)field->texts[choice][i];
        }
}

/* One struct of `wanted` bytes, perhaps with more behind it: it is brought to that size mostly. */
static inline size_t mutate_struct(uint8_t *data, size_t size, size_t max, unsigned seed, size_t wanted,
                                   const struct mutate_field *fields, size_t count)
{
        const struct mutate_field *field;
        unsigned state = seed;

        if (mutate_random(&state) % 4 == 0 || max < wanted)
                return LLVMFuzzerMutate(data, size, max);
        if (size < wanted) {
                memset(data + size, 0, wanted - size);
                size = wanted;
        }
        for (unsigned n = mutate_random(&state) % 4; n > 0; n--) {
                field = &fields[mutate_random(&state) % count];
                mutate_field(data + field->offset, field, &state);
        }
        field = &fields[mutate_random(&state) % count];
        if (mutate_random(&state) % 3 == 0)
                (void)LLVMFuzzerMutate(data + field->offset, field->size, field->size);
        else
                mutate_field(data + field->offset, field, &state);
        return size;
}

/* The bytes as a string of its own allocation, so that a read behind its end is seen. */
static inline char *mutate_string(const uint8_t *data, size_t size)
{
        char *text = malloc(size + 1);

        if (text == NULL)
                abort();
        if (size > 0)
                memcpy(text, data, size);
        text[size] = '\0';
        return text;
}

#endif
