#!/bin/sh
# Whether every rule of the contract has a test and tests/contract/rules.md says which: see ../rules.sh.
exec sh tests/rules.sh --check
