# Installs the Debian 12 packages that the project needs; to be sourced by a POSIX shell script.
#
#     . cmake/debian-packages.sh
#     need_packages build server
#
# Groups: build (the library with all backends), server (the example servers, and a client for them),
# postgres (a PostgreSQL server), test (what tests run on), lint (what checks the source), bench (what
# benchmarks run on besides), node (for the benchmarks' peer), valgrind, packages (what Debian packages
# are made and checked with).

# shellcheck shell=sh

# The oldest Node.js that runs the benchmarks' peer, which is Debian 12's.
oldest_node=18

# Whether the PATH has npm and a Node.js that is recent enough. Packages of others have both in one,
# and Debian's npm can't be installed beside them.
has_node() {
    command -v npm >/dev/null || return 1
    node_version=$(node --version 2>/dev/null) || return 1
    node_version=${node_version#v}
    node_version=${node_version%%.*}
    case $node_version in
    '' | *[!0-9]*) return 1 ;;
    esac
    [ "$node_version" -ge "$oldest_node" ]
}

packages_of() {
    case $1 in
    build)
        echo gcc libc6-dev cmake ninja-build pkgconf \
            libcjson-dev libsodium-dev libsqlite3-dev libpq-dev
        ;;
    server) echo libmicrohttpd-dev libuv1-dev node-llhttp curl ;;
    postgres) echo postgresql ;;
    test)
        echo clang libclang-rt-14-dev libcmocka-dev liblmdb-dev g++ binutils abigail-tools python3 \
            pgbouncer sqlite3 doxygen mandoc man-db python3-cffi python3-pycparser python3-dev
        ;;
    lint) echo clang-format clang-tidy cppcheck ;;
    bench) echo libcmocka-dev python3 wrk ;;
    node) has_node || echo nodejs npm ;;
    valgrind) echo valgrind ;;
    packages) echo dpkg-dev doxygen file lintian mmdebstrap python3 ;;
    *)
        echo "debian-packages.sh: no group '$1'" >&2
        return 1
        ;;
    esac
}

# How long another process may keep its locks, in seconds: a new machine upgrades itself first.
lock_patience=900

# Runs apt-get as root, with its output in package_log. DPkg::Lock::Timeout makes apt-get wait while
# another process holds dpkg's locks. It does not (apt 2.6) for those of the lists and the archives,
# so this tries again.
apt_get() {
    lock_until=$(($(date +%s) + lock_patience))
    package_log=
    # shellcheck disable=SC2086 # no sudo is no word
    until package_log=$($as_root env LC_ALL=C DEBIAN_FRONTEND=noninteractive apt-get -q \
        -o DPkg::Lock::Timeout=$lock_patience "$@" 2>&1 </dev/null); do
        case $package_log in
        *'E: Could not get lock'*) ;;
        *) return 1 ;;
        esac
        [ "$(date +%s)" -lt "$lock_until" ] || return 1
        echo "Another process installs packages; waiting for it" >&2
        sleep 3
    done
}

# Installs what is missing of the groups named, as root or through sudo. Says and asks nothing if
# nothing is missing. If it can't, says why and returns 1.
need_packages() {
    missing_packages=
    for package_group in "$@"; do
        group_packages=$(packages_of "$package_group") || return 1
        for package in $group_packages; do
            package_status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) || :
            [ "$package_status" = "install ok installed" ] ||
                missing_packages="$missing_packages $package"
        done
    done
    [ -n "$missing_packages" ] || return 0

    if ! command -v apt-get >/dev/null; then
        echo "This is not a Debian system; going on in the hope that these, or what they are" \
            "called here, are installed:$missing_packages" >&2
        return 0
    fi
    echo "Installing$missing_packages" >&2
    if [ "$(id -u)" -eq 0 ]; then
        as_root=
    else
        as_root="sudo -n"
    fi
    # The list may be too old to install from, or missing altogether.
    # shellcheck disable=SC2086 # words are meant to be split
    if apt_get update && apt_get -y --no-install-recommends install $missing_packages; then
        return 0
    fi
    printf '%s\n' "$package_log" >&2
    echo "Could not install packages. As root, run: apt-get install$missing_packages" >&2
    return 1
}
