"""What the server's tests share: stores, servers, and clients that send exact bytes."""

import contextlib
import http.client
import io
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
import unittest
import urllib.parse
import uuid

SERVER = os.environ["BB_TEST_SERVER"]
ADMIN = os.environ.get("BB_TEST_ADMIN", SERVER)  # the program that makes chatbots and keys
EVENT_LOOP = os.path.basename(SERVER) == "bb-contacts-uv"
SERVE = [SERVER] if EVENT_LOOP else [SERVER, "serve"]
BACKEND = os.environ["BB_TEST_BACKEND"]
BODY_LIMIT = 16 * 1024 * 1024  # C7

# Seconds within which an expected event happens, on machines that are slow, busy, or stand still
# for a while; and the time that a server gives a request: longer, so that none of the server's own
# times passes during such a wait, unless a test sets it.
PATIENCE = 120
TIMEOUT = 5 * PATIENCE

# A sanitizer's shadow, and the freed memory that it keeps, are resident too, so only a server
# without one shows how much it takes.
with open(SERVER, "rb") as program:
    SANITIZED = re.search(rb"__[atm]san_init\b", program.read()) is not None

# Tests in which the store plays no part run with one store, in each build.
once = unittest.skipIf(os.environ.get("BB_TEST_ONCE") == "0", "tested with another store")

# A memory: store lives inside one process, so nothing can be added to it from outside.
threaded_only = unittest.skipIf(EVENT_LOOP, "is about bb-contacts-server")
event_loop_only = unittest.skipUnless(EVENT_LOOP, "is about bb-contacts-uv")
needs_shared_store = unittest.skipIf(BACKEND == "memory", "needs a store that two processes share")


def psql(uri, *commands):
    arguments = [word for command in commands for word in ("-c", command)]
    subprocess.run(
        ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", uri, *arguments],
        check=True,
        stdout=subprocess.DEVNULL,
    )


