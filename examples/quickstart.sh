#!/bin/sh
# Builds the example server, starts it, and sends it the request of the endpoint's documentation.
set -eu

usage() {
    cat <<'TEXT'
usage: sh examples/quickstart.sh [--store URI] [--keep]

  --store URI  memory:, sqlite:PATH, or postgresql://... of a server that is there already
               (default: an SQLite file in a temporary directory)
  --keep       leaves the server running and says how to talk to it

The key is the one in the environment variable BOOKBAG_API_KEY, or a new one.
TEXT
}

fail() {
    echo "quickstart: $1" >&2
    exit "${2:-1}"
}

keep=
store=
while [ $# -gt 0 ]; do
    case $1 in
    --keep) keep=yes ;;
    --store)
        [ $# -ge 2 ] || fail "--store needs a URI" 2
        store=$2
        shift
        ;;
    --store=*) store=${1#--store=} ;;
    --help)
        usage
        exit 0
        ;;
    *)
        usage >&2
        exit 2
        ;;
    esac
    shift
done

root=$(cd "$(dirname "$0")/.." && pwd)
build=$root/build-quickstart
scratch=$(mktemp -d)
server_pid=

clean_up() {
    if [ -n "$server_pid" ]; then
        kill "$server_pid" 2>/dev/null || :
        wait "$server_pid" 2>/dev/null || :
    fi
    rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# Runs a command and shows what it said only if it fails.
quietly() {
    if ! "$@" >"$scratch/output" 2>&1; then
        cat "$scratch/output" >&2
        fail "failed: $*"
    fi
}

# shellcheck source=cmake/debian-packages.sh
. "$root/cmake/debian-packages.sh"
need_packages build server

echo "Building in $build" >&2
generator=
[ -f "$build/CMakeCache.txt" ] || ! command -v ninja >/dev/null || generator="-G Ninja"
# shellcheck disable=SC2086 # no generator is no argument
quietly cmake -S "$root" -B "$build" $generator -DCMAKE_BUILD_TYPE=Release -DBB_BUILD_TESTS=OFF
quietly cmake --build "$build"
server=$build/examples/server/bb-contacts-server

# nohup, because with --keep the server is to outlive this terminal.
store=${store:-sqlite:$scratch/contacts.db}
: >"$scratch/ready"
nohup "$server" --store "$store" serve --demo --listen 127.0.0.1:0 \
    >"$scratch/ready" 2>"$scratch/log" </dev/null &
server_pid=$!
waited=0
while ! grep -q '^listening on ' "$scratch/ready"; do
    if ! kill -0 "$server_pid" 2>/dev/null; then
        cat "$scratch/log" >&2
        fail "the server did not start"
    fi
    if [ "$waited" -ge 300 ]; then
        cat "$scratch/log" >&2
        fail "the server is not ready after 30 seconds"
    fi
    waited=$((waited + 1))
    sleep 0.1
done
url=$(sed -n 's/^listening on //p' "$scratch/ready")
made_key=$(sed -n 's/^BOOKBAG_API_KEY=//p' "$scratch/ready")
BOOKBAG_API_KEY=${made_key:-${BOOKBAG_API_KEY:-}}

# The request of the documentation; only the host is another.
echo "POST $url/api/v1/chatbots/123/contacts" >&2
status=$(curl -sS -o "$scratch/response" -w '%{http_code}' "$url/api/v1/chatbots/123/contacts" \
-H "Authorization: Bearer $BOOKBAG_API_KEY" \
-H "Content-Type: application/json" \
-d '{
"users": [
{
"external_id": "user_8821",
"name": "Sam Rivera",
"email": "sam@acme.com",
"custom_attributes": { "plan": "pro", "ltv": 540 }
}
]
}') || fail "no answer from the server"
echo "HTTP status $status" >&2
cat "$scratch/response"
echo
[ "$status" = 200 ] || fail "the status should have been 200"

if [ -n "$keep" ]; then
    cat >&2 <<TEXT

The server goes on running. To send it a request of your own:

    export BOOKBAG_API_KEY=$BOOKBAG_API_KEY
    curl $url/api/v1/chatbots/123/contacts \\
        -H "Authorization: Bearer \$BOOKBAG_API_KEY" \\
        -H "Content-Type: application/json" \\
        -d '{"users": [{"external_id": "user_1", "name": "Ada"}]}'

To stop it:

    kill $server_pid && rm -rf $scratch

Its store is $store, its log $scratch/log.
TEXT
    trap - EXIT
fi
