#!/bin/sh
# Builds the library with each subset of backends, and checks that a program which links it can open
# those and no others. Run at the top of the source tree.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for memory in ON OFF; do
    for sqlite in ON OFF; do
        for postgres in ON OFF; do
            cmake -S . -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS=-O0 \
                -DBB_BUILD_TESTS=OFF -DBB_BUILD_EXAMPLES=OFF -DBB_BUILD_DOCS=OFF -DBB_WARNINGS_AS_ERRORS=ON \
                -DBB_WITH_MEMORY=$memory -DBB_WITH_SQLITE=$sqlite -DBB_WITH_POSTGRES=$postgres \
                >"$work/log" 2>&1 && cmake --build "$work/build" >>"$work/log" 2>&1 || {
                cat "$work/log" >&2
                exit 1
            }
            gcc -std=c11 -Iinclude tests/checks/backends.c -o "$work/backends" \
                -L"$work/build/lib" -lbb_contacts
            LD_LIBRARY_PATH=$work/build/lib "$work/backends" "$work/contacts.db" >"$work/found"
            printf 'memory %s\nsqlite %s\npostgres %s\n' $memory $sqlite $postgres >"$work/wanted"
            cmp "$work/wanted" "$work/found"
            tr '\n' ' ' <"$work/found"
            echo
        done
    done
done
