"""Whether lib/ keeps to its layers: by the includes of its sources and the calls of its objects.

    layers.py OBJECTS

OBJECTS is the folder of lib's object files. A module is a source with the header of its name. A
layer includes and calls only itself and what is below it; a backend only the public headers,
lib/util and what backends share. No modules may need each other in a circle.
"""

import collections
import pathlib
import re
import subprocess
import sys

# From the bottom up. Each may need those before it, and none of those after.
CORE = ["util", "json", "request", "execute", "dispatch", "api"]
POSTGRES = ["sql", "wire", "marshal", "schema", "write"]

# The symbols of the public headers belong to nobody's inside: a backend may call them all.
PUBLIC = "include/bb_contacts"


def layer_of(module):
    """The layer's place in its list, and the list; modules of one list are compared."""
    parts = module.split("/")
    if parts[0] == "backends":
        if len(parts) == 2:
            return ("shared by backends", 0)
        if parts[1] == "postgres":
            inner = POSTGRES.index(parts[2]) if len(parts) == 4 else len(POSTGRES)
            return ("postgres", inner)
        return (parts[1], 0)
    return ("core", CORE.index(parts[0]))


def may_need(user, used, is_public):
    """Whether one module may include or call another. Any may call a public function, except the
    core below that: it would be upwards all the same."""
    (user_list, user_place), (used_list, used_place) = layer_of(user), layer_of(used)
    if user_list == used_list:
        return used_place <= user_place
    if user_list == "core":
        return False if not is_public else user.startswith("api/")
    return used.startswith("util/") or used_list == "shared by backends" or is_public


def includes(top):
    for path in sorted(top.rglob("*.[ch]")):
        user = str(path.relative_to(top).with_suffix(""))
        for name in re.findall(r'^#include "([^"]+)"', path.read_text(), re.M):
            if (top / name).is_file():
                yield user, str(pathlib.PurePath(name).with_suffix("")), False, name
            elif not name.startswith("bb_contacts/"):
                sys.exit(f"lib/{user}: {name} is neither in lib/ nor public")


def calls(objects, public):
    owner = {}
    wanted = collections.defaultdict(set)
    for path in sorted(objects.rglob("*.c.o")):
        module = str(path.relative_to(objects))[: -len(".c.o")]
        if not pathlib.Path(f"lib/{module}.c").is_file():
            continue  # left behind by a build before a file was moved
        listing = subprocess.run(["nm", str(path)], check=True, capture_output=True, text=True)
        for line in listing.stdout.splitlines():
            kind, name = line.split()[-2:]
            if kind in "TDBRC":
                owner[name] = module
            elif kind == "U":
                wanted[module].add(name)
    for user, names in sorted(wanted.items()):
        for name in sorted(names):
            if name in owner:
                yield user, owner[name], name in public, f"{name}()"


def circles(needs):
    """The modules that need each other, as groups of more than one (Tarjan's components, by the
    simple way: what is reached from each)."""
    reached = {}
    for start in needs:
        seen, todo = set(), [start]
        while todo:
            for used in needs.get(todo.pop(), ()):
                if used not in seen:
                    seen.add(used)
                    todo.append(used)
        reached[start] = seen
    groups = {frozenset(b for b in seen if a in reached.get(b, ())) for a, seen in reached.items()}
    return sorted(sorted(group) for group in groups if len(group) > 1)


def judge(edges):
    faults = []
    needs = collections.defaultdict(set)
    for user, used, is_public, by in edges:
        if user == used:
            continue
        needs[user].add(used)
        if not may_need(user, used, is_public):
            faults.append(f"lib/{user} must not need lib/{used}: {by}")
    faults += ["a circle: " + ", ".join(group) for group in circles(needs)]
    return faults


def main():
    objects = pathlib.Path(sys.argv[1])
    public = set()
    for header in pathlib.Path(PUBLIC).glob("*.h"):
        public |= set(re.findall(r"^BB_API .*?[ *](bb_\w+)\(", header.read_text(), re.M))
    edges = list(includes(pathlib.Path("lib"))) + list(calls(objects, public))
    by_call = sum(by.endswith("()") for *_, by in edges)
    if len(public) < 20 or by_call < 200 or len(edges) - by_call < 100:
        sys.exit("too few includes, calls or public functions were found to judge anything by")
    # what must be found: an include upwards, a call upwards, and a circle within a layer
    for wrong in (
        [("util/alloc", "json/walk", False, "json/walk.h")],
        [("execute/session_pool", "api/upsert", True, "bb_contacts_upsert()")],
        [("backends/sqlite/write", "json/check", False, "bb_json_check()")],
        [("json/walk", "json/names", False, "a()"), ("json/names", "json/walk", False, "b()")],
    ):
        if not judge(edges + wrong):
            sys.exit(f"this check did not find {wrong}")
    faults = judge(edges)
    print("\n".join(faults) or f"{len(edges)} includes and calls, all downwards, no circle")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
