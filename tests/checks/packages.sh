#!/bin/sh
# Whether cmake/debian-packages.sh waits for another process that holds a lock of apt's or dpkg's,
# and takes a Node.js that is there. Run at the top of the source tree; skipped (77) without apt-get
# or root's rights. Here apt-get gets folders, lists and locks of the test's own, which have no
# packages.
set -eu
command -v apt-get >/dev/null && [ "$(id -u)" -eq 0 ] || exit 77

work=$(mktemp -d)
holder=
cleanup() {
    [ -z "$holder" ] || kill "$holder" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

. cmake/debian-packages.sh

fail() {
    echo "packages.sh: $*" >&2
    cat "$work/log" >&2
    exit 1
}

mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/dpkg"
: >"$work/dpkg/status"
cat >"$work/apt.conf" <<END
Dir::State::lists "$work/lists/";
Dir::State::status "$work/dpkg/status";
Dir::Cache::archives "$work/archives/";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "/dev/null";
APT::Update::Post-Invoke-Success { };
END
export APT_CONFIG="$work/apt.conf"

# hold FILE: a process that keeps it locked, as apt-get locks files, until it is told to end.
hold() {
    mkfifo "$work/held"
    python3 -c '
import fcntl, signal, sys
lock = open(sys.argv[1], "w")
fcntl.lockf(lock, fcntl.LOCK_EX)
open(sys.argv[2], "w").close()
signal.pause()' "$1" "$work/held" &
    holder=$!
    cat "$work/held" # ends when the lock is held
    rm "$work/held"
}

let_go() {
    kill "$holder"
    wait "$holder" 2>/dev/null || true
    holder=
}

# Installing what does not exist must fail for that reason, not because of a lock that is held for a
# while. How long does not matter, as apt-get waits for it.
expect_to_wait() {
    hold "$1"
    (
        packages_of() { echo bb-no-such-package; }
        need_packages none
    ) >"$work/log" 2>&1 &
    installer=$!
    tries=0
    while kill -0 "$installer" 2>/dev/null && [ "$tries" -lt 3 ]; do
        sleep 1
        tries=$((tries + 1))
    done
    let_go
    ! wait "$installer" || fail "$1: installed a package that is not there"
    ! grep -q '^E: Could not get lock' "$work/log" || fail "$1 was not waited for"
    grep -q 'Unable to locate package' "$work/log" || fail "$1: another failure"
    echo "waited for $(basename "$1")"
}

expect_to_wait "$work/lists/lock"
expect_to_wait "$work/dpkg/lock-frontend"

# with_node VERSION: the packages of the group if the PATH has this version.
with_node() {
    mkdir -p "$work/bin"
    printf '#!/bin/sh\necho %s\n' "$1" >"$work/bin/node"
    printf '#!/bin/sh\n' >"$work/bin/npm"
    chmod 755 "$work/bin/node" "$work/bin/npm"
    (PATH=$work/bin:$PATH && packages_of node)
}

: >"$work/log"
for version in v18.20.4 v20.20.2 v100.0.0; do
    [ -z "$(with_node "$version")" ] || fail "Node.js $version is there, and packages are asked for"
done
for version in v12.22.12 v9.0.0 nothing ''; do
    [ "$(with_node "$version")" = "nodejs npm" ] || fail "Node.js '$version' will do"
done
echo 'took the Node.js that is there'
