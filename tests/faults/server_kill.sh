#!/bin/sh
# Kills an example server under load: `sh tests/faults/server_kill.sh SERVER BACKEND`.
#
# SERVER is the program, BACKEND sqlite or postgres (on the server that BB_TEST_POSTGRES names by a
# libpq URI; without it the exit status is 77).
set -eu

[ $# -eq 2 ] || { sed -n '2,5p' "$0" >&2; exit 2; }
if [ "$2" = postgres ] && [ -z "${BB_TEST_POSTGRES:-}" ]; then
    echo "BB_TEST_POSTGRES is not set: skipped"
    exit 77
fi
BB_TEST_SERVER=$1 BB_TEST_BACKEND=$2 exec python3 -B "$(dirname "$0")/test_server_kill.py"
