#!/bin/sh
# Starts and stops a temporary PostgreSQL for tests, on a Unix socket of its own:
#
#     uri=$(sh tests/postgres.sh start DIR)    makes DIR, starts a server in it, prints its URI
#     sh tests/postgres.sh stop DIR            stops that server and removes DIR
#
# The server keeps what it acknowledges (fsync and synchronous_commit stay on). It sorts text by
# ICU's English rules, which are not byte order, so that a query that relies on the database's own
# order fails here and not at a user's. `initdb` refuses to run as root: started by root, the server
# runs as the user postgres, or else nobody. DIR should be short, for a socket's path has room for
# 107 bytes. BB_PG_BINDIR names the folder of initdb and pg_ctl if it can't be guessed, and
# BB_PG_MAX_WAL sets max_wal_size where there is less room than a benchmark wants.
set -eu

fail() {
    printf 'postgres.sh: %s\n' "$*" >&2
    exit 1
}

usage() {
    sed -n '2,6p' "$0" >&2
    exit 2
}

# The folder with initdb and pg_ctl: Debian keeps them off the PATH.
find_bindir() {
    if [ -n "${BB_PG_BINDIR:-}" ]; then
        echo "$BB_PG_BINDIR"
        return
    fi
    bindir=$(pg_config --bindir 2>/dev/null || true)
    if [ -n "$bindir" ] && [ -x "$bindir/initdb" ]; then
        echo "$bindir"
        return
    fi
    command -v initdb >/dev/null || fail 'no initdb found; set BB_PG_BINDIR'
    dirname "$(command -v initdb)"
}

# Runs a command as the user that owns the server.
as_owner() {
    if [ "$owner" = "$(id -un)" ]; then
        "$@"
    else
        runuser -u "$owner" -- "$@"
    fi
}

start() {
    dir=$1
    if [ "$(id -u)" -ne 0 ]; then
        owner=$(id -un)
    elif id postgres >/dev/null 2>&1; then
        owner=postgres
    else
        owner=nobody
    fi
    bindir=$(find_bindir)
    mkdir "$dir" || fail "cannot make $dir"
    dir=$(cd "$dir" && pwd)
    chown "$owner" "$dir"
    chmod 700 "$dir"
    cd "$dir"
    as_owner "$bindir/initdb" --pgdata="$dir/data" --username=bb_test --auth=trust --no-sync \
        --encoding=UTF8 --locale=C.UTF-8 --locale-provider=icu --icu-locale=en \
        >"$dir/initdb.log" 2>&1 || {
        cat "$dir/initdb.log" >&2
        fail 'initdb failed'
    }
    as_owner sh -c 'cat >>"$1"' sh "$dir/data/postgresql.conf" <<CONF
listen_addresses = ''
unix_socket_directories = '$dir'
max_connections = 200
max_wal_size = ${BB_PG_MAX_WAL:-4GB}
log_min_messages = warning
CONF
    as_owner "$bindir/pg_ctl" --pgdata="$dir/data" --log="$dir/server.log" --timeout=300 --wait \
        start >"$dir/start.log" 2>&1 || {
        cat "$dir/start.log" "$dir/server.log" >&2
        fail 'the server did not start'
    }
    echo "postgresql://bb_test@/postgres?host=$dir"
}

stop() {
    dir=$1
    [ -d "$dir/data" ] || fail "no server was started in $dir"
    owner=$(stat -c %U "$dir")
    bindir=$(find_bindir)
    cd "$dir"
    if [ -f data/postmaster.pid ]; then
        as_owner "$bindir/pg_ctl" --pgdata="$dir/data" --mode=immediate --timeout=300 --wait stop \
            >/dev/null || fail 'the server did not stop'
    fi
    cd /
    rm -rf "$dir"
}

[ $# -eq 2 ] || usage
case $1 in
start) start "$2" ;;
stop) stop "$2" ;;
*) usage ;;
esac
