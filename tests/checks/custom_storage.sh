#!/bin/sh
# Installs what BB_BUILD_DIR has built, and has the author of a backend use it: examples/custom_storage,
# found by CMake and by pkg-config, shared and static, and checked by the conformance kit. Run at the
# top of the source tree.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
strangers=$PWD/tests/checks/stranger
. "$strangers/strangers.sh"

# The example is on its own, with nothing of the library but what was installed.
unset PKG_CONFIG_PATH CMAKE_PREFIX_PATH LD_LIBRARY_PATH
cp -r examples/custom_storage "$work/source"
quietly cmake --install "$BB_BUILD_DIR" --prefix "$work/prefix"
cd "$work"
PKG_CONFIG_PATH=$(dirname "$(find "$work/prefix" -name bb_contacts.pc)")
export PKG_CONFIG_PATH
requests=$(pkg-config --variable=requests bb_contacts-conformance)
[ -f "$requests/README.md" ] && [ -f "$requests/../contract.md" ] ||
    fail 'the request files or the contract are not there'

# A program that calls the kit alone names no other library of the prefix to the loader.
kit_library=$(find "$work/prefix" -name 'libbb_contacts_conformance.so.?')
! ldd "$kit_library" | grep 'not found' || fail 'the kit does not find the library beside it'

# expect_tap CASES PROGRAM ARGUMENT...: it prints TAP, has at least so many cases, and none fails.
expect_tap() {
    least=$1
    shift
    "$@" >"$work/tap" || {
        cat "$work/tap" >&2
        fail "failed: $*"
    }
    [ "$(head -n 1 "$work/tap")" = 'TAP version 13' ] || fail "$1 prints no TAP"
    ! grep '^not ok' "$work/tap" || fail "$1 fails"
    cases=$(grep -c '^ok ' "$work/tap")
    [ "$(tail -n 1 "$work/tap")" = "1..$cases" ] || fail "the plan is not 1..$cases"
    [ "$cases" -ge "$least" ] || fail "$1 runs $cases cases alone"
    echo "${1#"$work/"}: $cases cases, $(grep -c '# SKIP' "$work/tap" || :) skipped"
}

quietly cmake -S source -B by_cmake -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_BUILD_TYPE=Debug \
    -DCMAKE_C_FLAGS='-Werror -fsanitize=address,undefined -fno-sanitize-recover=all'
quietly cmake --build by_cmake --parallel 2
quietly ctest --test-dir by_cmake --output-on-failure
expect_tap 100 "$work/by_cmake/kit" --requests "$requests"
! grep -v '^ok [0-9]* - [ACE]' tap | grep '# SKIP' || fail 'cases of these rules are skipped'
expect_tap 1 "$work/by_cmake/kit" 'byte by byte'

# usage and the exit statuses
for arguments in '--threads 0' '--nonsense 1' 'no_such_case' '--requests /nowhere'; do
    status=0
    # shellcheck disable=SC2086 # words are meant to be split
    "$work/by_cmake/kit" $arguments >"$work/log" 2>&1 || status=$?
    [ $status -eq 2 ] || fail "kit $arguments: exit status $status"
done

# by_kit_of NAME shared|static MODULE
by_kit_of() {
    # shellcheck disable=SC2046 # flags are meant to be split
    quietly cc -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror source/access.c source/kit.c \
        source/lmdb_storage.c source/rows.c source/store.c source/write.c -o "$work/$1" \
        $(pkg-config --cflags --libs "$3" lmdb libsodium) \
        -Wl,-rpath,"$(pkg-config --variable=libdir bb_contacts)"
    linked=static
    ! readelf -d "$work/$1" | grep -q 'NEEDED.*libbb_contacts_conformance' || linked=shared
    [ $linked = "$2" ] || fail "$1 is $linked, not $2"
    expect_tap 50 "$work/$1" --threads 4 --writes 20
}
by_kit_of pkg-config shared bb_contacts-conformance
by_kit_of pkg-config-static static bb_contacts-conformance-static

# Without the kit, CMake says what is missing.
quietly cmake --install "$BB_BUILD_DIR" --prefix "$work/without" --component development
quietly cmake --install "$BB_BUILD_DIR" --prefix "$work/without" --component runtime
! cmake -S source -B refused -DCMAKE_PREFIX_PATH="$work/without" >"$work/log" 2>&1 ||
    fail 'found the kit where it is not'
tr -s '\n ' ' ' <"$work/log" | grep -q "built without the component 'conformance'" || {
    cat "$work/log" >&2
    fail 'does not say that there is no kit'
}
