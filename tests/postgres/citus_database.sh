#!/bin/sh
# Makes and removes a test's database on every node of a Citus cluster:
#
#     citus_database.sh create|drop NAME
#
# It is what BB_TEST_POSTGRES_DATABASE names when the tests are to run on such a cluster, whose
# coordinator BB_TEST_POSTGRES names by a URI. BB_TEST_CITUS_NODES lists all nodes, the coordinator
# first, as host:port, each as the others reach it. The user of the URI must be let in everywhere
# without a password, and be a superuser. Needs psql.
set -eu

[ $# -eq 2 ] || {
    sed -n '2,9p' "$0" >&2
    exit 2
}
user=$(psql -XAtc 'SELECT current_user' "$BB_TEST_POSTGRES")

# on NODE DATABASE [SQL...]: runs each SQL in a transaction of its own.
on() {
    node=$1
    database=$2
    shift 2
    for sql in "$@"; do
        PGOPTIONS='-c client_min_messages=warning' psql -XAtq -v ON_ERROR_STOP=1 -h "${node%:*}" \
            -p "${node##*:}" -U "$user" -c "$sql" "$database" >/dev/null
    done
}

name=$2
coordinator=${BB_TEST_CITUS_NODES%% *}
case $1 in
create)
    for node in $BB_TEST_CITUS_NODES; do
        on "$node" postgres "CREATE DATABASE $name"
        on "$node" "$name" 'CREATE EXTENSION citus'
    done
    for node in $BB_TEST_CITUS_NODES; do
        if [ "$node" = "$coordinator" ]; then
            on "$node" "$name" "SELECT citus_set_coordinator_host('${node%:*}', ${node##*:})"
        else
            on "$coordinator" "$name" "SELECT citus_add_node('${node%:*}', ${node##*:})"
        fi
    done
    ;;
drop)
    for node in $BB_TEST_CITUS_NODES; do
        on "$node" postgres "DROP DATABASE $name WITH (FORCE)"
    done
    ;;
*) exit 2 ;;
esac
