#!/bin/sh
# Tests examples/quickstart.sh as a stranger runs it: `sh tests/server/quickstart.sh`.
#
# With BB_TEST_POSTGRES, a libpq URI, on PostgreSQL too. One line a check; exit status 0 if all
# passed. What the script leaves behind would be found in the empty folder that is its TMPDIR.
set -u

script=$(cd "$(dirname "$0")/../.." && pwd)/examples/quickstart.sh
here=$(mktemp -d)
mkdir "$here/tmp"
server_pid=
database=
failures=0
unset BOOKBAG_API_KEY

clean_up() {
    [ -z "$server_pid" ] || kill "$server_pid" 2>/dev/null
    [ -z "$database" ] ||
        psql -X -q "$BB_TEST_POSTGRES" -c "DROP DATABASE IF EXISTS $database WITH (FORCE)"
    rm -rf "$here"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# check NAME COMMAND...: one line that says whether the command succeeded.
check() {
    name=$1
    shift
    if "$@"; then
        echo "$name ... ok"
    else
        echo "$name ... FAIL"
        cat "$here/err"
        failures=$((failures + 1))
    fi
}

# wait_for COMMAND...: until it succeeds; fails if it has not after very long.
wait_for() {
    waited=0
    until "$@"; do
        [ "$waited" -lt 600 ] || return 1
        waited=$((waited + 1))
        sleep 0.1
    done
}

quickstart() {
    (cd "$here" && TMPDIR=$here/tmp sh "$script" "$@" >"$here/out" 2>"$here/err")
    status=$?
}

nothing_left() {
    [ -z "$(ls -A "$here/tmp")" ] && [ -z "$(pgrep -f "$here/tmp")" ]
}

# The document's example, in the field order of E3.
answers() {
    times='"created_at":[0-9]*,"updated_at":[0-9]*'
    attributes='"custom_attributes":{[^{}]*}'
    [ "$status" -eq 0 ] && [ "$(wc -l <"$here/out")" -eq 1 ] && grep -qx \
        '{"message":"Success","data":\[{"id":"contact_1","external_id":"user_8821",'`
        `'"name":"Sam Rivera","email":"sam@acme.com","phonenumber":null,'`
        `"\"stripe_accounts\":\\[\\],$attributes,$times}\\]}" "$here/out"
}

quickstart
check 'the document'\''s request is answered' answers
check 'no tool of the script complains' test "$(grep -c '^[a-z]*: ' "$here/err")" -eq 0
check 'it leaves nothing behind' nothing_left

store="sqlite:$here/a file.db"
quickstart --store "$store"
check '--store: an SQLite file, new' answers
cp "$here/out" "$here/first"
sleep 1
quickstart "--store=$store"
check '--store: an SQLite file, known' answers
check 'E5: the second answer is the first' cmp -s "$here/out" "$here/first"
check '--store: it leaves nothing else behind' nothing_left

quickstart --store postgresql://user@127.0.0.1:1/none
check '--store: no such server is a failure' test "$status" -ne 0 -a ! -s "$here/out"
quickstart --store postgresql:
check '--store: a wrong URI is a failure' test "$status" -ne 0 -a ! -s "$here/out"
check 'a failure leaves nothing behind' nothing_left
for words in --unknown --store; do
    quickstart "$words"
    check "$words is a wrong command line" test "$status" -eq 2
done

# A server that waits for a lock when the signal comes; by a name that no other run of this has.
locked=locked-$$.db
python3 - "$here/$locked" <<'PYTHON' &
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
open(sys.argv[1] + ".is-locked", "w").close()
time.sleep(600)
PYTHON
locker=$!
wait_for test -e "$here/$locked.is-locked"
(cd "$here" && TMPDIR=$here/tmp exec sh "$script" --store "sqlite:$locked" >out 2>err) &
interrupted=$!
wait_for pgrep -f "sqlite:$locked serve" >/dev/null
kill -TERM "$interrupted"
wait "$interrupted"
check 'SIGTERM ends it' test $? -eq 143
check 'SIGTERM leaves nothing behind' nothing_left
check 'SIGTERM ends the server' test -z "$(pgrep -f "sqlite:$locked serve")"
kill "$locker"
wait "$locker" 2>/dev/null

if [ -n "${BB_TEST_POSTGRES:-}" ]; then
    database=bb_quickstart_$$
    psql -X -q "$BB_TEST_POSTGRES" -c "CREATE DATABASE $database"
    # The last path segment of the URI is the database.
    quickstart --store "$(echo "$BB_TEST_POSTGRES" | sed "s|/[^/?]*\\(?.*\\)\\{0,1\\}\$|/$database\\1|")"
    check '--store: PostgreSQL' answers
else
    echo '--store: PostgreSQL ... skipped: BB_TEST_POSTGRES is not set'
fi

quickstart --keep
check '--keep: the request is answered' answers
url=$(sed -n 's|^ *curl \(http://[^/]*\)/.*|\1|p' "$here/err")
key=$(sed -n 's/^ *export BOOKBAG_API_KEY=//p' "$here/err")
server_pid=$(sed -n 's/^ *kill \([0-9]*\) .*/\1/p' "$here/err")
stop=$(sed -n 's/^ *\(kill [0-9]* .*\)/\1/p' "$here/err")
check '--keep: the server goes on' test "$(curl -sS "$url/healthz")" = '{"status":"ok"}'
example=$(sed -n '/^ *curl /,/^$/p' "$here/err")
BOOKBAG_API_KEY=$key sh -c "$example" >"$here/out" 2>>"$here/err"
check '--keep: its example works' grep -q '"message":"Success".*"name":"Ada"' "$here/out"
check '--keep: its way to stop works' sh -c "$stop"
check '--keep: and leaves nothing behind' wait_for nothing_left

[ "$failures" -eq 0 ]
