# Benchmarks against peers and against the floor; tests/bench/README.md. BENCH_ARGS: --quick, --json FILE, names of parts.

BENCH_PROGRAMS = $(patsubst tests/bench/%.c,$(O)/bench/%,$(wildcard tests/bench/*.c))
BENCH_CFLAGS   = -std=gnu17 -D_GNU_SOURCE -O2 -Wall -Wextra -Wshadow -Wstrict-prototypes $(WERROR)

# What stands for the cheapest start is static; the one byte needs not even a C library.
$(O)/bench/one_byte: BENCH_LINK = -static -nostdlib -nostartfiles -fno-stack-protector
$(O)/bench/floor:    BENCH_LINK = -static
$(O)/bench/timer:    BENCH_LINK = -lpam

$(O)/bench/%: tests/bench/%.c
	$(say) LINK $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(BENCH_CFLAGS) -o $@ $< $(BENCH_LINK)

bench: all $(BENCH_PROGRAMS)
	$(Q)AGENTSH_BUILD='$(abspath $(O))' PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 tests/bench/bench.py $(BENCH_ARGS)
