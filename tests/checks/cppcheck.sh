#!/bin/sh
# cppcheck over every C file that the build compiles; see clang-tidy.sh for BB_BUILD_DIR.
set -eu
cppcheck --quiet --project="$BB_BUILD_DIR/compile_commands.json" -j "$(nproc)" \
    --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
    --suppress=missingIncludeSystem --suppress=unmatchedSuppression
