#!/bin/sh
# Whether the README tells the truth: compiles and runs its program and its commands, as they stand
# there, in a copy of the source tree.
set -eu
work=$(mktemp -d)
server=
cleanup() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

# block LANGUAGE N: the N-th block of code in that language
block() {
    awk -v open="\`\`\`$1" -v n="$2" '
        $0 == open { if (++seen == n) inside = 1; next }
        /^```$/ { inside = 0 }
        inside' README.md
}

mkdir "$work/source" "$work/home"
git ls-files -z -co --exclude-standard | xargs -0 cp --parents -t "$work/source" 2>/dev/null || true
block c 1 >"$work/source/app.c"
block sh 1 >"$work/build.sh"
block sh 2 >"$work/server.sh"
for file in "$work/source/app.c" "$work/build.sh" "$work/server.sh"; do
    [ -s "$file" ] || {
        echo "README.md has no block for $file" >&2
        exit 1
    }
done

# serve: the README's commands with a port that is free now, as someone may be using the README's.
serve() {
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    rm -f contacts.db*
    sed "s/8080/$port/g" "$work/server.sh" >"$work/server-here.sh"
    sh -eu "$work/server-here.sh" >"$work/answer" 2>"$work/log"
}

cd "$work/source"
HOME=$work/home
export HOME
sh -eu "$work/build.sh" >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    exit 1
}
./app >"$work/first"
./app >"$work/second"
cat "$work/first"
grep -q '^200 {"message":"Success","data":\[{"id":"contact_1","external_id":"user_8821"' "$work/first"
cmp "$work/first" "$work/second"

# again, for someone else may have taken the port meanwhile
serve || serve || serve || {
    cat "$work/answer" "$work/log" >&2
    exit 1
}
cat "$work/answer"
grep -q '"id":"contact_1","external_id":"user_8821","name":"Sam Rivera"' "$work/answer"
