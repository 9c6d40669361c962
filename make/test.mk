# Unit tests: tests/unit/test_NAME.c, cmocka, linked with the parts of the program that they are about, its main file
# left out. By the name: SHELL_NAMES for shell/; test_admin_*, test_jail_* and the rest for monitor/.

UNIT_TESTS    = $(patsubst tests/unit/%.c,$(O)/tests/%,$(wildcard tests/unit/test_*.c))
TEST_OBJECTS  = $(call object,$(filter-out monitor/monitor.c,$(MONITOR_SRC)))
SHELL_OBJECTS = $(call object,$(filter-out shell/agentsh.c shell/init.c shell/relay.c shell/guest.c, \
                $(wildcard shell/*.c)))

$(O)/tests/test_%: $(O)/tests/unit/test_%.o $(TEST_OBJECTS) $(O)/libvm.a $(O)/libpolicy.a $(O)/libcommon.a
	$(say) LINK $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -pie -o $@ $^ -lcmocka -lcap -lseccomp -liniparser -lpam

SHELL_NAMES = agentsh_% init_% frame endpoint mux relay
SHELL_TESTS = $(filter $(SHELL_NAMES:%=$(O)/tests/test_%),$(UNIT_TESTS))
$(SHELL_TESTS): $(O)/tests/%: $(O)/tests/unit/%.o $(SHELL_OBJECTS) $(O)/libcommon.a
	$(say) LINK $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -pie -o $@ $^ -lcmocka

unit: all $(UNIT_TESTS)
include make/pam_test.mk
include make/admin_test.mk
include make/jail_test.mk
