#!/bin/sh
# Whether the shared library BB_LIBRARY has the binary interface that is recorded; see abi.py. Run at
# the top of the source tree.
exec python3 -B tests/checks/abi.py
