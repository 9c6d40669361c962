# agentsh-probe: the probes that the integration tests run one by one, in one static program for `doctor --live`.

PROBE_PARTS = identity view escape

$(O)/probe/part_%.o: probe/probe_%.c $(wildcard probe/*.h) $(O)/flags-$(KEY).mk $(O)/settings
	$(say) CC $<
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -Wno-missing-prototypes -Dmain=probe_$*_main -fPIC -c -o $@ $<

# Stripped: it goes through a pipe and into a /tmp that counts. Without the sanitizers, which cannot be linked statically and would be in the way of the attempts.
$(O)/agentsh-probe: SANITIZERS =
$(O)/agentsh-probe: $(O)/probe/agentsh_probe.o $(PROBE_PARTS:%=$(O)/probe/part_%.o)
	$(say) LINK $@
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -static-pie -s -o $@ $^
