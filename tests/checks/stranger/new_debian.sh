#!/bin/sh
# Runs in a new Debian that has compilers, CMake and pkg-config, but nothing that the library uses:
# installs the packages of /in, has strangers use them, and removes them again. See ../debs.sh.
set -eu
work=$(mktemp -d)
strangers=/in/stranger
. "$strangers/strangers.sh"

apt() {
    quietly env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends "$@"
}

apt install /in/libbb-contacts0_*.deb /in/libbb-contacts-dev_*.deb
for package in libcjson-dev libsodium-dev libsqlite3-dev libpq-dev; do
    ! dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed' ||
        fail "$package is installed"
done
by_pkg_config pkg-config shared bb_contacts
by_cmake find_package -DHOW=find_package "-DCOMPONENTS=memory;sqlite;postgres;shared;static"
serve_built find_package c shared
serve_built find_package cpp shared
alone "$work/find_package/c"
! dpkg-query -W -f '${Status}' libpq5 2>/dev/null | grep -q ' installed' || fail 'libpq5 is installed'
refused_by_postgres "$work/find_package/c" 'BB_ERR_UNSUPPORTED: .*libbb_contacts_postgres.so.0'
apt install /in/libbb-contacts-postgres0_*.deb
refused_by_postgres "$work/find_package/c" BB_ERR_UNAVAILABLE

# As libbb-contacts-dev suggests.
apt install libcjson-dev libsodium-dev libsqlite3-dev libpq-dev
serve_built find_package c_static static
by_pkg_config pkg-config-static static bb_contacts-static
by_pkg_config pkg-config--static shared --static bb_contacts
by_cmake FetchContent -DHOW=FetchContent -DBB_SOURCE=/in/source
serve_built FetchContent c static

apt install /in/bb-contacts-server_*.deb
export BOOKBAG_API_KEY=oc_test_0123456789abcdef
bb-contacts-server --store "sqlite:$work/server.db" serve --demo --listen 127.0.0.1:0 >"$work/ready" &
server=$!
trap 'kill $server 2>/dev/null || :' EXIT
tries=0
until url=$(sed -n 's/^listening on //p' "$work/ready") && [ -n "$url" ]; do
    kill -0 $server && [ $tries -lt 600 ] || fail 'the server does not start'
    tries=$((tries + 1))
    sleep 0.1
done
answer=$(curl -sS "$url/api/v1/chatbots/123/contacts" -H "Authorization: Bearer $BOOKBAG_API_KEY" \
    -d '{"users":[{"external_id":"user_8821"}]}')
kill $server
wait $server || fail 'the server did not end well'
case $answer in
'{"message":"Success",'*) echo 'bb-contacts-server serves a request' ;;
*) fail "the server answered $answer" ;;
esac

# An author of a backend.
apt install /in/libbb-contacts-conformance0_*.deb /in/libbb-contacts-conformance-dev_*.deb liblmdb-dev
quietly cmake -S /in/custom_storage -B "$work/custom_storage"
quietly cmake --build "$work/custom_storage" --parallel 2
quietly "$work/custom_storage/kit" --requests /usr/share/bb_contacts/requests
echo 'the kit checks a backend'

apt purge bb-contacts-server libbb-contacts-conformance-dev libbb-contacts-conformance0 \
    libbb-contacts-dev libbb-contacts-postgres0 libbb-contacts0
! find /etc /usr /var -name '*bb[_-]contacts*' | grep . || fail 'purging left these'
! ldconfig -p | grep bb_contacts || fail 'the loader still knows the library'
echo 'nothing is left of the packages'
