#!/bin/sh
# Whether the shared library BB_LIBRARY exports every function of the public headers and nothing else,
# each with the version that lib/bb_contacts.map gives it, and whether that file lists no others. Run
# at the top of the source tree.
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

# What the headers declare, by their own mark.
sed -n 's/^BB_API .*[ *]\(bb_[a-z0-9_]*\)(.*/\1/p' include/bb_contacts/*.h | sort >"$work/declared"
[ -s "$work/declared" ] || { echo 'no declarations found' >&2; exit 1; }

# NAME@@VERSION, in the file by the block that a name is in; A marks the versions themselves.
awk '/^BB_CONTACTS_.* \{$/ { version = $1 }
    /^ *bb_[a-z0-9_]*;$/ { gsub(/[ ;]/, ""); print $0 "@@" version }' lib/bb_contacts.map |
    sort >"$work/listed"
nm -D --defined-only --with-symbol-versions "$BB_LIBRARY" |
    awk '$2 != "A" || $3 !~ /^BB_CONTACTS_/ { print $3 }' | sort >"$work/exported"

sed 's/@@.*//' "$work/listed" | sort >"$work/names"
differ "$work/declared" "$work/names" 'in the headers or in lib/bb_contacts.map alone'
differ "$work/listed" "$work/exported" 'in lib/bb_contacts.map or in the library alone'
cat "$work/exported"
