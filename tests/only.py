"""Where test functions are: what to build, and which of ctest's tests to run, for some alone.

    python3 tests/only.py BUILD FUNCTION

FUNCTION is the name of a test function in C or Python; * and ? stand for any letters. BUILD is a
build that is configured. Prints three lines: the targets to build; a regular expression of the
tests that run the function, which BB_TEST_ONLY=FUNCTION chooses in them; and those of them that
need PostgreSQL, if there are any. Ends with 1, after a message, if there is none of these."""

import glob
import json
import os
import re
import sys

TESTS = os.path.dirname(os.path.realpath(__file__))


def sources_of(function):
    """The files that define such functions."""
    name = re.escape(function).replace(r"\*", r"\w*").replace(r"\?", r"\w")
    in_c = re.compile(rf"^(?:static )?(?:void|int) {name}\(", re.M)
    in_python = re.compile(rf"^ +def {name}\(", re.M)
    found = []
    for path in sorted(glob.glob(os.path.join(TESTS, "*", "*"))):
        if path.endswith((".c", ".py")):
            with open(path, encoding="utf-8") as file:
                if (in_c if path.endswith(".c") else in_python).search(file.read()):
                    found.append(path)
    return found


def programs_of(build, sources):
    """The targets that these C files are compiled into."""
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        commands = json.load(file)
    return {re.search(r" -o \S*CMakeFiles/([^/ ]+)\.dir/", entry["command"])[1]
            for entry in commands if os.path.realpath(entry["file"]) in sources}


def scripts_of(sources):
    """The scripts that run these Python files: those beside them that name them, or all of them."""
    found = set()
    for source in sources:
        for script in glob.glob(os.path.join(os.path.dirname(source), "*.sh")):
            with open(script, encoding="utf-8") as file:
                text = file.read()
            if os.path.basename(source) in text or "test_*.py" in text:
                found.add(script)
    return found


def tests_of(build):
    """The commands of ctest's tests by name, built or not; CMake writes them one a line."""
    tests = {}
    for path in glob.glob(f"{build}/tests/**/CTestTestfile.cmake", recursive=True):
        with open(path, encoding="utf-8") as file:
            for name, command in re.findall(r"^add_test\((?:\[=*\[)?(\w[\w-]*)(?:\]=*\])? (.*)\)$",
                                            file.read(), re.M):
                tests[name] = re.findall(r'"([^"]*)"', command)
    return tests


def main():
    build, function = os.path.realpath(sys.argv[1]), sys.argv[2]
    sources = sources_of(function)
    if not sources:
        sys.exit(f"no test function is named {function}")
    programs = programs_of(build, [source for source in sources if source.endswith(".c")])
    scripts = scripts_of(source for source in sources if source.endswith(".py"))
    targets, tests, need_postgres = set(), [], []
    for name, command in tests_of(build).items():
        built = {os.path.basename(word) for word in command if word.startswith(build + os.sep)}
        if built & programs or scripts.intersection(command):
            targets |= built
            tests.append(name)
            if "postgres" in command or re.match("postgres_|pgbouncer_", name):
                need_postgres.append(name)
    if not tests:
        sys.exit("nothing in this build runs " + ", ".join(sources))
    print(" ".join(sorted(targets)))
    print("^(" + "|".join(tests) + ")$")
    print(" ".join(need_postgres))


if __name__ == "__main__":
    main()
