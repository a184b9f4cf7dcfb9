"""Holds the binary interface of the shared library to its record. Run at the top of the source tree.

    abi.py            compares the public headers with tests/abi/baseline.abi, where every change must
                      be recorded; with those of version 0.1, to which they may only add; and with the
                      shared library BB_LIBRARY
    abi.py --write    records the headers as they are in tests/abi/baseline.abi

What abidw says of a library depends on how its source is cut into files, and holds the private parts
of opaque structs. So the record is that of a skeleton: a library made of the public headers alone, in
which every function is empty and has the version that lib/bb_contacts.map gives it. A macro that is
a number is an enum there.
"""

import difflib
import os
import re
import shutil
import subprocess
import sys
import tempfile

HEADERS = "include"
FIRST_HEADERS = "tests/abi/0.1/include"
BASELINE = "tests/abi/baseline.abi"
WRITE = "python3 tests/checks/abi.py --write"
STRUCTS = "lib/util/struct_type.h"
SYMBOLS = "lib/bb_contacts.map"
SONAME = "libbb_contacts.so.0"
# With enums, which no function takes as such.
ALL_TYPES = ("--non-reachable-types",)

INCLUDES = "".join(f'#include "bb_contacts/{name}.h"\n' for name in ("bb_contacts", "backends", "storage"))
# The declaration of a function. What may follow its parameters can't stand before a body.
FUNCTION = re.compile(r'__attribute__\(\(visibility\("default"\)\)\)([^;]*?(bb_\w+)\([^;]*?)'
                      r"(?:__attribute__[^;]*)?;")
# The name of a type that is declared or ends here.
TYPE = re.compile(r"^typedef [^;{]*?\b(bb_\w+)(?:;|\)\()|^\} (bb_\w+);", re.MULTILINE)
# A macro that is a number, and one that is the only member of an enum. Versions are to change.
NUMBER = re.compile(r"^#define (BB_(?!\w*VERSION)\w+) [\dB(]", re.MULTILINE)
CONSTANT = re.compile(r"^enum \{ (BB_\w+) = ", re.MULTILINE)


def run(*command, text=None):
    """What a command prints."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


def preprocess(include, text, *options):
    return run("gcc", "-E", "-P", "-I", include, *options, "-", text=text)


def names_of(include):
    """The names of the types and the numbers."""
    code = preprocess(include, INCLUDES)
    types = (name or other for name, other in TYPE.findall(code))
    return {*types, *CONSTANT.findall(code), *NUMBER.findall(preprocess(include, INCLUDES, "-dM"))}


def read_headers(include, names):
    """The code of the headers, with something that uses each of the names, so that the compiler
    tells of it: a pointer to a type, an enum for a number."""
    uses = (f"static enum number_{name} {{ value_of_{name} = {name} }} used_{name}"
            if name.startswith("BB_") else f"static {name} *used_{name}" for name in sorted(names))
    return preprocess(include, INCLUDES + "".join(f"{use} __attribute__((used));\n" for use in uses))


def as_first_released(code, functions):
    """The same with these functions alone, and without the members that structs have gained since
    they were first released. abidiff could be told to overlook such members, but then overlooks what
    else was done to the struct."""
    with open(STRUCTS, encoding="utf-8") as file:
        ends = re.findall(r"XX\((bb_\w+), (\w+), \d+\)", file.read())
    for struct, last in ends:
        inside = r"(?:(?!^\}).)*"
        code, count = re.subn(rf"(^typedef struct {struct} {{{inside}\b{last}\b[^;]*;){inside}", r"\1\n",
                              code, flags=re.DOTALL | re.MULTILINE)
        if count != 1:
            raise SystemExit(f"{STRUCTS}: no {struct} with a {last}")
    return FUNCTION.sub(lambda found: found[0] if found[2] in functions else "", code)


def make_skeleton(code, symbols, folder):
    """A skeleton's ABI, as a file of abidw's. Whatever could change it is fixed here."""
    library, abi = os.path.join(folder, "skeleton.so"), os.path.join(folder, "skeleton.abi")
    functions = FUNCTION.sub(r"\1 { __builtin_unreachable(); }", code)
    run("gcc", "-std=gnu11", "-O0", "-gdwarf-5", "-shared", "-fPIC", "-nostdlib", "-o", library,
        f"-Wl,-soname,{SONAME}", f"-Wl,--version-script={symbols}", "-x", "c", "-",
        text=functions)
    run("abidw", "--load-all-types", "--no-corpus-path", "--no-comp-dir-path", "--no-show-locs",
        "--no-elf-needed", "--no-parameter-names", "--type-id-style", "hash",
        "--out-file", abi, library)
    return abi


def version_script(functions, folder):
    """A script that gives functions the version of the first release."""
    path = os.path.join(folder, "first.map")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"BB_CONTACTS_0 {{ global: {'; '.join(functions)}; local: *; }};\n")
    return path


def differences(*arguments):
    """What abidiff finds; empty if nothing. Its exit status is a set of bits; 1 and 2 are errors."""
    done = subprocess.run(["abidiff", "--no-show-locs", *arguments], capture_output=True, text=True,
                          check=False)
    if done.returncode & 3 or done.returncode < 0:
        raise SystemExit(f"abidiff {' '.join(arguments)}\n{done.stdout}{done.stderr}")
    return done.stdout if done.returncode else ""


def broken(folder):
    """What of version 0.1 is not as it was."""
    first_names = names_of(FIRST_HEADERS)
    code = read_headers(FIRST_HEADERS, first_names)
    functions = [name for _, name in FUNCTION.findall(code)]
    old = make_skeleton(code, version_script(functions, folder), folder)
    old = shutil.move(old, os.path.join(folder, "first.abi"))
    code = as_first_released(read_headers(HEADERS, first_names & names_of(HEADERS)), functions)
    new = make_skeleton(code, SYMBOLS, folder)
    return differences("--no-added-syms", *ALL_TYPES, old, new)


def unrecorded(new):
    """How the headers differ from the record. abidiff says it best, but not all of it."""
    with open(BASELINE, encoding="utf-8") as old_file, open(new, encoding="utf-8") as new_file:
        lines = list(difflib.unified_diff(old_file.readlines(), new_file.readlines(), BASELINE, HEADERS))
    return lines and (differences("--harmless", *ALL_TYPES, BASELINE, new) or "".join(lines))


def check(folder):
    """The first fault; None if there is none."""
    fault = broken(folder)
    if fault:
        return f"{fault}\nThis breaks programs of version 0.1. lib/README.md says what may change."
    new = make_skeleton(read_headers(HEADERS, names_of(HEADERS)), SYMBOLS, folder)
    if sys.argv[1:] == ["--write"]:
        shutil.copyfile(new, BASELINE)
        return None
    fault = unrecorded(new)
    if fault:
        return f"{fault}\n{BASELINE} has it otherwise. If it is meant: {WRITE}"
    fault = differences(new, os.environ["BB_LIBRARY"])
    if fault:
        return f"{fault}\nThe library is not what the headers say."
    return None


def main():
    with tempfile.TemporaryDirectory() as folder:
        fault = check(folder)
    print(fault or f"{BASELINE}: as it is recorded")
    return 1 if fault else 0


if __name__ == "__main__":
    sys.exit(main())
