# SPDX-License-Identifier: MIT
# The contract's integration scenarios (I-01 to I-31), by the command line alone.

DEIS_SCENARIOS=1 DEIS_BIN=$bin DEIS_TEST_DIR=$work node --test-reporter="$root/tests/api/support/reporter.mjs" \
    --test-reporter-destination=stdout "$root/tests/api/scenarios.mjs" 2>&1
