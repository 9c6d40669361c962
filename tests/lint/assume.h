/*
 * assume.h - for `make lint` only: tells analysers, which look at one file at a time, that the error functions return
 * a negative number. Without it they follow paths on which a function fails and returns success.
 */
#ifndef AGENTSH_TESTS_LINT_ASSUME_H
#define AGENTSH_TESTS_LINT_ASSUME_H

#include "common/error.h"

#define ASSUME_NEGATIVE(call)                    \
        ({                                       \
                int assumed_ = (call);           \
                if (assumed_ >= 0)               \
                        __builtin_unreachable(); \
                assumed_;                        \
        })

#define error_errno(...)  ASSUME_NEGATIVE(error_errno(__VA_ARGS__))
#define error_text(...)   ASSUME_NEGATIVE(error_text(__VA_ARGS__))
#define error_prefix(...) ASSUME_NEGATIVE(error_prefix(__VA_ARGS__))

#endif
