#!/bin/sh
# Whether every C file is as clang-format writes it. Run at the top of the source tree.
set -eu
find include lib examples tests -name '*.[ch]' -print0 |
    xargs -0 clang-format --dry-run --Werror --ferror-limit=3
