"""A manual page: text for man(7), and the file that holds it."""

import gzip
import os
import re
import textwrap


def quoted(text):
    """Text in which nothing is a mark to roff."""
    return text.replace("\\", "\\e")


def literal(text):
    """The same for what someone may copy: a hyphen stays the character that it is."""
    return quoted(text).replace("-", "\\-")


def bold(text):
    return f"\\fB{text}\\fP"


def italic(text):
    return f"\\fI{text}\\fP"


def sentences(text):
    return re.split(r"(?<=[.!?])\s+(?=\S)", text.strip())


def protected(line):
    """A line that is no request, whatever it begins with."""
    return "\\&" + line if line.startswith((".", "'")) else line


def filled(text):
    """Running text: a line for each sentence, or more if it is long."""
    lines = []
    for sentence in sentences(text):
        lines += textwrap.wrap(sentence, 78, break_long_words=False, break_on_hyphens=False)
    return [protected(line) for line in lines]


def unfilled(code):
    """Lines that stay as they are."""
    return [".nf", *(protected(literal(line)) for line in code.split("\n")), ".fi"]


def example(code):
    """The same, indented."""
    return [".RS 4", *unfilled(textwrap.dedent(code.strip("\n"))), ".RE"]


class Page:
    """The lines of a page."""

    def __init__(self, name, section, date, source, manual):
        self.name, self.section = name, section
        self.lines = [f'.TH "{literal(name)}" {section} {date} "{source}" "{manual}"', ".ad l",
                      ".nh"]

    def add(self, *lines):
        self.lines.extend(lines)

    def head(self, title):
        self.add(f".SH {title}")

    def name_line(self, names, summary):
        self.head("NAME")
        self.add(f"{', '.join(map(literal, names))} \\- {summary}")

    def paragraph(self, *lines):
        if not self.lines[-1].startswith((".SH", ".SS")):
            self.add(".PP")
        self.add(*lines)

    def term(self, *terms):
        """What the lines after it are about."""
        for request, term in zip([".TP"] + [".TQ"] * len(terms), terms):
            self.add(request, protected(term))

    def write(self, folder, aliases=()):
        """Writes the page, compressed as Debian wants it, and links to it from other names."""
        folder = os.path.join(folder, f"man{self.section}")
        os.makedirs(folder, exist_ok=True)
        file = f"{self.name}.{self.section}.gz"
        with open(os.path.join(folder, file), "wb") as out:
            out.write(gzip.compress("".join(line + "\n" for line in self.lines).encode(), mtime=0))
        for alias in aliases:
            os.symlink(file, os.path.join(folder, f"{alias}.{self.section}.gz"))
