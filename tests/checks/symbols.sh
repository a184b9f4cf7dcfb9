#!/bin/sh
# Whether the shared libraries BB_LIBRARY and BB_CONFORMANCE export every function of their headers and
# nothing else, each with the version that their .map file gives it, and whether those list no others;
# and that the static kit BB_CONFORMANCE_STATIC has no other names that a program could meet. Run at
# the top of the source tree. The library is built with all backends.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# differ FILE FILE WORDS: fails with the names that are in one of them alone.
differ() {
    cmp -s "$1" "$2" || {
        printf '%s:\n' "$3" >&2
        sort "$1" "$2" | uniq -u >&2
        exit 1
    }
}

# check LIBRARY MAP HEADER...: NAME@@VERSION, in the map by the block that a name is in; nm's A marks
# the versions themselves.
check() {
    library=$1
    map=$2
    shift 2
    # What the headers declare, by their own mark.
    sed -n 's/^BB_API .*[ *]\(bb_[a-z0-9_]*\)(.*/\1/p' "$@" | sort >"$work/declared"
    [ -s "$work/declared" ] || { echo 'no declarations found' >&2; exit 1; }
    awk '/^BB_[A-Z_]*_[0-9]+ \{$/ { version = $1 }
        /^ *bb_[a-z0-9_]*;$/ { gsub(/[ ;]/, ""); print $0 "@@" version }' "$map" |
        sort >"$work/listed"
    nm -D --defined-only --with-symbol-versions "$library" |
        awk '$2 != "A" || $3 !~ /^BB_CONTACTS_/ { print $3 }' | sort >"$work/exported"
    sed 's/@@.*//' "$work/listed" | sort >"$work/names"
    differ "$work/declared" "$work/names" "in the headers or in $map alone"
    differ "$work/listed" "$work/exported" "in $map or in the library alone"
    cat "$work/exported"
}

check "$BB_LIBRARY" lib/bb_contacts.map include/bb_contacts/bb_contacts.h \
    include/bb_contacts/backends.h include/bb_contacts/storage.h
check "$BB_CONFORMANCE" tests/conformance/bb_contacts_conformance.map include/bb_contacts/conformance.h
nm -g --defined-only "$BB_CONFORMANCE_STATIC" | awk 'NF == 3 { print $3 }' | sort >"$work/static"
differ "$work/names" "$work/static" 'in the kit, shared or static, alone'

# The PostgreSQL backend is a library of its own, which exports one name and needs none of these.
postgres=$(dirname "$BB_LIBRARY")/libbb_contacts_postgres.so.0
nm -D --with-symbol-versions "$postgres" | awk '/ bb_/ { print $NF }' >"$work/own"
echo bb_contacts_postgres@@BB_CONTACTS_POSTGRES_0 >"$work/wanted"
differ "$work/own" "$work/wanted" 'in the PostgreSQL library, or missing there'
if readelf -d "$BB_LIBRARY" | grep 'NEEDED.*libpq' >&2; then
    exit 1
fi
