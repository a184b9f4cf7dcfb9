#!/bin/sh
# Whether the pages tell the truth: runs their commands and compiles their programs; see pages.py.
exec python3 -B tests/checks/pages.py run
