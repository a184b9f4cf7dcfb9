#!/bin/sh
# Builds and installs the library as a stranger would, shared and static, then compiles and runs a
# program against what was installed, by pkg-config alone. Run at the top of the source tree.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for shared in ON OFF; do
    prefix=$work/prefix-$shared
    cmake -S . -B "$work/build-$shared" -G Ninja -DCMAKE_BUILD_TYPE=Debug \
        -DBUILD_SHARED_LIBS=$shared -DBB_BUILD_TESTS=OFF -DBB_BUILD_EXAMPLES=OFF \
        -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib >"$work/log" 2>&1 &&
        cmake --build "$work/build-$shared" >>"$work/log" 2>&1 &&
        cmake --install "$work/build-$shared" >>"$work/log" 2>&1 || {
        cat "$work/log" >&2
        exit 1
    }
    find "$prefix" -type f -o -type l | sed "s|^$work/||" | sort

    PKG_CONFIG_PATH=$prefix/lib/pkgconfig
    export PKG_CONFIG_PATH
    flags=$(pkg-config --cflags --libs bb_contacts)
    # shellcheck disable=SC2086 # flags are meant to be split
    gcc -std=c11 -Wall -Wextra -Werror tests/checks/stranger.c -o "$work/stranger" $flags
    LD_LIBRARY_PATH=$prefix/lib "$work/stranger"

    version=$(pkg-config --modversion bb_contacts)
    [ "$(LD_LIBRARY_PATH=$prefix/lib "$work/stranger" --version)" = "$version" ] || {
        echo "pkg-config says version $version, the library another" >&2
        exit 1
    }
done
