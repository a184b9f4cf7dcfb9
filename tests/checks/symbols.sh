#!/bin/sh
# Whether the shared library BB_LIBRARY shows names that begin with bb_ and no others, and every
# function of the public headers. Run at the top of the source tree.
set -eu
shown=$(nm -D --defined-only "$BB_LIBRARY" | awk '{ print $NF }' | sort)
strange=$(printf '%s\n' "$shown" | grep -v '^bb_' || true)
if [ -n "$strange" ]; then
    printf 'exported, but not ours:\n%s\n' "$strange" >&2
    exit 1
fi

# What the headers declare, by their own mark.
declared=$(sed -n 's/^BB_API .*[ *]\(bb_[a-z0-9_]*\)(.*/\1/p' include/bb_contacts/*.h | sort)
[ -n "$declared" ] || { echo 'no declarations found' >&2; exit 1; }
if [ "$shown" != "$declared" ]; then
    echo 'declared but not exported, or exported but not declared:' >&2
    printf '%s\n' "$shown" "$declared" | sort | uniq -u >&2
    exit 1
fi
printf '%s\n' "$shown"
