# What is generated from the policy's key table (policy/keys.def): the man page and the fuzzer's dictionary.

$(O)/policy-tables: policy/tools/tables.c $(O)/libpolicy.a $(O)/libcommon.a $(O)/flags-$(KEY).mk
	$(say) LINK $@
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -pie -fPIE -o $@ $(filter %.c %.a,$^) -liniparser

$(O)/man/agentsh.ini.5: docs/man/agentsh.ini.5.in $(O)/policy-tables
	$(say) GEN $@
	$(Q)mkdir -p $(@D)
	$(Q)$(O)/policy-tables man $(VERSION) < $< > $@

$(O)/policy.dict: $(O)/policy-tables
	$(say) GEN $@
	$(Q)$(O)/policy-tables dictionary > $@
