"""Makes the manual pages of the public headers from Doxygen's XML.

    header_pages.py XML DATE SOURCE FOLDER    writes FOLDER/man3/NAME.3.gz

There is a page for each function, struct, enum and type, and libbb_contacts(3) about all of them.
Functions that share a comment share a page, and an init function is on its struct's. The names that
have no page of their own are links.
"""

import os
import re
import shutil
import sys
import textwrap
from xml.etree import ElementTree

from page import Page, bold, example, filled, italic, literal, quoted, sentences, unfilled

FIRST_HEADERS = ["bb_contacts.h", "backends.h", "storage.h"]
LIBRARY = "libbb_contacts"
SUMMARY = "POST /api/v1/chatbots/:chatbotId/contacts as a function"
MANUAL = "Library Functions Manual"
CODE = re.compile(r"\bBB_(?:OK|ERR_\w+)")
# What is longer ends at a colon, if there is one.
LONG_SUMMARY = 110
# A name that has a page, as the text mentions it.
MENTIONED = re.compile(r"\\fB(bb_\w+)\\fP\(3\)")
# A sentence that tells what a function returns, if that is no code.
RETURNED = re.compile(r"\b[Rr]eturns \S|\bis returned\b|\b[Rr]esult is\b|^Never NULL|\banswers \d"
                      r"|\bfor NULL\b|^At most \w+_MAX\b")


# ----------------------------------------------------------------------- what Doxygen made of them


def plain(element):
    return "" if element is None else " ".join("".join(element.itertext()).split())


def marked(child):
    """A part of a paragraph, for roff."""
    text = plain(child)
    if child.tag == "ref" and re.fullmatch(r"bb_\w+(?:\(\))?", text):
        return f"{bold(text.removesuffix('()'))}(3)"
    if child.tag in ("ref", "computeroutput"):
        return bold(literal(text))
    raise SystemExit(f"Doxygen made <{child.tag}> of a comment: {text}")


def paragraph_blocks(para):
    """A paragraph as (kind, text): text with what stands in it, code or an item of a list."""
    text = quoted(para.text or "")
    for child in para:
        if child.tag not in ("verbatim", "itemizedlist"):
            text += marked(child)
        else:
            yield "text", text
            text = ""
            if child.tag == "verbatim":
                yield "code", child.text
            else:
                yield from (("item", block) for item in child for part in item
                            for _, block in paragraph_blocks(part))
        text += quoted(child.tail or "")
    yield "text", text


def blocks_of(element):
    """A comment as such blocks. Doxygen has cut off its first sentence."""
    def blocks(name):
        found = (block for para in element.find(name) for block in paragraph_blocks(para))
        return [(kind, text if kind == "code" else " ".join(text.split()))
                for kind, text in found if text.strip()]

    brief, detail = blocks("briefdescription"), blocks("detaileddescription")
    if brief and detail and detail[0][0] == "text":
        return [("text", f"{brief[-1][1]} {detail[0][1]}"), *detail[1:]]
    return brief + detail


class Entity:
    """Something that a header declares."""

    def __init__(self, element, header):
        self.header = header
        self.kind = element.get("kind") or element.tag
        self.name = element.findtext("name") or element.findtext("compoundname")
        self.type = plain(element.find("type"))
        self.args = (element.findtext("argsstring") or "").replace(",...", ", ...")
        self.value = element.findtext("initializer") or ""
        self.blocks = blocks_of(element)
        self.members = [Entity(member, header) for member in element.iter()
                        if member.tag in ("memberdef", "enumvalue") and member is not element]
        if not self.blocks:
            raise SystemExit(f"{header}: {self.name} is not documented")

    @property
    def sentences(self):
        return [sentence for kind, text in self.blocks if kind != "code"
                for sentence in sentences(text)]

    @property
    def summary(self):
        """The first sentence, as it stands behind a name."""
        text = re.sub(r"\\f[BP]|\(3\)", "", self.sentences[0].split("; ")[0]).rstrip(".:")
        if len(text) > LONG_SUMMARY:
            text = text.split(": ")[0]
        if text.count("(") > text.count(")"):
            text = text[:text.rindex("(")].rstrip()
        return text if re.match(r"\w*[A-Z_]\w*[A-Z_]", text) else text[0].lower() + text[1:]

    @property
    def term(self):
        """A member as a list of them names it."""
        if self.kind in ("enumvalue", "define"):
            return self.name if "\n" in self.value else f"{self.name} {self.value}".strip()
        return f"{self.name}()" if self.type.endswith("(*") else self.name

    @property
    def declaration(self):
        """As a header says it: Doxygen has other spaces."""
        text = f"{self.type} {self.name}{self.args}"
        text = re.sub(r" ?\(\* ", " (*", text)   # int (*name)()
        text = re.sub(r" ?(\*+) ", r" \1", text) # char *name
        return f"typedef {text}" if self.kind == "typedef" else text


