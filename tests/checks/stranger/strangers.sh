# Strangers who find the library and link it to a program, which then serves a request; to be sourced
# by a POSIX shell script that has set $strangers to this file's folder and $work to one of its own.
# Whatever fails ends the script.

# shellcheck shell=sh
# shellcheck disable=SC2154 # the folders are the script's

fail() {
    echo "$0: $*" >&2
    exit 1
}

# Runs a command, and shows what it said only if it fails.
quietly() {
    "$@" >"$work/log" 2>&1 || {
        cat "$work/log" >&2
        fail "failed: $*"
    }
}

# serve PROGRAM shared|static: runs it, and checks how the library is linked to it.
serve() {
    rm -f "$work"/contacts.db*
    "$1" "sqlite:$work/contacts.db" >"$work/answer" || fail "$1 did not serve the request"
    grep -q '^{"message":"Success","data":\[{"id":"contact_1","external_id":"user_8821"' \
        "$work/answer" || fail "$1 answered $(cat "$work/answer")"
    linked=static
    ! readelf -d "$1" | grep -q 'NEEDED.*libbb_contacts' || linked=shared
    [ "$linked" = "$2" ] || fail "$1 is $linked, not $2"
    echo "${1#"$work/"} serves a request, $2"
}

# alone PROGRAM: prints the libraries of a program that uses SQLite only. libpq is none of them, which
# would bring many more.
alone() {
    ldd "$1" >"$work/ldd" || fail "ldd $1"
    sed "s|$work/||; s| (0x.*||" "$work/ldd"
    ! grep -E 'libpq|not found' "$work/ldd" || fail "$1 needs more than it uses"
}

# refused_by_postgres PROGRAM PATTERN: why it serves nothing where there is no PostgreSQL server.
refused_by_postgres() {
    ! "$1" 'postgresql:///?host=/nowhere' 2>"$work/refusal" || fail "$1 serves without a server"
    grep "$2" "$work/refusal" || fail "$1 says $(cat "$work/refusal")"
}

# by_cmake NAME OPTION...: configures a stranger's project in $work/NAME.
by_cmake() {
    name=$1
    shift
    quietly cmake -S "$strangers" -B "$work/$name" -DCMAKE_BUILD_TYPE=Debug "$@"
}

# serve_built NAME TARGET shared|static
serve_built() {
    quietly cmake --build "$work/$1" --parallel 2 --target "$2"
    serve "$work/$1/$2" "$3"
}

# by_pkg_config NAME shared|static OPTION...: compiles $work/NAME with what pkg-config says.
by_pkg_config() {
    name=$1
    linked=$2
    shift 2
    flags=$(pkg-config --cflags --libs "$@") || fail "pkg-config $*"
    # shellcheck disable=SC2086 # flags are meant to be split
    quietly cc -std=c11 -Wall -Wextra -Werror "$strangers/stranger.c" -o "$work/$name" $flags \
        -Wl,-rpath,"$(pkg-config --variable=libdir bb_contacts)"
    serve "$work/$name" "$linked"
}
