# Unit tests: tests/unit/test_NAME.c, cmocka, linked with everything but the programs' main files.

UNIT_TESTS = $(patsubst tests/unit/%.c,$(O)/tests/%,$(wildcard tests/unit/test_*.c))
TEST_OBJECTS = $(call object,$(filter-out monitor/monitor.c,$(MONITOR_SRC)) \
                             $(filter-out shell/agentsh.c shell/init.c,$(AGENTSH_SRC) $(INIT_SRC) $(SHELL_SRC)))

$(O)/tests/test_%: $(O)/tests/unit/test_%.o $(TEST_OBJECTS) $(O)/libpolicy.a $(O)/libcommon.a
	$(say) LINK $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -pie -o $@ $^ -lcmocka -lcap -lseccomp -liniparser -lpam

unit: all $(UNIT_TESTS)
include make/pam_test.mk
include make/admin_test.mk