def constant(element, header):
    """The member of an enum that has no name and no other, as a macro with that value."""
    values = element.findall("enumvalue")
    has_name = element.findtext("name", "@")[:1] not in ("", "@")
    if element.get("kind") != "enum" or has_name or len(values) != 1:
        return None
    copied = ElementTree.Element("memberdef", kind="define")
    copied.extend([values[0].find("name"), values[0].find("initializer"),
                   element.find("briefdescription"), element.find("detaileddescription")])
    entity = Entity(copied, header)
    entity.value = entity.value.removeprefix("= ")
    return entity


def read(xml):
    """What the headers declare, by name, and what each says about itself."""
    def compound(name):
        return ElementTree.parse(os.path.join(xml, f"{name}.xml")).getroot().find("compounddef")

    index = ElementTree.parse(os.path.join(xml, "index.xml")).getroot()
    files = {file.findtext("name"): file.get("refid") for file in index
             if file.get("kind") == "file"}
    entities, headers = {}, {}
    for header in FIRST_HEADERS + sorted(files.keys() - FIRST_HEADERS):
        element = compound(files[header])
        headers[header] = blocks_of(element)
        structs = (compound(inner.get("refid")) for inner in element.iter("innerclass"))
        for child in (*element.iter("memberdef"), *structs):
            entity = constant(child, header) or Entity(child, header)
            entities[entity.name] = entity
    return entities, headers


# ------------------------------------------------------------------------------------- the pages


def add_blocks(out, blocks):
    for kind, text in blocks:
        if kind == "text":
            out.paragraph(*filled(text))
        elif kind == "code":
            out.paragraph(*example(text))
        else:
            out.add(".IP \\(bu 2", *filled(text))


def prototype(entity, indent=""):
    """A declaration, of which further lines are indented."""
    words = entity.declaration.replace(" ", "\0").replace(",\0", ", ") + ";"
    lines = textwrap.wrap(words, 74, initial_indent=indent, subsequent_indent=indent + " " * 8,
                          break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines).replace("\0", " ")


def add_members(out, members):
    """What each member is. Those that share a comment stand together."""
    while members:
        count = 1
        while count < len(members) and members[count].blocks == members[0].blocks:
            count += 1
        out.term(*(bold(literal(member.term)) for member in members[:count]))
        told = " ".join(members[0].sentences)
        out.add(*filled(told if len(members[0].sentences) > 1 else told.rstrip(".")))
        members = members[count:]


def returns_code(function):
    """Whether the int32_t that it returns is a bb_code."""
    told = function.sentences
    if function.type != "int32_t" or any(re.match("Returns (?!BB_)", text) for text in told):
        return False
    return "bb_error *" in function.args or any(CODE.search(text) for text in told)


def add_return_value(out, function):
    """What a function returns: a code, or what the sentences about it say."""
    told = [text for text in function.sentences if RETURNED.search(text)]
    out.head("RETURN VALUE")
    if returns_code(function):
        out.add(f"{bold('BB_OK')}, or another {bold('bb_code')}(3).")
        if "bb_error *" in function.args:
            out.add(f"Then {italic('error')}, unless it is NULL, says more.")
    elif "bb_result *" == function.type:
        if not any("bb_result_free" in text for text in told):
            out.add(f"A {bold('bb_result')}(3), which is freed with {bold('bb_result_free')}(3).")
        out.add(*(line for text in told for line in filled(text)))
    else:
        first = [] if any(text.startswith("Returns") for text in told) else function.sentences[:1]
        for text in dict.fromkeys([*first, *told]):
            out.add(*filled(text))


def add_errors(out, function):
    """What the comment says of each code."""
    by_code = {}
    for text in function.sentences:
        for code in dict.fromkeys(CODE.findall(text)):
            if code != "BB_OK":
                by_code.setdefault(code, []).append(text)
    out.head("ERRORS")
    for code, told in sorted(by_code.items()):
        out.term(bold(code))
        out.add(*(line for text in told for line in filled(text)))
    out.paragraph(f"Other codes of {bold('bb_code')}(3) are possible.",
                  f"{bold('BB_ERR_ARGUMENT')} is also for NULL where a handle or output is needed.")


def add_see_also(out, names):
    out.head("SEE ALSO")
    out.add(",\n".join(f"{bold(name)}(3)" for name in [*sorted(names), LIBRARY]))


