#!/bin/sh
# Tests the example server over HTTP: `sh tests/server/run.sh SERVER BACKEND [TEST...]`.
#
# SERVER is the program, BACKEND memory, sqlite or postgres (on the server that BB_TEST_POSTGRES
# names by a libpq URI; without it the exit status is 77). TEST picks some, such as
# test_bodies.Refusals. One line a test; exit status 0 if all passed.
set -eu

[ $# -ge 2 ] || { sed -n '2,6p' "$0" >&2; exit 2; }
if [ "$2" = postgres ] && [ -z "${BB_TEST_POSTGRES:-}" ]; then
    echo "BB_TEST_POSTGRES is not set: skipped"
    exit 77
fi
BB_TEST_SERVER=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
BB_TEST_BACKEND=$2
export BB_TEST_SERVER BB_TEST_BACKEND
shift 2
cd "$(dirname "$0")"
if [ $# -eq 0 ]; then
    exec python3 -B -m unittest discover -v
fi
exec python3 -B -m unittest -v "$@"
