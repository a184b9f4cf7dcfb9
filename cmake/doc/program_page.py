"""Makes a program's manual page from what its --help says.

    program_page.py PROGRAM SUMMARY DATE SOURCE FOLDER    writes FOLDER/man1/PROGRAM.1.gz

After the usage come paragraphs and one table of options, with blank lines between them. The
paragraphs before the table are about the program, those after it about its commands, and the last
one is the exit status.
"""

import os
import re
import subprocess
import sys
import textwrap

from page import Page, bold, filled, literal, quoted, unfilled

OPTION = re.compile(r"^  (--\S(?: ?\S)*)(?:  +(.*))?((?:\n {6,}.*)*)", re.MULTILINE)


def main():
    program, summary, date, source, folder = sys.argv[1:]
    name = os.path.basename(program)
    text = subprocess.run([program, "--help"], check=True, capture_output=True, text=True).stdout
    usage, *blocks = text.strip().split("\n\n")
    table = next(i for i, block in enumerate(blocks) if block.startswith("  --"))
    title, status = blocks.pop().split(": ", 1)

    out = Page(name, 1, date, source, "User Commands")
    out.name_line([name], summary)
    out.head("SYNOPSIS")
    out.add(*unfilled(textwrap.dedent(usage.replace("usage: ", "       ", 1))))
    out.head("DESCRIPTION")
    for block in blocks[:table]:
        out.paragraph(*filled(quoted(block)))
    out.head("OPTIONS")
    for option, first, rest in OPTION.findall(blocks[table]):
        out.term(bold(literal(option)))
        out.add(*filled(quoted(" ".join((first + rest).split()))))
    out.head("COMMANDS")
    for block in blocks[table + 1:]:
        out.paragraph(*filled(quoted(block)))
    out.head(title.upper())
    out.add(*filled(quoted(status)))
    out.head("SEE ALSO")
    out.add(f"{bold('libbb_contacts')}(3)")
    out.write(folder)


if __name__ == "__main__":
    main()