class Manual:
    """All pages."""

    def __init__(self, entities, headers, date, source, folder):
        self.entities, self.headers = entities, headers
        self.date, self.source, self.folder = date, source, folder
        self.written, self.mentioned = set(), set()

    def begin(self, names, summary, headers):
        out = Page(names[0], 3, self.date, self.source, MANUAL)
        out.name_line(names, summary)
        out.head("SYNOPSIS")
        out.add(*unfilled("\n".join(f"#include <bb_contacts/{header}>" for header in headers)))
        return out

    def end(self, out, names, see=()):
        text = "\n".join(out.lines)
        see = {*see, *MENTIONED.findall(text)} & self.entities.keys() - set(names)
        if out.name != LIBRARY:
            add_see_also(out, see)
        self.mentioned.update(MENTIONED.findall("\n".join(out.lines)))
        self.written.update(names)
        out.write(self.folder, names[1:])

    def is_init(self, entity):
        """Whether it is on its struct's page."""
        struct = self.entities.get(entity.name.removesuffix("_init"))
        return struct not in (None, entity) and struct.kind == "struct"

    def types_in(self, text):
        return {name for name in re.findall(r"\bbb_\w+", text) if name in self.entities}

    def functions(self, group):
        """One page for functions that share a comment."""
        first, names = group[0], [function.name for function in group]
        out = self.begin(names, first.summary, [first.header])
        out.add(".PP", *unfilled("\n".join(map(prototype, group))))
        out.head("DESCRIPTION")
        add_blocks(out, first.blocks)
        if first.type != "void":
            add_return_value(out, first)
        if returns_code(first):
            add_errors(out, first)
        self.end(out, names, self.types_in(" ".join(f"{f.type} {f.args}" for f in group)))

    def struct(self, struct):
        """A struct, with its init function."""
        init = self.entities.get(f"{struct.name}_init")
        names = [struct.name, init.name] if init else [struct.name]
        out = self.begin(names, struct.summary, [struct.header])
        lines = "\n".join(prototype(member, " " * 4) for member in struct.members)
        out.add(".PP", *unfilled(f"typedef struct {struct.name} {{\n{lines}\n}} {struct.name};"))
        if init:
            out.add(".PP", *unfilled(prototype(init)))
        out.head("DESCRIPTION")
        add_blocks(out, struct.blocks)
        if init:
            out.paragraph(*filled(f"{bold(init.name)}() {init.summary}."))
        out.head("MEMBERS")
        add_members(out, struct.members)
        self.end(out, names)

    def enum(self, enum):
        out = self.begin([enum.name], enum.summary, [enum.header])
        lines = "".join(f"    {value.term},\n" for value in enum.members)
        out.add(".PP", *unfilled(f"typedef enum {enum.name} {{\n{lines}}} {enum.name};"))
        out.head("DESCRIPTION")
        add_blocks(out, enum.blocks)
        add_members(out, enum.members)
        self.end(out, [enum.name])

    def typedef(self, typedef):
        out = self.begin([typedef.name], typedef.summary, [typedef.header])
        out.add(".PP", *unfilled(prototype(typedef)))
        out.head("DESCRIPTION")
        add_blocks(out, typedef.blocks)
        self.end(out, [typedef.name])

    def add_list(self, out, title, kinds):
        out.head(title)
        for header in self.headers:
            out.add(f'.SS "{header}"')
            for entity in self.entities.values():
                if entity.header == header and entity.kind in kinds and not self.is_init(entity):
                    out.term(f"{bold(entity.name)}(3)")
                    out.add(*filled(entity.summary))

    def library(self):
        """The page about all of it: what the headers say of themselves, and lists."""
        out = self.begin([LIBRARY], SUMMARY, self.headers)
        out.add(".PP", *unfilled("cc program.c $(pkg-config --cflags --libs bb_contacts)"))
        out.head("DESCRIPTION")
        for header in self.headers:
            (kind, text), *rest = self.headers[header]
            out.add(f'.SS "{header}"')
            add_blocks(out, [(kind, text[0].upper() + text[1:]), *rest])
        self.add_list(out, "FUNCTIONS", ("function",))
        self.add_list(out, "TYPES", ("struct", "enum", "typedef"))
        out.head("CONSTANTS")
        add_members(out, [entity for entity in self.entities.values() if entity.kind == "define"])
        out.head("SEE ALSO")
        out.add(f"{bold(literal('bb-contacts-server'))}(1)")
        self.end(out, [LIBRARY])

    def write(self):
        shutil.rmtree(os.path.join(self.folder, "man3"), ignore_errors=True)
        groups = {}
        for entity in self.entities.values():
            if entity.kind in ("struct", "enum", "typedef"):
                getattr(self, entity.kind)(entity)
            elif entity.kind == "function" and not self.is_init(entity):
                groups.setdefault(tuple(entity.blocks), []).append(entity)
        for group in groups.values():
            self.functions(group)
        self.library()
        missing = self.mentioned - self.written
        if missing:
            raise SystemExit(f"no page for {', '.join(sorted(missing))}")


def main():
    xml, date, source, folder = sys.argv[1:]
    Manual(*read(xml), date, source, folder).write()


if __name__ == "__main__":
    main()
