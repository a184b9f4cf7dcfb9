#!/bin/sh
# Builds the library in four ways and runs every test on them: `sh tests/run.sh`.
#
# From a fresh clone on Debian 12 it installs what is missing (as root, or with sudo), builds with
# gcc, with clang, with AddressSanitizer and UndefinedBehaviorSanitizer, and with ThreadSanitizer,
# each in build/NAME with warnings as errors, and starts a PostgreSQL of its own, which it stops
# again however it ends. The first failing step stops it with that step's full output. The last
# step is the whole test list on the gcc build, with ctest's own summary.
#
#     --only FUNCTION  runs test functions alone, in C or Python, and builds only what they need, with
#                      gcc: FUNCTION begins with test_, and has * and ? as in a shell
#     --only PATTERN   runs only ctest's tests whose names match, a regular expression, on each build
#     --long           gives the tests that search at random much more time
#     --coverage       instead: what of lib/ the tests run, by line and branch (tests/coverage.py)
#     --valgrind       instead: all tests that are programs of C, in valgrind, with less to do
#     --packages       instead: makes Debian packages, and uses them in a Debian 12 that it downloads
#
# Stores lie in memory, where a sync costs nothing, if /dev/shm has 2 GiB to spare; not if TMPDIR is
# set.
set -eu

only=
instead=
while [ $# -gt 0 ]; do
    case $1 in
    --only)
        [ $# -ge 2 ] || { echo 'run.sh: --only needs a name' >&2; exit 2; }
        only=$2
        shift
        ;;
    --long) export BB_TEST_LONG=1 ;;
    --coverage) instead=coverage ;;
    --valgrind) instead=valgrind ;;
    --packages) instead=packages ;;
    -h | --help)
        sed -n '2,19p' "$0" | sed 's/^# \{0,1\}//'
        exit 0
        ;;
    *)
        echo "run.sh: unknown option $1; try --help" >&2
        exit 2
        ;;
    esac
    shift
done

cd "$(dirname "$0")/.."
# Whether there is room in memory, for files that can be run too.
has_room_in_memory() {
    [ -w /dev/shm ] || return 1
    [ "$(df -Pk /dev/shm | awk 'NR == 2 { print $4 }')" -ge 2097152 ] || return 1
    probe=$(mktemp /dev/shm/bb.XXXXXX) || return 1
    printf '#!/bin/sh\n' >"$probe"
    chmod 700 "$probe"
    ran=0
    "$probe" 2>/dev/null || ran=1
    rm -f "$probe"
    return $ran
}

if [ -z "${TMPDIR:-}" ] && has_room_in_memory; then
    export TMPDIR=/dev/shm
fi
# The shortest folder that will do, for the socket's path; any user may look for the server in it.
work=$(mktemp -d "${TMPDIR:-/tmp}/bb.XXXXXX")
chmod 755 "$work"

child=
cleanup() {
    status=$?
    trap - EXIT INT TERM HUP
    if [ -n "$child" ]; then
        kill "$child" 2>/dev/null || true
        wait "$child" || true
    fi
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

# Runs a command in the background and waits for it, so that a signal ends the script at once. What
# runs long below takes its shell's place by `exec`, so that cleanup() reaches it.
attend() {
    "$@" &
    child=$!
    wait "$child" || {
        child=
        return 1
    }
    child=
}

# step TITLE COMMAND...: runs it quietly; prints one line with its time, or all of its output.
step() {
    title=$1
    shift
    start=$(date +%s)
    printf '%-58s ' "$title"
    if attend "$@" >"$work/log" 2>&1; then
        printf 'ok   %4d s\n' $(($(date +%s) - start))
    else
        printf 'FAILED\n'
        cat "$work/log"
        exit 1
    fi
}

packages() {
    . cmake/debian-packages.sh
    need_packages build server postgres test lint "$@"
}

build() {
    cmake --preset "$1" && exec cmake --build --preset "$1"
}

# Its log is to fit into the room that was asked for, beside everything else.
start_postgres() {
    export BB_PG_MAX_WAL=512MB
    sh tests/postgres.sh start "$work/pg" >"$work/uri"
}

run_tests() {
    if [ -n "$only" ]; then
        exec ctest --preset "$1" --tests-regex "$only" --no-tests=ignore
    else
        exec ctest --preset "$1"
    fi
}

use_postgres() {
    step 'start PostgreSQL' start_postgres
    BB_TEST_POSTGRES=$(cat "$work/uri")
    export BB_TEST_POSTGRES
}

# run_functions PRESET: those that --only names.
run_functions() {
    step "configure for $1" cmake --preset "$1"
    python3 tests/only.py "build/$1" "$only" >"$work/only" || exit 1
    {
        read -r targets
        read -r tests
        read -r need_postgres || :
    } <"$work/only"
    # shellcheck disable=SC2086 # one word each
    step 'build what they need' cmake --build --preset "$1" --target $targets
    [ -z "$need_postgres" ] || use_postgres
    export BB_TEST_ONLY="$only"
    attend ctest --preset "$1" --tests-regex "$tests"
}

# Whether ctest has such tests: each build may have none, but not all of them.
check_pattern() {
    [ -n "$only" ] || return 0
    step "configure for $1" cmake --preset "$1"
    if ctest --preset "$1" --show-only --tests-regex "$only" | grep -q '^Total Tests: 0$'; then
        echo "run.sh: no name of ctest's matches $only; a function's begins with test_" >&2
        exit 1
    fi
}

step 'install what is missing' packages ${instead#coverage}
case $instead,$only in
coverage,test_*)
    echo 'run.sh: --coverage is of whole tests' >&2
    exit 2
    ;;
packages,*)
    attend sh tests/checks/debs.sh
    exit
    ;;
*,test_*)
    run_functions "${instead:-gcc}"
    exit
    ;;
esac
check_pattern "${instead:-gcc}"

if [ -n "$instead" ]; then
    step "build for $instead" build "$instead"
    use_postgres
    if [ "$instead" = valgrind ]; then
        attend run_tests valgrind
    else
        find build/coverage -name '*.gcda' -exec rm -f {} +
        step 'test the build that counts' run_tests coverage
        python3 tests/coverage.py build/coverage
    fi
    exit
fi

step 'build with gcc' build gcc
step 'build with clang' build clang
step 'build with AddressSanitizer and UBSan' build asan
step 'build with ThreadSanitizer' build tsan
use_postgres
step 'test the ThreadSanitizer build' run_tests tsan
step 'test the AddressSanitizer and UBSan build' run_tests asan
step 'test the clang build' run_tests clang
echo 'test the gcc build, its package and the source'
attend run_tests gcc
