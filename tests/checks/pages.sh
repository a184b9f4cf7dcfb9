#!/bin/sh
# Whether the pages are well formed and name only what there is; see pages.py.
exec python3 -B tests/checks/pages.py form
