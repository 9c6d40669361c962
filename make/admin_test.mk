# test_admin_NAME: agentshctl's parts, without those of other programs.

ADMIN_TEST_OBJECTS = $(call object,$(filter-out admin/agentshctl.c,$(ADMIN_SRC)))

$(O)/tests/test_admin_%: $(O)/tests/unit/test_admin_%.o $(ADMIN_TEST_OBJECTS) $(O)/libvm.a $(O)/libpolicy.a $(O)/libcommon.a
	$(say) LINK $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -pie -o $@ $^ -lcmocka -liniparser -lpam
