#!/bin/sh
# Runs the benchmarks and writes their tables in Markdown: `sh tests/bench/run.sh`.
#
# Installs what is missing (as root, or with sudo), builds with -O3 in build/bench, starts a
# PostgreSQL of its own, and removes what it made however it ends; what npm installs for the peer
# stays in the build folder. Takes about a quarter of an hour; best on a machine that is idle.
#
#     --only PARTS     some of core,sqlite,postgres,many,http (several with commas between them)
#     --short          a few seconds each: shows that they work, not how fast anything is
#     --output FILE    where the tables go; otherwise to standard output
set -eu

parts=core,sqlite,postgres,many,http
short=
output=
while [ $# -gt 0 ]; do
    case $1 in
    --only | --output)
        [ $# -ge 2 ] || { echo "run.sh: $1 needs a value" >&2; exit 2; }
        [ "$1" = --only ] && parts=$2 || output=$2
        shift
        ;;
    --short) short=yes ;;
    -h | --help)
        sed -n '2,11p' "$0" | sed 's/^# \{0,1\}//'
        exit 0
        ;;
    *)
        echo "run.sh: unknown option $1; try --help" >&2
        exit 2
        ;;
    esac
    shift
done

[ -z "$output" ] || output=$(cd "$(dirname "$output")" && pwd)/$(basename "$output")
cd "$(dirname "$0")/../.."
root=$(pwd)
build=$root/build/bench
peer=$build/peers/fastify
# The shortest folder that will do, for the socket's path; any user may look for the server in it.
work=$(mktemp -d "${TMPDIR:-/tmp}/bb.XXXXXX")
chmod 755 "$work"
: >"$work/report"

cleanup() {
    status=$?
    trap - EXIT INT TERM HUP
    cd "$root"
    if [ -d "$work/pg" ]; then
        sh tests/postgres.sh stop "$work/pg" || status=1
    fi
    rm -rf "$work"
    exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

wants() {
    case ,$parts, in
    *,"$1",*) return 0 ;;
    *) return 1 ;;
    esac
}

# quietly TITLE COMMAND...: says on standard error what is being done; shows what it said if it fails.
quietly() {
    echo "$1" >&2
    shift
    "$@" >"$work/log" 2>&1 || {
        cat "$work/log" >&2
        exit 1
    }
}

# part TITLE COMMAND...: a section of the report.
part() {
    echo "measuring: $1" >&2
    printf '\n### %s\n\n' "$1" >>"$work/report"
    shift
    "$@" >>"$work/report"
}

install_packages() {
    . cmake/debian-packages.sh
    need_packages build server postgres bench
    if wants http; then
        need_packages node
    fi
}

build_all() {
    cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release
    cmake --build "$build"
}

install_peer() {
    mkdir -p "$peer"
    cp tests/bench/peers/fastify/package.json tests/bench/peers/fastify/server.mjs "$peer"
    (cd "$peer" && npm install --no-package-lock --no-audit --no-fund)
}

start_postgres() {
    sh tests/postgres.sh start "$work/pg" >"$work/uri"
}

version_of() {
    "$@" 2>&1 | grep -oE '[0-9]+\.[0-9]+(\.[0-9]+)?' | head -n 1
}

describe_machine() {
    cpu=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)
    printf '%s, %s processors, Linux %s; files on %s, PostgreSQL on %s; load average before: %s.\n' \
        "${cpu:-an unknown processor}" "$(nproc)" "$(uname -r | grep -oE '^[0-9.]+')" \
        "$(stat -f -c %T "$build")" "$(stat -f -c %T "$work")" "$(cut -d ' ' -f 1-3 /proc/loadavg)"
    printf 'gcc %s, cJSON %s, SQLite %s, libpq %s, PostgreSQL %s' "$(version_of gcc -dumpfullversion)" \
        "$(pkg-config --modversion libcjson)" "$(pkg-config --modversion sqlite3)" \
        "$(pkg-config --modversion libpq)" "$(psql -XAtc 'SHOW server_version' "$BB_TEST_POSTGRES" |
            cut -d ' ' -f 1)"
    if wants http; then
        printf ', Node %s, Fastify %s, node-postgres %s, wrk %s' "$(version_of node --version)" \
            "$(version_of cat "$peer/node_modules/fastify/package.json")" \
            "$(version_of cat "$peer/node_modules/pg/package.json")" "$(version_of wrk --version)"
    fi
    printf '.\n'
}

bench_http() {
    set -- "$@" --server "bb-contacts-server=$build/examples/server/bb-contacts-server \
        --store {database} serve --demo --listen 127.0.0.1:{port}"
    if [ -x "$build/examples/libuv/bb-contacts-uv" ]; then
        set -- "$@" --server "bb-contacts-uv=$build/examples/libuv/bb-contacts-uv \
            --store {database} --demo --listen 127.0.0.1:{port}"
    fi
    python3 -B tests/bench/bench_http.py "$@" --peer "Fastify=node $peer/server.mjs"
}

quietly 'installing what is missing' install_packages
quietly 'building' build_all
if wants http; then
    quietly 'installing the peer' install_peer
fi
quietly 'starting PostgreSQL' start_postgres
BB_TEST_POSTGRES=$(cat "$work/uri")
export BB_TEST_POSTGRES
describe_machine >>"$work/report"

bench=$build/tests/bench
cd "$build"
if wants core; then
    part 'The core, beside cJSON parsing the same body' "$bench/bench_core" ${short:+--rounds 11}
fi
if wants sqlite; then
    part 'SQLite, beside bare loops' "$bench/bench_sqlite" ${short:+--rounds 11}
fi
if wants postgres; then
    part 'PostgreSQL, beside a bare loop' "$bench/bench_postgres" ${short:+--rounds 11}
fi
if wants many; then
    part 'One contact per request on PostgreSQL, beside pgbench' "$bench/bench_many" \
        ${short:+--rounds 2 --seconds 3}
fi
cd "$root"
if wants http; then
    part 'Through HTTP, beside Fastify' bench_http ${short:+--rounds 2 --seconds 1}
fi

if [ -n "$output" ]; then
    cp "$work/report" "$output"
else
    cat "$work/report"
fi
