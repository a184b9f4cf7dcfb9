#!/bin/sh
# Whether other languages can use the library as lib/FFI.md says: Python through cffi, and Go through
# cgo if there is a Go compiler. BB_LIBRARY is the shared library, and BB_BUILD_DIR a folder that keeps what
# Go has compiled, which takes a minute. Run at the top of the source tree.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The one of the PATH may be another than Debian's, which has the packages.
python=
for candidate in python3 /usr/bin/python3; do
    if "$candidate" -c 'import cffi, pycparser' 2>/dev/null; then
        python=$candidate
        break
    fi
done
[ -n "$python" ] || { echo "$0: no Python with cffi and pycparser" >&2; exit 1; }
"$python" -B tests/foreign/upsert.py "$BB_LIBRARY"

PATH=$PATH:/usr/local/go/bin
command -v go >/dev/null || { echo 'no Go: not tried'; exit 0; }
folder=$(dirname "$BB_LIBRARY")
export HOME="$work" GOCACHE="$BB_BUILD_DIR/go-cache" GOPATH="$work/go"
export GOTOOLCHAIN=local GOPROXY=off GOFLAGS=-mod=mod
export CGO_ENABLED=1 CGO_CFLAGS="-I$PWD/include -Wall -Wextra -Werror -Wno-unused-parameter" \
    CGO_LDFLAGS="-L$folder -lbb_contacts -Wl,-rpath,$folder"
cp -r tests/foreign/cgo "$work/program"
cd "$work/program"
[ -z "$(gofmt -l .)" ] || { echo "$0: not as gofmt writes it: $(gofmt -l .)" >&2; exit 1; }
go vet .
go build -o upsert .
TMPDIR=$work GODEBUG=cgocheck=1 ./upsert
