#!/bin/sh
# Whether every rule of the contract has a test and tests/contract/rules.md says which: see contract/rules.sh.
exec sh tests/contract/rules.sh --check
