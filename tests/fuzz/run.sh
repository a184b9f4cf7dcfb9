#!/bin/sh
# Runs a fuzz target: `sh tests/fuzz/run.sh PROGRAM TARGET`, in a folder of the build.
#
# Starts from the seeds and from what earlier runs in this folder have found, in corpus/TARGET.
# Stops after 15 seconds; after BB_FUZZ_SECONDS if that is set, or BB_FUZZ_RUNS inputs; after an
# hour if BB_TEST_LONG is set. An input that breaks the library is left as finding-TARGET-*.
set -eu
program=$1
target=$2
here=$(cd "$(dirname "$0")" && pwd)
seconds=${BB_FUZZ_SECONDS:-${BB_TEST_LONG:+3600}}
limit=-max_total_time=${seconds:-15}
[ -z "${BB_FUZZ_RUNS:-}" ] || limit=-runs=$BB_FUZZ_RUNS

mkdir -p "corpus/$target"
case $target in
json | request) set -- -dict="$here/json.dict" -max_len=4096 ;;
model) set -- -max_len=300 ;;
*) set -- -max_len=700 ;;
esac
exec "$program" "$limit" "$@" -timeout=60 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=1 \
    -artifact_prefix="finding-$target-" "corpus/$target" "$here/seeds/$target"
