# Fuzzers: tests/fuzz/fuzz_NAME.c (LLVMFuzzerTestOneInput) with seeds in tests/fuzz/corpus/NAME/, built by clang with
# ASan and UBSan together with all of common/ and policy/, and with the sources named in FUZZ_EXTRA_NAME.
#
#   make fuzz FUZZ_SECONDS=60     runs each fuzzer; what it finds new stays in $(O)/fuzz/corpus/NAME
#   make fuzzers                  builds them all
#   make corpus                   replays each checked-in corpus once
#   make fuzz-coverage            how much the corpora reach

FUZZ_CC       ?= clang
FUZZ_SECONDS  ?= 60
FUZZ_NAMES     = $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_PROGRAMS  = $(FUZZ_NAMES:%=$(O)/fuzz/fuzz_%)
FUZZ_CFLAGS    = -std=gnu17 -I. -D_GNU_SOURCE $(filter-out -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=%,$(DEFINES)) -O1 -g \
                 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -Wall -Wextra \
                 -Wno-missing-field-initializers -DFRAME_CREDIT='(48 * 1024)' -DMUX_CHANNELS=6
FUZZ_LIBS      = -liniparser
# Memory that was freed is kept aside for a while, but not so much of it that each input gets fresh pages.
FUZZ_OPTIONS   = ASAN_OPTIONS=quarantine_size_mb=16:allocator_release_to_os_interval_ms=-1:$$ASAN_OPTIONS
# What is fuzzed beside common/ and policy/, and the libraries that it needs.
FUZZ_EXTRA_frame   = shell/frame.c
FUZZ_EXTRA_relay   = $(filter-out shell/relay.c,$(RELAY_SRC)) $(STREAM_SRC) $(SHELL_SRC) shell/init_config.c
FUZZ_EXTRA_status  = shell/init_config.c shell/init_environment.c
FUZZ_EXTRA_agentsh = $(filter-out shell/agentsh.c,$(AGENTSH_SRC)) $(SHELL_SRC)
FUZZ_EXTRA_admin   = $(addprefix admin/,findings.c guard_parse.c guard_ranges.c login_defs.c output.c pam_stack.c \
                       sshd_config.c)
FUZZ_EXTRA_kernel  = $(addprefix monitor/,$(notdir $(wildcard monitor/cgroup*.c)) verify.c jail_subid.c log.c)
# A dictionary of the target's words, where there is a rule for one: $(O)/NAME.dict.
FUZZ_DICTS     = policy

FUZZ_HEADERS = $(wildcard common/*.h policy/*.h policy/*.def shell/*.h admin/*.h monitor/*.h tests/fuzz/*.h)
# Compiled once for all fuzzers.
fuzz_objects = $(patsubst %.c,$(O)/fuzz/objects/%.o,$(1))

$(O)/fuzz/objects/%.o: %.c $(FUZZ_HEADERS)
	$(Q)mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) -c -o $@ $<

.SECONDARY: $(call fuzz_objects,$(COMMON_SRC) $(POLICY_SRC) $(foreach n,$(FUZZ_NAMES),tests/fuzz/fuzz_$(n).c $(FUZZ_EXTRA_$(n))))

.SECONDEXPANSION:
$(O)/fuzz/fuzz_%: $(O)/fuzz/objects/tests/fuzz/fuzz_%.o $(call fuzz_objects,$(COMMON_SRC) $(POLICY_SRC)) \
                  $$(call fuzz_objects,$$(FUZZ_EXTRA_$$*))
	$(say) FUZZ $@
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) -o $@ $(filter %.o,$^) $(FUZZ_LIBS) $(FUZZ_LIBS_$*)

$(FUZZ_NAMES:%=fuzz-%): fuzz-%: $(O)/fuzz/fuzz_% $(FUZZ_DICTS:%=$(O)/%.dict)
	$(say) RUN "fuzz_$* for $(FUZZ_SECONDS) s"
	$(Q)mkdir -p $(O)/fuzz/corpus/$* tests/fuzz/corpus/$*
	$(Q)$(FUZZ_OPTIONS) $< -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 -verbosity=0 \
	    -artifact_prefix=$(O)/fuzz/ $(if $(filter $*,$(FUZZ_DICTS)),-dict=$(O)/$*.dict) \
	    $(O)/fuzz/corpus/$* tests/fuzz/corpus/$*

$(FUZZ_NAMES:%=corpus-%): corpus-%: $(O)/fuzz/fuzz_%
	$(say) CORPUS $*
	$(Q)mkdir -p tests/fuzz/corpus/$*
	$(Q)$(FUZZ_OPTIONS) $< -runs=0 -verbosity=0 -artifact_prefix=$(O)/fuzz/ tests/fuzz/corpus/$*

# How much of what they are about the checked-in corpora reach. Not part of the tests: a number to look at.
FUZZ_ABOUT_policy  = $(POLICY_SRC) common/parse.c
FUZZ_ABOUT_control = common/control.c common/parse.c
FUZZ_ABOUT_attach  = common/attach.c
FUZZ_ABOUT_status  = common/status.c shell/init_config.c shell/init_environment.c
FUZZ_ABOUT_kernel  = monitor/cgroup_mounts.c monitor/verify.c monitor/jail_subid.c
FUZZ_ABOUT_agentsh = shell/agentsh_invocation.c shell/agentsh_environment.c shell/agentsh_request.c
FUZZ_ABOUT_admin   = admin/pam_stack.c admin/sshd_config.c admin/login_defs.c admin/guard_parse.c

$(FUZZ_NAMES:%=fuzz-coverage-%): fuzz-coverage-%:
	$(Q)mkdir -p $(O)/fuzz/coverage
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) -fprofile-instr-generate -fcoverage-mapping -o $(O)/fuzz/coverage/fuzz_$* \
	    tests/fuzz/fuzz_$*.c $(COMMON_SRC) $(POLICY_SRC) $(FUZZ_EXTRA_$*) $(FUZZ_LIBS) $(FUZZ_LIBS_$*)
	$(Q)LLVM_PROFILE_FILE=$(O)/fuzz/coverage/$*.raw $(O)/fuzz/coverage/fuzz_$* -runs=0 -verbosity=0 \
	    tests/fuzz/corpus/$* $(wildcard $(O)/fuzz/corpus/$*)
	$(Q)llvm-profdata merge -sparse $(O)/fuzz/coverage/$*.raw -o $(O)/fuzz/coverage/$*.data
	$(Q)llvm-cov report $(O)/fuzz/coverage/fuzz_$* -instr-profile=$(O)/fuzz/coverage/$*.data $(FUZZ_ABOUT_$*)

fuzz-coverage: $(FUZZ_NAMES:%=fuzz-coverage-%)
fuzz: $(FUZZ_NAMES:%=fuzz-%)
corpus: $(FUZZ_NAMES:%=corpus-%)
fuzzers: $(FUZZ_PROGRAMS)

.PHONY: corpus fuzzers fuzz-coverage $(FUZZ_NAMES:%=fuzz-coverage-%) $(FUZZ_NAMES:%=fuzz-%) $(FUZZ_NAMES:%=corpus-%)
