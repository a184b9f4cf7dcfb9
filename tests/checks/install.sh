#!/bin/sh
# Installs the library into a bare folder, and has strangers' programs find it there or build it along,
# in C and C++, shared and static. Run at the top of the source tree.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
strangers=$PWD/tests/checks/stranger
. "$strangers/strangers.sh"

# Nothing of this machine is in reach except Debian's own.
unset PKG_CONFIG_PATH CMAKE_PREFIX_PATH LD_LIBRARY_PATH

# install_library PREFIX OPTION...: builds and installs, then moves what was installed to PREFIX.
install_library() {
    prefix=$1
    shift
    quietly cmake -S . -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DBB_BUILD_TESTS=OFF \
        -DBB_BUILD_EXAMPLES=OFF -DCMAKE_INSTALL_LIBDIR=lib "$@"
    quietly cmake --build "$work/build"
    quietly cmake --install "$work/build" --prefix "$work/staged"
    cp -a "$work/staged" "$prefix"
    quietly cmake --build "$work/build" --target uninstall
    ! find "$work/staged" ! -type d | grep . || fail 'uninstall left these'
    ! find "$work/staged" -name bb_contacts | grep . || fail 'uninstall left these'
    rm -r "$work/staged"
}

# With no .pc file but the library's own in reach: linking the shared library needs no other.
shared_alone() {
    PKG_CONFIG_LIBDIR=$prefix/lib/pkgconfig
    export PKG_CONFIG_LIBDIR
    by_pkg_config pkg-config shared bb_contacts
    by_cmake find_package -DHOW=find_package "-DCOMPONENTS=sqlite;memory;shared;static" \
        -DCMAKE_PREFIX_PATH="$prefix"
    serve_built find_package c shared
    serve_built find_package cpp shared
    serve_built find_package c_static static
    [ "$("$work/find_package/c" --version)" = "$(pkg-config --modversion bb_contacts)" ] ||
        fail 'the library and its .pc file have different versions'
    unset PKG_CONFIG_LIBDIR
}

install_library "$work/both"
find "$prefix" ! -type d ! -path '*/man3/*' | sed "s|^$work/||" | sort
(shared_alone)
alone "$work/find_package/c"
refused_by_postgres "$work/find_package/c" BB_ERR_UNAVAILABLE
mv "$prefix/lib/libbb_contacts_postgres.so.0" "$work"
refused_by_postgres "$work/find_package/c" 'BB_ERR_UNSUPPORTED: .*libbb_contacts_postgres.so.0'
mv "$work/libbb_contacts_postgres.so.0" "$prefix/lib"
export PKG_CONFIG_PATH="$prefix/lib/pkgconfig"
by_pkg_config pkg-config-static static bb_contacts-static
by_pkg_config pkg-config--static shared --static bb_contacts # the linker prefers the shared one

# The static library alone, under the same names.
install_library "$work/static" -DBUILD_SHARED_LIBS=OFF -DBB_WITH_POSTGRES=OFF
export PKG_CONFIG_PATH="$prefix/lib/pkgconfig"
by_pkg_config alone-pkg-config static bb_contacts
by_pkg_config alone-pkg-config--static static --static bb_contacts
by_cmake alone -DHOW=find_package -DCOMPONENTS=static -DCMAKE_PREFIX_PATH="$prefix"
serve_built alone c static

# expect_not_found WORDS OPTION...: find_package refuses these, and says why.
expect_not_found() {
    words=$1
    shift
    ! cmake -S "$strangers" -B "$work/refused" -DHOW=find_package -DCMAKE_PREFIX_PATH="$prefix" "$@" \
        >"$work/log" 2>&1 || fail "found: $*"
    tr -s '\n ' ' ' <"$work/log" | grep -q "$words" || {
        cat "$work/log" >&2
        fail "does not say: $words"
    }
}
for component in postgres shared nonsense; do
    expect_not_found "built without the component '$component'" "-DCOMPONENTS=sqlite;$component"
done
echo 'components that were not built are not found'

# Built along with the stranger's project: static, unless that wants its libraries shared.
by_cmake FetchContent -DHOW=FetchContent -DBB_SOURCE="$PWD" -DBB_WITH_POSTGRES=OFF
serve_built FetchContent c static
by_cmake add_subdirectory -DHOW=add_subdirectory -DBB_SOURCE="$PWD" -DBB_WITH_POSTGRES=OFF \
    -DBUILD_SHARED_LIBS=ON
serve_built add_subdirectory cpp shared
serve_built add_subdirectory c_static static
quietly cmake --install "$work/add_subdirectory" --prefix "$work/host"
! find "$work/host" ! -type d 2>/dev/null | grep . || fail "the host's installation has these"
