#!/bin/sh
# Runs a command with BB_TEST_POSTGRES naming a PgBouncer of its own in front of that server:
#
#     sh tests/postgres/pgbouncer.sh COMMAND...
#
# The pooler is in transaction mode, or in the one that BB_POOL_MODE names, with four server
# connections for each database. Exits with the command's status, or 77 (skipped) if
# BB_TEST_POSTGRES is not set. A pooler that fails or has no more places for clients is a failure.
set -eu

[ -n "${BB_TEST_POSTGRES:-}" ] || {
    echo 'SKIPPED: BB_TEST_POSTGRES names no server; see tests/postgres.sh'
    exit 77
}
PATH=$PATH:/usr/sbin
command -v pgbouncer >/dev/null || {
    echo 'SKIPPED: there is no pgbouncer'
    exit 77
}
dir=$(mktemp -d "${TMPDIR:-/tmp}/bb.XXXXXX")
pid=

cleanup() {
    status=$?
    trap - EXIT INT TERM HUP
    if [ -n "$pid" ]; then
        kill "$pid" 2>/dev/null || true
        wait "$pid" || true
    fi
    if [ "$status" -ne 0 ] && [ -f "$dir/log" ]; then
        tail -n 30 "$dir/log" >&2
    fi
    rm -rf "$dir"
    exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# part NAME: that part of the server's URI, as libpq's parser would say (user, host, port, dbname).
part() {
    python3 -c '
import sys, urllib.parse as p
uri = p.urlsplit(sys.argv[1])
query = dict(p.parse_qsl(uri.query))
print({"user": uri.username or query.get("user", ""),
       "host": query.get("host", uri.hostname or ""),
       "port": query.get("port", str(uri.port or 5432)),
       "dbname": uri.path[1:] or query.get("dbname", "postgres")}[sys.argv[2]])' \
        "$BB_TEST_POSTGRES" "$1"
}

# pgbouncer refuses to run as root.
if [ "$(id -u)" -ne 0 ]; then
    as_owner=
elif id postgres >/dev/null 2>&1; then
    chown postgres "$dir"
    as_owner='runuser -u postgres --'
else
    chown nobody "$dir"
    as_owner='runuser -u nobody --'
fi
chmod 755 "$dir"
cat >"$dir/pgbouncer.ini" <<INI
[databases]
* = host=$(part host) port=$(part port) user=$(part user)
[pgbouncer]
listen_addr =
unix_socket_dir = $dir
listen_port = 6432
auth_type = any
pool_mode = ${BB_POOL_MODE:-transaction}
default_pool_size = ${BB_POOL_SIZE:-4}
max_client_conn = 1000
server_idle_timeout = 5
logfile = $dir/log
INI
chmod 644 "$dir/pgbouncer.ini"
$as_owner pgbouncer -q "$dir/pgbouncer.ini" >/dev/null 2>&1 &
pid=$!
for _ in $(seq 600); do
    [ -S "$dir/.s.PGSQL.6432" ] && break
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
done
[ -S "$dir/.s.PGSQL.6432" ] || {
    echo 'pgbouncer.sh: it did not start' >&2
    exit 1
}
BB_TEST_POSTGRES="postgresql://$(part user)@/$(part dbname)?host=$dir&port=6432"
export BB_TEST_POSTGRES
"$@"
if grep -E 'FATAL|no more connections' "$dir/log"; then
    exit 1
fi
