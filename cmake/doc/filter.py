"""Doxygen's input filter: makes the plain comments of a public header ones that Doxygen reads.

    filter.py HEADER    prints the header, line for line

The headers are for those who read them as they are, so there are no marks in them. Where a comment
stands says what it is about:

  - The first one is about the file.
  - One right before a declaration, or behind a member, is about that.
  - Declarations and members that follow without a blank line or a comment of their own share it.
  - The init function beside a struct needs none.
  - A list of XX(NAME, number, text) makes an enum's members; the texts are about them.

In a comment, `code`, code that is indented, and items that begin with - are as in Markdown.
"""

import re
import sys

COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
NO_DOCUMENTATION = re.compile(r"/\* (?:-{8,}|version [\w.]+ ends here)")
INIT = "Sets the size, and everything else to 0, which stands for the defaults."
# The name that a line declares, or begins to declare.
DECLARED = re.compile(r"(?:BB_API|static inline) [^;{]*?[ *](?P<function>\w+)\("
                      r"|typedef [^;{]*\(\*(?P<type>\w+)\)\("
                      r"|#define (?P<macro>\w+)"
                      r"|    (?!return)\w[^;{}()=]*?[ *](?P<member>\w+)(?:\[\w+\])?;"
                      r"|    \w[^;{}()=]*?\(\*(?P<call>\w+)\)\(")
STRUCT = re.compile(r"typedef struct (\w+) \{")
MAP = re.compile(r"#define (\w+)\(XX\)((?:[^\n]*\\\n)+[^\n]*)\n")
ENTRY = re.compile(r'XX\((\w+), (\d+), (?:(\d+), )?"((?:[^"\\]|\\.)*)"\)')
ENUM_OF_MAP = re.compile(r"#define XX\([^\n]*\) (\w+)##name = \(\w+\),\n    (\w+)\(XX\)\n"
                         r"#undef XX\n")


def escaped(line):
    """A line of a comment, in which nothing else is a mark to Doxygen."""
    begin, text = re.fullmatch(r"(\s*\*? ?)(.*)", line).groups()
    if text.startswith("    "):
        return line
    parts = text.split("`")
    if len(parts) % 2 == 0:
        raise SystemExit(f"{sys.argv[1]}: a ` without its pair: {line.strip()}")
    return begin + "`".join(part if i % 2 else re.sub(r"[\\@<>&#%*]", r"\\\g<0>", part)
                            for i, part in enumerate(parts))


def documentation(comment, mark):
    """A plain comment as one that begins with the mark."""
    first, *rest = comment[2:-2].split("\n")
    return mark + "\n".join([escaped(first), *map(escaped, rest)]) + "*/"


def mark_comments(text):
    """Tells Doxygen which comments are documentation, and of what."""
    def marked(found):
        comment = found[0]
        before = text[text.rfind("\n", 0, found.start()) + 1:found.start()]
        after = text[found.end():]
        if found.start() == 0:
            return documentation(re.sub(r"(\n \* )\w+\.h: ", r"\1", comment, count=1), "/** @file")
        if NO_DOCUMENTATION.match(comment) or re.match(r"\n\s*\n|\n\}", after):
            return documentation(comment, "/**<") if before.strip() else comment
        return documentation(comment, "/**<" if before.strip() else "/**")
    return COMMENT.sub(marked, text)


def expand_maps(text):
    """Replaces the X-macro in an enum by members with their texts, in as many lines."""
    maps = {found[1]: ENTRY.findall(found[2]) for found in MAP.finditer(text)}

    def members(found):
        return " ".join(f"{found[1]}{name} = {number}, /**< {http + ': ' if http else ''}{text} */"
                        for name, number, http, text in maps[found[2]]) + "\n\n\n"
    return ENUM_OF_MAP.sub(members, text)


def share(lines):
    """Gives documentation to what shares that of the declaration before it."""
    struct, shared, own = "", None, False
    for line in lines:
        found = DECLARED.match(line)
        name = found and next(filter(None, found.groups()))
        opened = STRUCT.match(line)
        if opened:
            struct, shared = opened[1] + "::", None
        if line.startswith("}"):
            struct = ""
        if not line.strip() or "/**<" in line:
            shared = None
        elif found and own:
            shared = struct + name
        elif found and shared:
            indent = re.match(r" *", line)[0]
            line = f"{indent}/** @copydoc {shared} */ {line.strip()}"
        elif found and re.match(r"static inline void \w+_init\(", line):
            line = f"/** {INIT} */ {line}"
        own = line.rstrip().endswith("*/") and not found
        yield line


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        text = file.read()
    sys.stdout.write("\n".join(share(expand_maps(mark_comments(text)).split("\n"))))


if __name__ == "__main__":
    main()
