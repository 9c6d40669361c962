# What runs inside jails under test: static programs of tests/probes, and tests/lib/jail_lab.c that starts the jails.

PROBES     = $(patsubst tests/probes/%.c,$(O)/probes/%,$(wildcard tests/probes/*.c))
JAIL_TESTS = $(patsubst tests/unit/%.c,$(O)/tests/%,$(wildcard tests/unit/test_jail_*.c))

$(O)/probes/%: tests/probes/%.c $(wildcard tests/probes/*.h tests/lib/*.h common/*.h)
	$(say) PROBE $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -I. -D_GNU_SOURCE -O2 -g $(WARNINGS) $(WERROR) -static -o $@ $<

JAIL_LAB = $(O)/tests/lib/jail_lab.o $(O)/tests/lib/jail_facts.o

$(JAIL_TESTS): $(JAIL_LAB) | $(PROBES)

$(O)/tests/jail_run: $(O)/tests/lib/jail_run.o $(JAIL_LAB) $(TEST_OBJECTS) $(O)/libpolicy.a \
                     $(O)/libcommon.a | $(PROBES)
	$(say) LINK $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -pie -o $@ $^ -lcmocka -lcap -lseccomp -liniparser
