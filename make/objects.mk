# What is made of what. A folder is a trust domain: each program takes its own folder and the libraries below it.

object = $(patsubst %.c,$(O)/%.o,$(1))

COMMON_SRC  = $(wildcard common/*.c)
POLICY_SRC  = $(wildcard policy/*.c)
LAUNCH_SRC  = vm/launch.c
VM_SRC      = $(filter-out $(LAUNCH_SRC),$(wildcard vm/*.c))
MONITOR_SRC = $(wildcard monitor/*.c)
ADMIN_SRC   = $(wildcard admin/*.c)
PAM_SRC     = $(wildcard pam_module/*.c)
AGENTSH_SRC = $(wildcard shell/agentsh*.c)
INIT_SRC    = $(wildcard shell/init*.c)
RELAY_SRC   = $(wildcard shell/relay*.c)
GUEST_SRC   = $(wildcard shell/guest*.c)
# Relay and guest: the frames between them.
STREAM_SRC  = $(wildcard shell/frame*.c shell/mux*.c shell/endpoint*.c shell/transport*.c)
SHELL_SRC   = $(filter-out $(AGENTSH_SRC) $(INIT_SRC) $(RELAY_SRC) $(GUEST_SRC) $(STREAM_SRC),$(wildcard shell/*.c))

$(O)/%.o: %.c $(O)/flags-$(KEY).mk $(O)/settings
	$(say) CC $<
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -fPIC -MMD -MP -c -o $@ $<

$(O)/libcommon.a: $(call object,$(COMMON_SRC))
$(O)/libpolicy.a: $(call object,$(POLICY_SRC))
# Templates talk to their guest by the shell's frames, which are pure.
$(O)/libvm.a: $(call object,$(VM_SRC) shell/frame.c)
$(O)/%.a:
	$(say) AR $@
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(O)/agentsh: $(call object,$(AGENTSH_SRC) $(SHELL_SRC)) $(O)/libcommon.a
	$(say) LINK $@
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(STATIC_PIE) -o $@ $^

$(O)/agentsh-init: $(call object,$(INIT_SRC) $(SHELL_SRC)) $(O)/libcommon.a
	$(say) LINK $@
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(STATIC_PIE) -o $@ $^

$(O)/agentsh-relay: $(call object,$(RELAY_SRC) $(STREAM_SRC) $(SHELL_SRC) shell/init_config.c) $(O)/libcommon.a
	$(say) LINK $@
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(STATIC_PIE) -o $@ $^

$(O)/agentsh-guest: $(call object,$(GUEST_SRC) $(STREAM_SRC) $(SHELL_SRC) shell/init_config.c) $(O)/libcommon.a
	$(say) LINK $@
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(STATIC_PIE) -o $@ $^

$(O)/agentsh-monitor: $(call object,$(MONITOR_SRC)) $(O)/libvm.a $(O)/libpolicy.a $(O)/libcommon.a
	$(say) LINK $@
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -pie -o $@ $^ -lcap -lseccomp -liniparser

$(O)/agentshctl: $(call object,$(ADMIN_SRC)) $(O)/libvm.a $(O)/libpolicy.a $(O)/libcommon.a
	$(say) LINK $@
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -pie -o $@ $^ -liniparser -lpam

$(O)/pam_agentsh.so: $(call object,$(PAM_SRC)) $(O)/libcommon.a pam_module/pam_agentsh.map
	$(say) LINK $@
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -shared -Wl,--version-script=pam_module/pam_agentsh.map \
	    -o $@ $(filter-out %.map,$^) -lpam

$(O)/agentsh-launch: $(call object,$(LAUNCH_SRC)) $(O)/libvm.a $(O)/libcommon.a
	$(say) LINK $@
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(STATIC_PIE) -o $@ $^

include make/policy.mk
include make/fuzz.mk

-include $(shell find $(O) -path '*/lab' -prune -o -type f -name '*.d' -print 2>/dev/null)
