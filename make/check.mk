# The tests as make targets; tests/run is the one that counts.

check:
	$(Q)AGENTSH_BUILD='$(abspath $(O))' tests/run --unit

check-root:
	$(Q)AGENTSH_BUILD='$(abspath $(O))' tests/run --root

include make/bench.mk
