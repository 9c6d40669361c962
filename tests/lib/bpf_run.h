/*
 * bpf_run.h - runs a seccomp program as the kernel would, for tests.
 */
#ifndef AGENTSH_TESTS_BPF_RUN_H
#define AGENTSH_TESTS_BPF_RUN_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define BPF_RUN_BROKEN 0xdeadbeefU /* an instruction that seccomp does not have, or a jump out of the program */

/* The action that the program returns. Only what seccomp's checker lets through. */
static inline uint32_t bpf_run(const struct sock_filter *code, size_t count, const struct seccomp_data *data)
{
        uint32_t a = 0;

        for (size_t at = 0; at < count; at++) {
                uint32_t k = code[at].k;
                int hit;

                switch (code[at].code) {
                case BPF_LD | BPF_W | BPF_ABS:
                        if (k % 4 != 0 || k > sizeof(*data) - 4)
                                return BPF_RUN_BROKEN;
                        memcpy(&a, (const char *)data + k, 4);
                        continue;
                case BPF_ALU | BPF_AND | BPF_K:
                        a &= k;
                        continue;
                case BPF_JMP | BPF_JA:
                        at += k;
                        continue;
                case BPF_RET | BPF_K:
                        return k;
                case BPF_JMP | BPF_JEQ | BPF_K:
                        hit = a == k;
                        break;
                case BPF_JMP | BPF_JGT | BPF_K:
                        hit = a > k;
                        break;
                case BPF_JMP | BPF_JGE | BPF_K:
                        hit = a >= k;
                        break;
                case BPF_JMP | BPF_JSET | BPF_K:
                        hit = (a & k) != 0;
                        break;
                default:
                        return BPF_RUN_BROKEN;
                }
                at += hit ? code[at].jt : code[at].jf;
        }
        return BPF_RUN_BROKEN;
}

#endif