class Store:
    """A store that is empty and goes away in the end."""

    def __init__(self):
        self.folder = tempfile.mkdtemp()
        if BACKEND == "memory":
            self.uri = "memory:"
        elif BACKEND == "sqlite":
            self.uri = "sqlite:" + os.path.join(self.folder, "contacts.db")
        else:
            self.admin_uri = os.environ["BB_TEST_POSTGRES"]
            self.database = "bb_server_" + uuid.uuid4().hex
            psql(self.admin_uri, f"CREATE DATABASE {self.database}")
            parts = urllib.parse.urlsplit(self.admin_uri)
            # Not urlunsplit(), which drops the // of a URI without a host.
            self.uri = f"{parts.scheme}://{parts.netloc}/{self.database}"
            if parts.query:
                self.uri += "?" + parts.query

    def close(self):
        if BACKEND == "postgres":
            psql(self.admin_uri, f"DROP DATABASE {self.database} WITH (FORCE)")
        shutil.rmtree(self.folder)

    @contextlib.contextmanager
    def locked(self):
        """Holds a lock that every write has to wait for."""
        if BACKEND == "sqlite":
            connection = sqlite3.connect(
                self.uri.removeprefix("sqlite:"), timeout=PATIENCE, isolation_level=None
            )
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            finally:
                connection.close()
            return
        lock = subprocess.Popen(
            ["psql", "-X", "-q", "-A", "-t", self.uri],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        lock.stdin.write(
            "BEGIN;\n"
            "SELECT format('LOCK TABLE %I.%I', schemaname, tablename) FROM pg_tables\n"
            "WHERE schemaname NOT IN ('pg_catalog', 'information_schema') \\gexec\n"
            "SELECT 'locked';\n"
        )
        lock.stdin.flush()
        assert lock.stdout.readline() == "locked\n"
        try:
            yield
        finally:
            lock.communicate()


def run(*arguments, program=(ADMIN,), store=None, stdout=subprocess.PIPE, **options):
    """Runs a program to its end."""
    words = [*program, *(["--store", store.uri] if store else []), *arguments]
    return subprocess.run(
        words, stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=PATIENCE, **options
    )


class Server:
    """A running server; `key` is the demo key, `files` how many it may open."""

    def __init__(self, store, *arguments, key=None, files=None):
        self.store = store
        self.log = tempfile.TemporaryFile()
        environment = dict(os.environ)
        environment.pop("BOOKBAG_API_KEY", None)
        if key is not None:
            environment["BOOKBAG_API_KEY"] = key
        words = [*SERVE, "--store", store.uri, "--listen", "127.0.0.1:0", "--demo"]
        words += ["--timeout", str(TIMEOUT)]
        if EVENT_LOOP:
            words += ["--head-time", str(TIMEOUT), "--body-time", str(TIMEOUT)]
        words += arguments
        if files is not None:
            words = ["sh", "-c", f'ulimit -n {files}; exec "$@"', "sh", *words]
        self.process = subprocess.Popen(
            words,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env=environment,
        )
        self.output = []
        for line in self.process.stdout:
            self.output.append(line.rstrip("\n"))
            if line.startswith("listening on "):
                break
        else:
            self.wait()
            raise AssertionError(f"the server did not start: {self.read_log()}")
        self.url = self.output[-1].removeprefix("listening on ")
        parts = urllib.parse.urlsplit(self.url)
        self.host, self.port = parts.hostname, parts.port
        self.key = self.output[0].removeprefix("BOOKBAG_API_KEY=") if self.output[1:] else key

    def read_log(self):
        """What it logged; once, at the end."""
        with self.log:
            self.log.seek(0)
            return self.log.read().decode()

    def peak_memory(self):
        """The most memory that it has had, in bytes."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return int(re.search(r"VmHWM:\s+(\d+) kB", status.read())[1]) * 1024

    def processor_seconds(self):
        """The processor time that it has used."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as status:
            fields = status.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def wait(self, timeout=PATIENCE):
        status = self.process.wait(timeout)
        self.process.stdout.close()
        return status

    def stop(self):
        """Ends it; what it logged must not hold the key (A5)."""
        if self.process.poll() is None:
            self.terminate()
        status = self.wait()
        log = self.read_log()
        assert status == 0, f"exit status {status}: {log}"
        assert self.key not in log, "the log holds a key"

    def connect(self):
        return socket.create_connection((self.host, self.port), timeout=PATIENCE)


class Answer:
    """A response, read and checked: every one is JSON (A3)."""

    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()
        assert response.headers["Content-Type"] == "application/json", response.headers.items()
        self.json = json.loads(self.body) if self.body else None

    @property
    def outcome(self):
        return self.status, self.json["message"]

    @property
    def contact(self):
        assert self.status == 200, (self.status, self.body)
        assert len(self.json["data"]) == 1
        return self.json["data"][0]


def path_of(chatbot):
    return f"/api/v1/chatbots/{chatbot}/contacts"


def read_answer(connection, method="POST"):
    """Reads one response from a socket that requests were written to by hand."""
    response = http.client.HTTPResponse(connection, method=method)
    response.begin()
    return Answer(response)


class AnswerReader(io.BufferedReader):
    """Reads one response after another from a socket, which an HTTPResponse by itself does not:
    it may take bytes of the next one into its buffer."""

    def __init__(self, connection):
        super().__init__(socket.SocketIO(connection, "r"))

    def makefile(self, _mode):
        return self

    def close(self):
        pass


class TestCase(unittest.TestCase):
    """A server on an empty store for each class of tests."""

    maxDiff = None
    arguments = ()  # for the server

    @classmethod
    def setUpClass(cls):
        cls.store = Store()
        cls.addClassCleanup(cls.store.close)
        cls.server = Server(cls.store, *cls.arguments)
        cls.addClassCleanup(cls.server.stop)

    def start(self, *arguments, **options):
        """Another server on the store, for one test."""
        server = Server(self.store, *arguments, **options)
        self.addCleanup(server.stop)
        return server

    def connect_to(self, server):
        connection = server.connect()
        self.addCleanup(connection.close)
        return connection

    def request(self, method, path, body=None, headers=None, server=None):
        server = server or self.server
        client = http.client.HTTPConnection(server.host, server.port, timeout=PATIENCE)
        try:
            client.request(method, path, body=body, headers=headers or {})
            return Answer(client.getresponse())
        finally:
            client.close()

    def post(self, body, chatbot=123, key=None, server=None, **headers):
        """Sends bytes, or anything else as JSON, to the endpoint."""
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        sent = {"Authorization": f"Bearer {key or self.server.key}"}
        sent.update({name.replace("_", "-"): value for name, value in headers.items()})
        return self.request("POST", path_of(chatbot), body, sent, server)

    def head(self, *lines, chatbot=123, key=None):
        """The bytes of a request line and headers, to be sent by hand."""
        all_lines = [
            f"POST {path_of(chatbot)} HTTP/1.1",
            "Host: test",
            f"Authorization: Bearer {key or self.server.key}",
            *lines,
        ]
        return "".join(line + "\r\n" for line in all_lines).encode() + b"\r\n"

    def assert_memory_below(self, most):
        """That the server has never had more bytes, where that can be seen."""
        if not SANITIZED:
            self.assertLess(self.server.peak_memory(), most)

    def run_on_store(self, *arguments, **options):
        return run(*arguments, store=self.store, **options)

    def add_key(self, *arguments):
        added = self.run_on_store("key", "add", *arguments)
        self.assertEqual(added.returncode, 0, added.stderr)
        return added.stdout.strip()


def wait_until(condition, seconds=PATIENCE):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def in_time(attempt, seconds, tries=20):
    """Makes an attempt that fails for good only if that took less than so many seconds, which is a
    time of the server's that no option sets, or the last one did: where it took longer the machine
    was slow, and that time has passed in between."""
    for left in reversed(range(tries)):
        start = time.monotonic()
        try:
            return attempt()
        except (AssertionError, OSError):
            if left == 0 or time.monotonic() - start < seconds:
                raise
