#!/bin/sh
# Tests an example server over HTTP: `sh tests/server/run.sh SERVER BACKEND [TEST...]`.
#
# SERVER is the program; the one that makes chatbots and keys is the same, unless BB_TEST_ADMIN
# names another. BACKEND is memory, sqlite or postgres (on the server that BB_TEST_POSTGRES
# names by a libpq URI; without it the exit status is 77). TEST picks some, such as
# test_bodies.Refusals, and so does BB_TEST_ONLY, by the name of their functions, with * and ? as
# in a shell. One line a test; exit status 0 if all passed.
set -eu

[ $# -ge 2 ] || { sed -n '2,8p' "$0" >&2; exit 2; }
if [ "$2" = postgres ] && [ -z "${BB_TEST_POSTGRES:-}" ]; then
    echo "BB_TEST_POSTGRES is not set: skipped"
    exit 77
fi
BB_TEST_SERVER=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
BB_TEST_BACKEND=$2
export BB_TEST_SERVER BB_TEST_BACKEND
shift 2
cd "$(dirname "$0")"
if [ -n "${BB_TEST_ONLY:-}" ]; then
    exec python3 -B -m unittest -v -k "*.$BB_TEST_ONLY"
fi
if [ $# -gt 0 ]; then
    exec python3 -B -m unittest -v "$@"
fi

# The files side by side, for what they mostly do is wait.
logs=$(mktemp -d)
pids=
clean_up() {
    # shellcheck disable=SC2086 # one word each
    [ -z "$pids" ] || kill $pids 2>/dev/null || :
    rm -rf "$logs"
}
trap clean_up EXIT
trap 'exit 143' TERM
trap 'exit 130' INT
for file in test_*.py; do
    python3 -B -m unittest -v "${file%.py}" >"$logs/$file" 2>&1 &
    pids="$pids $!"
done
status=0
for pid in $pids; do
    wait "$pid" || status=1
done
pids=
cat "$logs"/*
exit "$status"
