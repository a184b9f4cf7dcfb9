#!/bin/sh
# Whether lib/ keeps to its layers, in what BB_BUILD_DIR has built of it; see layers.py. Run at the
# top of the source tree.
exec python3 -B tests/checks/layers.py "$BB_BUILD_DIR/lib/CMakeFiles/bb_objects.dir"
