"""Which lines and branches of lib/ a build of the preset `coverage` has run, by gcc's gcov.

    python3 tests/coverage.py BUILD [--lines]

Prints a table by file; with --lines also each line that was never run, and each branch that was
never taken. Ends with 1 if less than 95 % of the lines were run."""

import json
import os
import subprocess
import sys

LEAST = 95.0
SOURCE = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))


def read_counts(build):
    """By file, by line: how often it ran, and the counts of its branches."""
    files = {}
    objects = os.path.join(os.path.realpath(build), "lib", "CMakeFiles", "bb_objects.dir")
    for folder, _, names in os.walk(objects):
        for name in sorted(names):
            if not name.endswith(".gcno"):
                continue
            words = ["gcov", "--json-format", "--branch-probabilities", "--stdout", name]
            output = subprocess.run(words, cwd=folder, check=True, capture_output=True).stdout
            for document in output.splitlines():
                add_counts(files, json.loads(document))
    return files


def add_counts(files, document):
    for file in document["files"]:
        path = os.path.join(document["current_working_directory"], file["file"])
        path = os.path.relpath(os.path.realpath(path), SOURCE)
        if not path.startswith("lib" + os.sep):
            continue
        lines = files.setdefault(path, {})
        for line in file["lines"]:
            count, branches = lines.get(line["line_number"], (0, []))
            counts = [branch["count"] for branch in line["branches"]]
            # a function of a header is there once for each file that includes it
            if len(branches) == len(counts):
                counts = [a + b for a, b in zip(branches, counts)]
            lines[line["line_number"]] = (count + line["count"], counts)


def percent(part, whole):
    return 100.0 * part / whole if whole else 100.0


def summary(lines):
    branches = [count for _, counts in lines.values() for count in counts]
    ran = sum(1 for count, _ in lines.values() if count > 0)
    return len(lines), ran, len(branches), sum(1 for count in branches if count > 0)


def print_row(name, numbers):
    lines, ran, branches, taken = numbers
    print(
        f"{name:38} {ran:5} of {lines:5} {percent(ran, lines):6.1f} %"
        f" {taken:5} of {branches:5} {percent(taken, branches):6.1f} %"
    )


def print_lines(path, lines):
    with open(os.path.join(SOURCE, path), encoding="utf-8") as file:
        text = file.read().splitlines()
    for number, (count, branches) in sorted(lines.items()):
        if count == 0 or 0 in branches:
            what = "never" if count == 0 else f"{branches.count(0)} of {len(branches)}"
            print(f"{path}:{number}: {what}: {text[number - 1].strip()}")


def main():
    files = read_counts(sys.argv[1])
    total = [0, 0, 0, 0]
    if "--lines" in sys.argv[2:]:
        for path in sorted(files):
            print_lines(path, files[path])
    print(f"{'file':38} {'lines that ran':>23} {'branches taken':>23}")
    for path in sorted(files):
        numbers = summary(files[path])
        total = [a + b for a, b in zip(total, numbers)]
        print_row(path, numbers)
    print_row("all of lib/", total)
    return 0 if percent(total[1], total[0]) >= LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
