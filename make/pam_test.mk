# The tests of common/ and of the PAM module: linked with common/ alone, which is all that the two may use.

COMMON_TESTS = $(COMMON_SRC:common/%.c=$(O)/tests/test_%)
PAM_TESTS    = $(O)/tests/test_pam_module $(O)/tests/test_pam_process

link_test = $(Q)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -pie -o $@ $^

$(filter $(UNIT_TESTS),$(COMMON_TESTS)): $(O)/tests/test_%: $(O)/tests/unit/test_%.o $(O)/libcommon.a
	$(say) LINK $@
	$(link_test) -lcmocka

$(PAM_TESTS): $(O)/tests/test_%: $(O)/tests/unit/test_%.o $(O)/tests/lib/fake_monitor.o $(O)/tests/lib/pam_fixture.o \
                                 $(O)/libcommon.a | $(O)/tests/pam_module/pam_agentsh.so
	$(say) LINK $@
	$(link_test) -lcmocka -lpam

# They load the module as PAM does, from a second build that looks for policies in the objects' folder.
PAM_TEST_DIR     = $(abspath $(O))/tests/pam_module
PAM_TEST_OBJECTS = $(PAM_SRC:%.c=$(O)/tests/pam_module/%.o)

$(O)/tests/pam_module/%.o: %.c $(O)/flags-$(KEY).mk
	$(say) CC "$< (test)"
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -UAGENTSH_CONFIG_DIR -DAGENTSH_CONFIG_DIR='"$(PAM_TEST_DIR)/etc"' -fPIC -MMD -MP -c -o $@ $<

$(O)/tests/pam_module/pam_agentsh.so: $(PAM_TEST_OBJECTS) $(O)/libcommon.a pam_module/pam_agentsh.map
	$(say) LINK $@
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -shared -Wl,--version-script=pam_module/pam_agentsh.map \
	    -o $@ $(filter-out %.map,$^) -lpam

$(O)/tests/lib/pam_fixture.o: DEFINES += -DPAM_TEST_DIR='"$(PAM_TEST_DIR)"'
