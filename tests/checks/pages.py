"""Holds the pages (every *.md) to the truth. Run at the top of the source tree.

    pages.py form   links, files, functions and tests that a page names are there; every block of code
                    says what it is; README.md is short
    pages.py run    runs the commands of all pages, and compiles their programs, in a copy of the tree

What a block of code is, by the words after its fence:

    sh                   is run, page by page from the top, README.md first, each block in a new shell
    sh postgres          is run if BB_TEST_POSTGRES names a server; postgresql:///contacts is a new
                         database there
    sh not-run: REASON   is not run, for this reason, which is shown; sql likewise
    c                    is a program: compiled, and put into app.c for the commands after it
    c fragment           is compiled alone
    json output, text output    is what the block before printed; `...` stands for anything
    text                 is no code
"""

import contextlib
import glob
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

README_LINES = 200
README_BYTES = 12 * 1024
KINDS = ("sh", "sh postgres", "c", "c fragment", "json output", "text output", "text")
CC = ["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function", "-fsyntax-only",
      "-Iinclude"]
DATABASE = "postgresql:///contacts"
PORT = "127.0.0.1:8080"
BLOCK_SECONDS = 1200


class Block:
    """One block of code, with the line that its fence is on."""

    def __init__(self, page, line, kind):
        self.page, self.line, self.kind, self.lines = page, line, kind, []

    @property
    def text(self):
        return "".join(line + "\n" for line in self.lines)

    @property
    def place(self):
        return f"{self.page}:{self.line}"

    @property
    def reason(self):
        """Why it is not run; None if it is."""
        words = re.fullmatch(r"(?:sh|sql) not-run: (.+)", self.kind)
        return words and words[1]


def tracked():
    """All files of the source tree, whether they are committed yet or not."""
    out = subprocess.run(["git", "ls-files", "-z", "-co", "--exclude-standard"], check=True,
                         capture_output=True, text=True).stdout
    return [name for name in out.split("\0") if name and os.path.exists(name)]


def pages(files):
    """README.md first, as later pages use what its commands build."""
    return sorted((name for name in files if name.endswith(".md")),
                  key=lambda name: (name != "README.md", name))


def parse(page):
    """The blocks of a page, and its text without them as (line number, text)."""
    blocks, prose, block = [], [], None
    with open(page, encoding="utf-8") as file:
        for number, line in enumerate(file.read().splitlines(), 1):
            if block is not None:
                if line == "```":
                    blocks.append(block)
                    block = None
                else:
                    block.lines.append(line)
            elif line.startswith("```"):
                block = Block(page, number, line[3:].strip())
            else:
                prose.append((number, line))
    if block is not None:
        blocks.append(block)
        block.kind = "not closed"
    return blocks, prose


# ------------------------------------------------------------------------------------------- form


def anchors(page):
    """The names that links to the headings of a page have."""
    headings = (re.match(r"#+ (.*)", line) for _, line in parse(page)[1])
    return {re.sub(r"[^\w\- ]", "", heading[1].lower()).replace(" ", "-")
            for heading in headings if heading}


def link_fault(page, target):
    """What is wrong with a link's target; None if nothing is."""
    if re.match(r"[a-z]+:", target):
        return None
    path, _, anchor = target.partition("#")
    path = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
    if not os.path.exists(path):
        return f"no such file: {target}"
    if anchor and anchor not in anchors(path):
        return f"no such heading: {target}"
    return None


class Names:
    """What the source tree has of files, functions and tests."""

    def __init__(self, files):
        self.files = files
        self.base_names = {os.path.basename(name) for name in files} | {"app.c"}
        words = set()
        for name in files:
            if not name.endswith((".md", ".json")) and "/seeds/" not in name:
                with open(name, encoding="utf-8", errors="replace") as file:
                    words.update(re.findall(r"\b(?:bb_|BB_|test_)\w+", file.read()))
        self.words = words

    def is_path(self, page, name):
        """Whether a name with a slash is a file below the top, the page's folder, or include/."""
        folders = ("", os.path.dirname(page), "include")
        return any(glob.glob(os.path.join(folder, name)) for folder in folders)

    def fault(self, page, code):
        """What is wrong with a piece of code in a sentence; None if nothing is. NAME is any name."""
        code = re.sub(r"(?<![A-Z])NAME(?![A-Z])", "*", code)
        if re.fullmatch(r"[\w.*/-]+\.(?:c|h|py|sh|md|json|mjs|lua|txt)", code) or \
                re.fullmatch(r"(?:lib|include|tests|examples|cmake)/[\w.*/-]+", code):
            known = self.is_path(page, code) if "/" in code else code in self.base_names
            return None if known else f"no such file: {code}"
        for word in re.findall(r"\b(?:bb_|BB_|test_)\w+", code):
            # one that ends in _ is the beginning of some
            if word not in self.words and \
                    not (word.endswith("_") and any(w.startswith(word) for w in self.words)):
                return f"no such name: {word}"
        return None


def check_blocks(blocks):
    """What is wrong with the blocks of a page, as (line number, fault)."""
    previous = ""
    for block in blocks:
        if block.kind not in KINDS and not block.reason:
            yield block.line, f"a block of no known kind: {block.kind or 'none'}"
        if block.kind.endswith("output") and previous not in ("sh", "sh postgres"):
            yield block.line, "output of no command that is run"
        previous = block.kind


