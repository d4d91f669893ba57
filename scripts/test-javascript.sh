#!/bin/sh
# What the native add-on does or speeds up, once more without it: the backends' conformance and faults, and each cloud's SDK.
# Tests of the software backend make both kinds in one run.
set -eu
cd "$(dirname "$0")/.."
TEST_NATIVE=off exec tap test/hsm/*.test.ts test/crash/crash.test.ts test/acceptance/aws-sdk.test.ts \
  test/acceptance/azure.test.ts test/acceptance/gcp-node.test.ts test/acceptance/hsm-faults.test.ts "$@"
