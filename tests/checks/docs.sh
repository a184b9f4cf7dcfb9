#!/bin/sh
# Builds the reference in BB_BUILD_DIR. Whether each function and type of the public headers has a
# manual page that is well formed and complete, whether the server's says what its --help says, and
# whether what has no comment stops the build. Run at the top of the source tree.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export MANPATH="$BB_BUILD_DIR/cmake/doc/man" MANWIDTH=80 LC_ALL=C.UTF-8 MAN_KEEP_FORMATTING=

fail() {
    echo "docs.sh: $*" >&2
    exit 1
}

cmake --build "$BB_BUILD_DIR" --target docs >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    fail 'the reference was not built'
}

# page NAME SECTION: what a reader sees, with the sections that it must have.
page() {
    name=$1
    man "$2" "$name" >"$work/page" 2>"$work/warnings" || fail "no page for $name"
    [ ! -s "$work/warnings" ] || fail "$name: $(cat "$work/warnings")"
    shift 2
    for section in NAME SYNOPSIS DESCRIPTION 'SEE ALSO' "$@"; do
        grep -qx "$section" "$work/page" || fail "$name has no $section"
    done
}

# What the compiler sees of the headers.
(cd include && printf '#include "%s"\n' bb_contacts/*.h) | gcc -E -P -Iinclude - |
    tr '\n' ' ' | sed 's/;/;\n/g' >"$work/code"

functions=$(sed -n 's/^    \(bb_[a-z0-9_]*\);$/\1/p' lib/bb_contacts.map)
for function in $functions; do
    page "$function" 3
    grep -q '^ *#include <bb_contacts/[a-z_]*\.h>$' "$work/page" || fail "$function has no #include"
    grep -q "$function(" "$work/page" || fail "$function has no prototype"
    if ! grep -q "void $function(" "$work/code"; then
        grep -qx 'RETURN VALUE' "$work/page" || fail "$function has no RETURN VALUE"
    fi
done
types=$(grep -oE '\} bb_\w+;|\(\*bb_\w+_fn\)|struct bb_\w+ bb_\w+;' "$work/code" |
    grep -oE 'bb_[a-z0-9_]+[;)]' | tr -d ';)')
inits=$(grep -oE 'void bb_[a-z_]+_init\(' "$work/code" | grep -oE 'bb_\w+')
for name in $types $inits libbb_contacts; do
    page "$name" 3
done
echo "$(echo "$functions" | wc -l) functions, $(echo "$types" | wc -l) types"

# The members of enums that the compiler sees, with their values; not those without an enum's name.
members=$(grep -vE '^ *enum \{' "$work/code" | grep -oE '\bBB_[A-Z_]+ = \(?[0-9]+' | tr -d '(')
[ -n "$members" ] || fail 'no members of enums'
for enum in $(grep -oE 'typedef enum \w+' "$work/code" | sed 's/.* //'); do
    page "$enum" 3
    grep -oE '^ +BB_[A-Z_]+ = [0-9]+$' "$work/page" | sed 's/^ *//'
done | sort -u >"$work/told"
echo "$members" | sort -u | cmp - "$work/told" || fail 'these are not all members of enums'

page bb-contacts-server 1 OPTIONS 'EXIT STATUS'
words() {
    tr -s '[:space:]' '\n' | sort -u
}
words <"$work/page" >"$work/told"
"$BB_BUILD_DIR/examples/server/bb-contacts-server" --help |
    sed 's/^usage: //; s/^Exit status: //' | words | comm -23 - "$work/told" >"$work/missing"
[ ! -s "$work/missing" ] || fail "the server's page lacks: $(cat "$work/missing")"

find "$BB_BUILD_DIR/cmake/doc/man" -name '*.gz' -type f | while read -r file; do
    gzip -dc "$file" >"$work/$(basename "$file" .gz)"
done
mandoc -T lint -W warning "$work"/*.[13] || fail 'mandoc finds these'

# read_headers OPTION: has Doxygen read the headers of $work/include.
read_headers() {
    sed "s|^INPUT .*|INPUT = $work/include|" "$BB_BUILD_DIR/cmake/doc/Doxyfile" |
        { cat; printf '%s\n' "OUTPUT_DIRECTORY = $work" "$@"; } >"$work/Doxyfile"
    doxygen "$work/Doxyfile" >"$work/log" 2>&1
}

cp -r include "$work"
read_headers 'GENERATE_HTML = YES' && [ -s "$work/html/index.html" ] || fail "$(cat "$work/log")"

# without_comment SED: what a header says is not documented after this change of it.
without_comment() {
    rm -rf "$work/include"
    cp -r include "$work"
    sed -i "$1" "$work"/include/bb_contacts/*.h
    ! diff -r include "$work/include" >"$work/log" || fail "$1 changes nothing"
    if read_headers && python3 -B cmake/doc/header_pages.py "$work/xml" 2000-01-01 test "$work/man" 2>"$work/log"; then
        fail "does without a comment: $1"
    fi
    grep "not documented" "$work/log" | sed "s|^.*: ||"
}

without_comment 's|^/\* Frees a result.*|/*|; s|^ \* allocator. NULL does nothing. \*/|*/|'
without_comment 's|^\(    size_t body_len; \).*|\1|'
without_comment 's|^\(    BB_CREATED = 0, \).*|\1|'
