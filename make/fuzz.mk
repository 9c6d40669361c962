# Fuzzers: tests/fuzz/fuzz_NAME.c (LLVMFuzzerTestOneInput) with seeds in tests/fuzz/corpus/NAME/, built by clang with
# ASan and UBSan together with all of common/ and policy/, and with the sources named in FUZZ_EXTRA_NAME.
#
#   make fuzz FUZZ_SECONDS=60     runs each fuzzer; what it finds new stays in $(O)/fuzz/corpus/NAME
#   make corpus                   replays each checked-in corpus once

FUZZ_CC       ?= clang
FUZZ_SECONDS  ?= 60
FUZZ_NAMES     = $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_PROGRAMS  = $(FUZZ_NAMES:%=$(O)/fuzz/fuzz_%)
FUZZ_CFLAGS    = -std=gnu17 -I. -D_GNU_SOURCE $(filter-out -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=%,$(DEFINES)) -O1 -g \
                 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -Wall -Wextra \
                 -Wno-missing-field-initializers
FUZZ_LIBS      = -liniparser
FUZZ_EXTRA_frame = shell/frame.c
FUZZ_EXTRA_relay = $(filter-out shell/relay.c,$(RELAY_SRC)) $(STREAM_SRC) $(SHELL_SRC) shell/init_config.c
# A dictionary of the target's words, where there is a rule for one: $(O)/NAME.dict.
FUZZ_DICTS     = policy

.SECONDEXPANSION:
$(O)/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(COMMON_SRC) $(POLICY_SRC) $(wildcard common/*.h policy/*.h policy/*.def shell/*.h) \
                 $$(FUZZ_EXTRA_$$*)
	$(say) FUZZ $@
	$(Q)mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) -o $@ $< $(COMMON_SRC) $(POLICY_SRC) $(FUZZ_EXTRA_$*) $(FUZZ_LIBS) $(FUZZ_LIBS_$*)

$(FUZZ_NAMES:%=fuzz-%): fuzz-%: $(O)/fuzz/fuzz_% $(FUZZ_DICTS:%=$(O)/%.dict)
	$(say) RUN "fuzz_$* for $(FUZZ_SECONDS) s"
	$(Q)mkdir -p $(O)/fuzz/corpus/$* tests/fuzz/corpus/$*
	$(Q)$< -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 -verbosity=0 \
	    -artifact_prefix=$(O)/fuzz/ $(if $(filter $*,$(FUZZ_DICTS)),-dict=$(O)/$*.dict) \
	    $(O)/fuzz/corpus/$* tests/fuzz/corpus/$*

$(FUZZ_NAMES:%=corpus-%): corpus-%: $(O)/fuzz/fuzz_%
	$(say) CORPUS $*
	$(Q)mkdir -p tests/fuzz/corpus/$*
	$(Q)$< -runs=0 -verbosity=0 -artifact_prefix=$(O)/fuzz/ tests/fuzz/corpus/$*

fuzz: $(FUZZ_NAMES:%=fuzz-%)
corpus: $(FUZZ_NAMES:%=corpus-%)

.PHONY: corpus $(FUZZ_NAMES:%=fuzz-%) $(FUZZ_NAMES:%=corpus-%)
