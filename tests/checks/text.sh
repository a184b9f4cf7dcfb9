#!/bin/sh
# Whether the text files are as .editorconfig says, C files open with a sentence about themselves,
# comments name only what there is, and no note of unfinished work was left behind. Run at the top of
# the source tree.
set -eu
status=0

complain() {
    printf '%s\n' "$2" | sed "s|^|$1: |" >&2
    status=1
}

files=$(find include lib examples tests cmake .ci .github CMakeLists.txt CMakePresets.json README.md \
    -type f ! -name '*.pyc' ! -path 'tests/fuzz/seeds/*' | sort)

found=$(grep -nE '[[:blank:]]+$' $files || true)
[ -z "$found" ] || complain 'white space at the end of a line' "$found"

found=$(grep -nP '\t' $(printf '%s\n' $files | grep -v '\.go$') || true) # gofmt's way
[ -z "$found" ] || complain 'a tab' "$found"

# In two halves, so that this file is not found itself.
found=$(grep -nwE 'TO''DO|FIX''ME|X''XX|HA''CK' $files || true)
[ -z "$found" ] || complain 'unfinished' "$found"

for file in $files; do
    [ ! -s "$file" ] || [ "$(tail -c 1 "$file" | wc -l)" -eq 1 ] ||
        complain 'no line end at the end' "$file"
    case $file in
    *.[ch])
        name=$(basename "$file")
        head -n 2 "$file" | tr '\n' ' ' | grep -qF "/*  * $name: " ||
            complain "does not open with what it is for" "$file"
        ;;
    *.sh)
        sh -n "$file" || complain 'not a shell script' "$file"
        ;;
    esac
done
python3 -B tests/checks/comments.py || status=1
exit "$status"
