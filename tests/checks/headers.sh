#!/bin/sh
# Whether each public header compiles alone, as C11 and as C++17. Run at the top of the source tree.
set -eu
flags='-Wall -Wextra -Wpedantic -Wconversion -Werror -fsyntax-only -Iinclude'
for header in include/bb_contacts/*.h; do
    line="#include \"bb_contacts/$(basename "$header")\""
    for compiler in gcc clang; do
        printf '%s\n' "$line" | "$compiler" -std=c11 -x c $flags -
    done
    for compiler in g++ clang++; do
        printf '%s\n' "$line" | "$compiler" -std=c++17 -x c++ $flags -
    done
    echo "$header"
done
