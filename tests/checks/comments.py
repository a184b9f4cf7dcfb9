"""Whether comments in C name only what there is. Run at the top of the source tree.

A file that a comment names must exist. A function, `name()`, and a name that begins with `bb_` or
`BB_` must be in the tree's code. A section's rule ends on its line. The frozen headers of tests/abi
stay as they are.
"""

import os
import re
import subprocess
import sys

# Strings and characters are skipped, since they may hold what begins a comment.
TOKEN = re.compile(r"""/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+'""", re.DOTALL)
RULE = re.compile(r"/\* -{8,}[^\n]*\n")


def split(text):
    """The code of a source, and its comments as (line number, comment)."""
    code, comments, at = [], [], 0
    for token in TOKEN.finditer(text):
        code.append(text[at:token.start()])
        if token[0].startswith("/"):
            comments.append((text.count("\n", 0, token.start()) + 1, token[0]))
        else:
            code.append(token[0])
        at = token.end()
    return "".join(code) + text[at:], comments


class Tree:
    """The names that there are."""

    def __init__(self, files):
        self.files = files
        self.base_names = {os.path.basename(name) for name in files}
        self.words = set()
        self.comments = {}
        for name in files:
            with open(name, encoding="utf-8", errors="replace") as file:
                text = file.read()
            if name.endswith((".c", ".h")) and not name.startswith("tests/abi/0.1/"):
                text, self.comments[name] = split(text)
            if name.endswith((".c", ".h", ".py", ".sh", ".txt", ".cmake")):
                self.words.update(re.findall(r"\w+", text))

    def has_file(self, name):
        if "/" not in name:
            return name in self.base_names
        return any(file == name or file.endswith("/" + name) for file in self.files)

    def faults(self, comment):
        if RULE.match(comment):
            yield "the section's rule does not end on its line"
        text = re.sub(r'"[^"]*"', "", re.sub(r"\s*\n\s*\*? ?", " ", comment))
        for name in re.findall(r"(?<![\w<])[\w./-]+\.(?:c|h|py|sh|md|json)\b(?!\()", text):
            if not self.has_file(name):
                yield f"no such file: {name}"
        for name in re.findall(r"\b\w+(?=\(\))|\b(?:bb|BB)_\w*[A-Za-z0-9]\b", text):
            if name not in self.words:
                yield f"no such name: {name}"


def main():
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], check=True,
                            capture_output=True, text=True)
    tree = Tree([name for name in listed.stdout.split("\n") if os.path.isfile(name)])
    faults = [f"{name}:{line}: {fault}" for name, comments in sorted(tree.comments.items())
              for line, comment in comments for fault in tree.faults(comment)]
    print("\n".join(faults) or f"comments of {len(tree.comments)} files")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
