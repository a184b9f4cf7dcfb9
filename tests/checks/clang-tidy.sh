#!/bin/sh
# clang-tidy with .clang-tidy's list over every C file that the build compiles. BB_BUILD_DIR is the
# folder with its compile_commands.json. Run at the top of the source tree.
set -eu
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0

sed -n 's/^ *"file": "\(.*\)",\{0,1\}$/\1/p' "$BB_BUILD_DIR/compile_commands.json" | sort -u |
    xargs -P "$(nproc)" -n 4 clang-tidy --quiet -p "$BB_BUILD_DIR" \
        --extra-arg=-Wno-unknown-warning-option >"$log" 2>&1 || status=1
# It counts the warnings in system headers, which it does not show.
grep -v '^[0-9]* warnings\{0,1\} generated\.$' "$log" || true
exit "$status"
