#!/bin/sh
# Makes the Debian packages, has lintian check them, and uses them in a new Debian 12, which it
# downloads (some 150 MB) and removes in the end; see stranger/new_debian.sh. Run at the top of the
# source tree, as root or as a user who may have user namespaces.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work" # for the root of a user namespace
strangers=$PWD/tests/checks/stranger
. "$strangers/strangers.sh"

# lintian should check the packages, not who makes them.
export DEBFULLNAME='A Packager' DEBEMAIL=packager@debian.org
quietly cmake --preset deb -B "$work/build"
quietly cmake --build "$work/build"
quietly cpack --config "$work/build/CPackConfig.cmake" -B "$work/build"
mkdir "$work/in" "$work/in/source"
cp "$work"/build/*.deb "$work/in"
ls "$work/in" | grep '\.deb$'
# As root mmdebstrap would mount this machine's /dev/shm in the new Debian, and if it is killed it may
# empty that. So it mounts nothing of /dev, as it can make its own there, and what else it mounts ends
# with it.
as_user=
isolated=
skipped=
if [ "$(id -u)" -eq 0 ]; then
    as_user=--allow-root
    isolated='unshare --mount --propagation private'
    skipped='--mode=root --skip=chroot/mount/dev'
fi
# shellcheck disable=SC2086 # no option is no word
lintian $as_user --fail-on error,warning "$work"/in/*.deb

cp -r "$strangers" "$work/in/stranger"
cp -r examples/custom_storage "$work/in/custom_storage"
cp -r CMakeLists.txt LICENSE cmake include lib "$work/in/source"
chmod -R a+rX "$work/in"
# shellcheck disable=SC2086 # likewise
quietly $isolated mmdebstrap $skipped --variant=apt --format=null \
    --include=gcc,g++,libc6-dev,binutils,make,cmake,pkgconf,curl \
    --customize-hook="copy-in '$work/in' /" \
    --customize-hook='chroot "$1" env -i PATH=/usr/sbin:/usr/bin http_proxy="${http_proxy:-}" \
        sh /in/stranger/new_debian.sh' bookworm
grep -E 'serves a request|^the kit|=>|BB_ERR|^nothing is left' "$work/log"
