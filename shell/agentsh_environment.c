/* agentsh_environment.c - filters the environment by the session's patterns. Pure. */
#include "shell/agentsh_environment.h"

#include "common/attach.h"
#include "common/fault.h"
#include "common/paths.h"

#include <string.h>

/* Leaves a place for the command among the strings of a request. */
#define ENVIRONMENT_STRINGS_MAX (ATTACH_STRINGS_MAX - 1)

static bool pattern_matches(const char *pattern, size_t size, const char *name, size_t length)
{
        if (size > 0 && pattern[size - 1] == '*')
                return length >= size - 1 && memcmp(pattern, name, size - 1) == 0;
        return size > 0 && length == size && memcmp(pattern, name, size) == 0;
}

bool environment_matches(const char *patterns, const char *name, size_t length)
{
        while (*patterns != '\0') {
                size_t size = strcspn(patterns, "\n");

                if (pattern_matches(patterns, size, name, length))
                        return true;
                patterns += size;
                patterns += *patterns == '\n';
        }
        return false;
}

/* Length of a well-formed variable name that is followed by '='; 0 for anything else. */
static size_t name_length(const char *assignment)
{
        static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
        size_t length = strspn(assignment, letters);

        if (length == 0)
                return 0;
        while (assignment[length] != '\0' && (strchr(letters, assignment[length]) != NULL ||
                                              (assignment[length] >= '0' && assignment[length] <= '9')))
                length++;
        return assignment[length] == '=' ? length : 0;
}

size_t environment_filter(const char *patterns, char *const *environment, char *ret, size_t max)
{
        size_t used = 0, count = 0;

        for (; *environment != NULL && count < ENVIRONMENT_STRINGS_MAX; environment++) {
                size_t name = name_length(*environment), size;

                if (name == 0 || (!environment_matches(patterns, *environment, name) && !OMIT_POINT("keep list")))
                        continue;
                if (name == strlen(AGENTSH_SOCKET_VARIABLE) && memcmp(*environment, AGENTSH_SOCKET_VARIABLE, name) == 0)
                        continue;
                size = strnlen(*environment, ENVIRONMENT_VALUE_MAX) + 1;
                if (size > ENVIRONMENT_VALUE_MAX || size > max - used)
                        continue;
                memcpy(ret + used, *environment, size);
                used += size;
                count++;
        }
        return used;
}
