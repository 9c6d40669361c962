# What runs inside jails under test: static programs of probe/ and tests/probes, and tests/lib/jail_lab.c that starts the jails.

PROBES     = $(patsubst %.c,$(O)/probes/%,$(notdir $(wildcard probe/probe_*.c tests/probes/*.c)))
JAIL_TESTS = $(patsubst tests/unit/%.c,$(O)/tests/%,$(wildcard tests/unit/test_jail_*.c))

PROBE_HEADERS = $(wildcard probe/*.h tests/probes/*.h tests/lib/*.h common/*.h)
define make_probe
	$(say) PROBE $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -I. -D_GNU_SOURCE -O2 -g $(WARNINGS) $(WERROR) -static -o $@ $<
endef

$(O)/probes/%: probe/%.c $(PROBE_HEADERS)
	$(make_probe)
$(O)/probes/%: tests/probes/%.c $(PROBE_HEADERS)
	$(make_probe)

JAIL_LAB = $(O)/tests/lib/jail_lab.o $(O)/tests/lib/jail_facts.o

$(JAIL_TESTS): $(JAIL_LAB) | $(PROBES)

$(O)/tests/jail_run: $(O)/tests/lib/jail_run.o $(JAIL_LAB) $(TEST_OBJECTS) $(O)/libvm.a $(O)/libpolicy.a \
                     $(O)/libcommon.a | $(PROBES)
	$(say) LINK $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -pie -o $@ $^ -lcmocka -lcap -lseccomp -liniparser
