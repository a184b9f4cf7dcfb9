"""Uses the library from Python through cffi, as a binding would. Run at the top of the source tree.

    upsert.py LIBRARY

The headers are read by `cpp -P -DBB_DECLARATIONS_ONLY` alone. Checked are: every exported function is
declared and found; every struct has the layout that the C compiler gives it; requests, callbacks that
raise exceptions, and finalizers in the wrong order. All of it by dlopen() (cffi's ABI mode); the
requests once more by a compiled module (API mode), where Python's headers are installed.
"""

import importlib.util
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
import threading

import cffi
import pycparser

INCLUDES = '#include "bb_contacts/backends.h"\n#include "bb_contacts/storage.h"\n'
TYPES = "typedef int int32_t; typedef unsigned uint32_t; typedef unsigned char uint8_t;\n" \
        "typedef long int64_t; typedef unsigned long uint64_t; typedef unsigned long size_t;\n"
PATIENCE = 60
ONE = b'{"users":[{"external_id":"one","name":"Ann"},{}]}'


def declarations():
    """What the headers declare, as a tool that knows no preprocessor can read it."""
    return subprocess.run(["cpp", "-P", "-DBB_DECLARATIONS_ONLY", "-Iinclude"], input=INCLUDES,
                          check=True, capture_output=True, text=True).stdout


def exported():
    """The functions that the library exports."""
    with open("lib/bb_contacts.map", encoding="utf-8") as file:
        return set(re.findall(r"^ *(bb_\w+);$", file.read(), re.M))


def check_declarations(text, ffi, lib):
    tree = pycparser.CParser().parse(TYPES + text)
    declared = {item.name for item in tree.ext
                if isinstance(item, pycparser.c_ast.Decl)
                and isinstance(item.type, pycparser.c_ast.FuncDecl)}
    assert declared == exported(), declared ^ exported()
    for name in declared:
        assert ffi.addressof(lib, name), name
    print(f"{len(declared)} functions")


def check_layouts(ffi, folder):
    """Compares with the C compiler, line by line."""
    layouts = {name: dict(ffi.typeof(name).fields) for name in ffi.list_types()[0]
               if ffi.typeof(name).kind == "struct" and ffi.typeof(name).fields}
    source = os.path.join(folder, "layouts.c")
    with open(source, "w", encoding="utf-8") as file:
        file.write(INCLUDES + "#include <stdio.h>\nint main(void)\n{\n")
        for name, fields in layouts.items():
            file.write(f'printf("{name} %zu\\n", sizeof({name}));\n')
            for field in fields:
                file.write(f'printf("{name}.{field} %zu\\n", offsetof({name}, {field}));\n')
        file.write("return 0;\n}\n")
    program = os.path.join(folder, "layouts")
    subprocess.run(["cc", "-std=c11", "-Iinclude", source, "-o", program], check=True)
    lines = subprocess.run([program], check=True, capture_output=True, text=True).stdout.split("\n")
    expected = [line for name, fields in layouts.items()
                for line in (f"{name} {ffi.sizeof(name)}",
                             *(f"{name}.{field} {item.offset}" for field, item in fields.items()))]
    assert len(layouts) > 10 and lines[:-1] == expected, (lines, expected)
    print(f"{len(layouts)} structs")


class Binding:
    """A few lines of a binding, over either mode of cffi."""

    def __init__(self, ffi, lib):
        self.ffi, self.lib, self.kept, self.lines = ffi, lib, [], []

    def new(self, name, **members):
        """A struct that begins with its size."""
        given = self.ffi.new(f"{name} *")
        self.lib.bb_struct_init(given, self.ffi.sizeof(name))
        assert given.size == self.ffi.sizeof(name)
        for member, value in members.items():
            setattr(given, member, value)
        return given

    def bytes(self, value):
        """Bytes that stay where they are for as long as the binding does."""
        self.kept.append(self.ffi.from_buffer("char[]", value))
        return self.kept[-1]

    def callback(self, kind, function):
        """A callback that returns 0 if it raises: cffi's default, and the worst there is."""
        self.kept.append(self.ffi.callback(kind, function, onerror=lambda *_: None))
        return self.kept[-1]

    def log(self, _, level, line, length):
        self.lines.append((level, self.ffi.unpack(line, length)))

    def storage(self, folder):
        """The memory backend's, or SQLite's if that was left out; with chatbot 123."""
        out = self.ffi.new("bb_storage **")
        if self.lib.bb_storage_open_memory(self.ffi.NULL, out, self.ffi.NULL) != self.lib.BB_OK:
            path = os.path.join(tempfile.mkdtemp(dir=folder), "contacts.db").encode()
            assert self.lib.bb_storage_open_sqlite(path, len(path), self.ffi.NULL, out,
                                                   self.ffi.NULL) == self.lib.BB_OK
        error = self.new("bb_error")
        for code in (self.lib.bb_storage_migrate(out[0], 0, error),
                     self.lib.bb_storage_chatbot_add(out[0], 123, 1, 0, error)):
            assert code == self.lib.BB_OK, self.ffi.string(error.message)
        return out[0]

    def handle(self, storage, **members):
        out = self.ffi.new("bb_contacts **")
        config = self.new("bb_config", timeout_ms=PATIENCE * 1000, **members)
        config.log = self.callback("bb_log_fn", self.log)
        assert self.lib.bb_contacts_open(storage, config, out, self.ffi.NULL) == self.lib.BB_OK
        return out[0]

    def request(self, body=ONE, **members):
        principal = self.new("bb_principal", workspace_id=1)
        self.kept.append(principal)
        return self.new("bb_request", chatbot_id=self.bytes(b"123"), chatbot_id_len=3,
                        principal=principal, body=self.bytes(body), body_len=len(body), **members)

    def read(self, result):
        """Frees a result after it has been read in one call: HTTP status, code, outcomes, body."""
        view = self.new("bb_result_view")
        assert self.lib.bb_result_read(result, view) == self.lib.BB_OK
        outcomes = bytes(self.ffi.buffer(view.outcomes, view.entries)) if view.entries else b""
        read = (view.http_status, view.code, outcomes, self.ffi.unpack(view.body, view.body_len))
        self.lib.bb_results_free(self.ffi.new("bb_result *[]", [result, self.ffi.NULL]), 2)
        return read

    def upsert(self, contacts, **members):
        return self.read(self.lib.bb_contacts_upsert(contacts, self.request(**members)))


