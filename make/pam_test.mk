# test_pam_module and test_pam_process load the module as PAM does, from a second build that looks for policies in the
# objects' folder.

PAM_TEST_DIR     = $(abspath $(O))/tests/pam_module
PAM_TEST_OBJECTS = $(PAM_SRC:%.c=$(O)/tests/pam_module/%.o)
PAM_TEST_MODULE  = $(PAM_TEST_DIR)/pam_agentsh.so
PAM_TESTS        = $(O)/tests/test_pam_module $(O)/tests/test_pam_process

$(O)/tests/pam_module/%.o: %.c $(O)/flags-$(KEY).mk
	$(say) CC "$< (test)"
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -UAGENTSH_CONFIG_DIR -DAGENTSH_CONFIG_DIR='"$(PAM_TEST_DIR)/etc"' -fPIC -MMD -MP -c -o $@ $<

$(PAM_TEST_MODULE): $(PAM_TEST_OBJECTS) $(O)/libcommon.a pam_module/pam_agentsh.map
	$(say) LINK $@
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -shared -Wl,--version-script=pam_module/pam_agentsh.map \
	    -o $@ $(filter-out %.map,$^) -lpam

$(O)/tests/lib/pam_fixture.o: DEFINES += -DPAM_TEST_DIR='"$(PAM_TEST_DIR)"'
$(PAM_TESTS): $(O)/tests/lib/fake_monitor.o $(O)/tests/lib/pam_fixture.o | $(PAM_TEST_MODULE)
