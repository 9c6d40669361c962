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

# A guest that keeps to no rule, in the place of agentsh-guest. Of sources, not of objects: those may be sanitized.
HOSTILE_SRC = $(addprefix shell/,guest_machine.c guest_disks.c frame.c transport.c) $(wildcard common/*.c)

$(O)/probes/hostile_guest: tests/probes/hostile_guest.c $(HOSTILE_SRC) $(PROBE_HEADERS) shell/frame.h
	$(say) PROBE $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -I. $(DEFINES) -O2 -g $(WARNINGS) $(WERROR) -static -o $@ $(filter %.c,$^)

JAIL_LAB = $(O)/tests/lib/jail_lab.o $(O)/tests/lib/jail_facts.o

$(JAIL_TESTS): $(JAIL_LAB) | $(PROBES)

# Of a build with FAULTS=1 alone: the mutation proof, and the unit tests that go red when a switch leaves out what they
# are about (common/fault_switches.def).
MUTATION_TESTS = $(sort $(shell sed -nE 's/^SWITCH\(.*, (test_[a-z_]+)\)$$/\1/p' common/fault_switches.def))

$(O)/tests/test_jail_mutation: $(O)/tests/mutation/test_jail_mutation.o $(JAIL_LAB) $(TEST_OBJECTS) \
                               $(O)/libvm.a $(O)/libpolicy.a $(O)/libcommon.a | $(PROBES)
	$(say) LINK $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -pie -o $@ $^ -lcmocka -lcap -lseccomp -liniparser

mutation: all $(patsubst %,$(O)/tests/%,$(filter-out test_mutation test_side_doors,$(MUTATION_TESTS)))

.PHONY: mutation

$(O)/tests/jail_run: $(O)/tests/lib/jail_run.o $(JAIL_LAB) $(TEST_OBJECTS) $(O)/libvm.a $(O)/libpolicy.a \
                     $(O)/libcommon.a | $(PROBES)
	$(say) LINK $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -pie -o $@ $^ -lcmocka -lcap -lseccomp -liniparser