def check_requests(binding, folder):
    lib = binding.lib
    storage = binding.storage(folder)
    contacts = binding.handle(storage)
    lib.bb_storage_close(storage)  # as a finalizer may: the handle keeps it
    http, code, outcomes, body = binding.upsert(contacts)
    assert (http, code, outcomes) == (200, lib.BB_OK, bytes([lib.BB_CREATED] * 2)), body
    assert body.startswith(b'{"message":"Success","data":[{"id":"contact_'), body
    assert binding.upsert(contacts)[2] == bytes([lib.BB_UNCHANGED, lib.BB_CREATED])
    assert binding.upsert(contacts, body=b"[")[:2] == (400, lib.BB_ERR_ARGUMENT)
    assert binding.upsert(contacts, timeout_ms=lib.BB_TIMEOUT_NONE_LEFT)[:2] == \
        (503, lib.BB_ERR_DEADLINE)
    lib.bb_contacts_close(contacts)


def check_submitting(binding, folder):
    """The answer comes on a thread of the library's."""
    lib = binding.lib
    storage = binding.storage(folder)
    contacts = binding.handle(storage, workers=2)
    answered, answers = threading.Event(), []

    def done(_, result):
        answers.append(binding.read(result))
        answered.set()

    known = lib.bb_contacts_submit(contacts, binding.request(), binding.callback("bb_done_fn", done),
                                   binding.ffi.NULL, binding.ffi.NULL)
    assert known == binding.ffi.NULL and answered.wait(PATIENCE)
    assert answers[0][0] == 200
    lib.bb_contacts_close(contacts)
    lib.bb_storage_close(storage)


def check_callbacks(binding, folder):
    """An exception is a 500 with a line in the log, not a key that nobody has made."""
    ffi, lib = binding.ffi, binding.lib
    storage = binding.storage(folder)

    def half(_, out, length):
        ffi.buffer(out, length)[: length // 2] = os.urandom(length // 2)
        raise RuntimeError

    def whole(_, out, length):
        ffi.buffer(out, length)[:] = os.urandom(length)
        return length

    for random, clock, expected in ((half, None, 500), (None, half, 500), (whole, None, 200)):
        members = {}
        if random:
            members["random_bytes"] = binding.callback("bb_random_bytes_fn", random)
        if clock:
            members["clock"] = binding.callback("bb_clock_fn", clock)
        contacts = binding.handle(storage, **members)
        binding.lines.clear()
        assert binding.upsert(contacts)[0] == expected
        assert len(binding.lines) == (expected == 500), binding.lines
        lib.bb_contacts_close(contacts)
    out = ffi.new("char[128]")
    for random, expected in ((half, lib.BB_ERR_INTERNAL), (whole, lib.BB_OK)):
        options = binding.new("bb_key_options", workspace_id=1)
        options.random_bytes = binding.callback("bb_random_bytes_fn", random)
        assert lib.bb_storage_key_add(storage, options, out, 128, 0, ffi.NULL) == expected
    lib.bb_storage_close(storage)


def check_all(mode, ffi, lib, folder):
    check_requests(Binding(ffi, lib), folder)
    check_submitting(Binding(ffi, lib), folder)
    check_callbacks(Binding(ffi, lib), folder)
    print(f"{mode}: requests, submitting, callbacks that raise")


def compiled(text, library, folder):
    """The same as a module of C; None without Python's headers."""
    if not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")):
        return None
    maker = cffi.FFI()
    maker.cdef(text)
    maker.set_source("bb_foreign", INCLUDES, include_dirs=[os.path.abspath("include")],
                     extra_link_args=[library, f"-Wl,-rpath,{os.path.dirname(library)}"])
    path = maker.compile(tmpdir=folder)
    spec = importlib.util.spec_from_file_location("bb_foreign", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main():
    library = os.path.abspath(sys.argv[1])
    text = declarations()
    ffi = cffi.FFI()
    ffi.cdef(text)
    lib = ffi.dlopen(library)
    with tempfile.TemporaryDirectory() as folder:
        check_declarations(text, ffi, lib)
        check_layouts(ffi, folder)
        check_all("dlopen", ffi, lib, folder)
        module = compiled(text, library, folder)
        if module is None:
            print("no Python.h: not compiled")
        else:
            check_all("compiled", module.ffi, module.lib, folder)


main()
