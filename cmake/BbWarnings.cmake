# The warnings that the project is built with, as an interface target.
add_library(bb_warnings INTERFACE)
target_compile_options(bb_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wstrict-prototypes
  -Wmissing-prototypes -Wold-style-definition -Wpointer-arith -Wcast-qual -Wcast-align
  -Wwrite-strings -Wformat=2 -Wundef -Wvla -Wswitch-enum -Wdouble-promotion -Wnull-dereference)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  target_compile_options(bb_warnings INTERFACE -Wlogical-op -Wduplicated-cond
    -Wduplicated-branches -Wjump-misses-init)
endif()
if(BB_WARNINGS_AS_ERRORS)
  target_compile_options(bb_warnings INTERFACE -Werror)
endif()