def check_prose(page, prose, names):
    """What is wrong with the rest of it."""
    before = ""
    for number, line in prose:
        if line.startswith("    ") and not before.strip():
            yield number, "indented code, of which nobody knows what it is"
        before = line
        for target in re.findall(r"\]\(([^)]+)\)", line):
            yield number, link_fault(page, target)
        for code in re.findall(r"`([^`]+)`", line):
            yield number, names.fault(page, code)


def check_page(page, names):
    """The faults of one page, a line each."""
    blocks, prose = parse(page)
    found = [*check_blocks(blocks), *check_prose(page, prose, names)]
    return [f"{page}:{number}: {fault}" for number, fault in found if fault]


def form():
    """All faults of all pages."""
    files = tracked()
    names = Names(files)
    faults = [fault for page in pages(files) for fault in check_page(page, names)]
    with open("README.md", "rb") as file:
        readme = file.read()
    if readme.count(b"\n") > README_LINES or len(readme) > README_BYTES:
        faults.append(f"README.md: {readme.count(10)} lines, {len(readme)} bytes; at most"
                      f" {README_LINES} and {README_BYTES}")
    print("\n".join(faults) or f"{len(pages(files))} pages")
    return 1 if faults else 0


# -------------------------------------------------------------------------------------------- run


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Database:
    """A database of our own on the server that BB_TEST_POSTGRES names, for one block."""

    def __init__(self):
        self.server = os.environ["BB_TEST_POSTGRES"]
        self.name = f"bb_pages_{os.getpid()}"
        # the last path segment of the URI is the database
        self.uri = re.sub(r"/[^/?]*(\?.*)?$", lambda end: f"/{self.name}{end[1] or ''}", self.server)

    def sql(self, text):
        subprocess.run(["psql", "-X", "-q", self.server, "-c", text], check=True)

    def __enter__(self):
        self.sql(f"CREATE DATABASE {self.name}")
        return self.uri

    def __exit__(self, *_):
        self.sql(f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)")


def run_shell(text, folder):
    """Runs commands with a port that is free now; whatever they leave running is ended."""
    text = text.replace(PORT, f"127.0.0.1:{free_port()}")
    env = dict(os.environ, HOME=os.path.join(folder, "home"))
    # files, as a server that the block left running would hold pipes open
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err, \
            subprocess.Popen(["sh", "-eu", "-c", text], cwd=os.path.join(folder, "tree"), env=env,
                             stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                             start_new_session=True) as process:
        try:
            status = process.wait(BLOCK_SECONDS)
        except subprocess.TimeoutExpired:
            status = "none: it is not over in time"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        out.seek(0)
        err.seek(0)
        return status, out.read(), err.read()


def run_commands(block, folder):
    """The output of a block. Tried again if it names a port: someone may have taken it meanwhile."""
    for _ in range(3 if PORT in block.text else 1):
        if block.kind == "sh postgres":
            with Database() as uri:
                status, out, err = run_shell(block.text.replace(DATABASE, uri), folder)
        else:
            status, out, err = run_shell(block.text, folder)
        if status == 0:
            break
    if status != 0:
        raise AssertionError(f"{block.place}: exit status {status}\n{out}{err}")
    return out


def compile_program(block, folder):
    done = subprocess.run(CC + ["-x", "c", "-"], cwd=os.path.join(folder, "tree"), text=True,
                          input=block.text, capture_output=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{block.place}: does not compile\n{done.stderr}")
    if block.kind == "c":
        with open(os.path.join(folder, "tree", "app.c"), "w", encoding="utf-8") as file:
            file.write(block.text)


def compare(block, out):
    """`...` in the block stands for anything."""
    pattern = ".*?".join(re.escape(part) for part in block.text.strip().split("..."))
    if not re.fullmatch(pattern, out.strip(), re.DOTALL):
        raise AssertionError(f"{block.place}: the block before printed something else:\n{out}")


def run_page(page, folder):
    """Does what each block of the page asks for, and says so, a line each."""
    out = None
    for block in parse(page)[0]:
        said = "ok"
        if block.reason:
            said = f"not run: {block.reason}"
        elif block.kind == "sh postgres" and not os.environ.get("BB_TEST_POSTGRES"):
            said = "not run: BB_TEST_POSTGRES is not set"
            out = None
        elif block.kind.startswith("sh"):
            out = run_commands(block, folder)
        elif block.kind.startswith("c"):
            compile_program(block, folder)
        elif block.kind.endswith("output") and out is None:
            said = "not compared"
        elif block.kind.endswith("output"):
            compare(block, out)
        print(f"{block.place}: {block.kind.split(' not-run')[0] or 'none'}: {said}", flush=True)


def run():
    """All pages in one copy of the tree."""
    files = tracked()
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(os.path.join(folder, "home"))
        for name in files:
            to = os.path.join(folder, "tree", name)
            os.makedirs(os.path.dirname(to), exist_ok=True)
            shutil.copy2(name, to)
        try:
            for page in pages(files):
                run_page(page, folder)
        except AssertionError as fault:
            print(fault, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit({"form": form, "run": run}[sys.argv[1]]())
