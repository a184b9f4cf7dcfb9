"""Connections of the server with a thread for each: how many, how long, and what they cost."""

import sqlite3
import time

from harness import BACKEND, BODY_LIMIT, TestCase, once, read_answer, threaded_only

HEALTHZ = b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n"
MOST = 512


class ThreadedTestCase(TestCase):
    def is_answered(self, connection):
        connection.sendall(HEALTHZ)
        self.assertEqual(read_answer(connection, "GET").status, 200)

    def assert_waits(self, connection):
        """Taken by the kernel, not yet by the server; and not closed."""
        timeout = connection.gettimeout()
        connection.settimeout(0.3)
        with self.assertRaises(TimeoutError):
            connection.recv(1)
        connection.settimeout(timeout)

    def assert_rests(self, server, seconds=2):
        """The server uses no processor while there is nothing to do. A busy machine gives less of
        it to a thread that spins, too, but not that much less."""
        before = server.processor_seconds()
        time.sleep(seconds)
        self.assertLess(server.processor_seconds() - before, seconds / 10)


@threaded_only
@once
class Many(ThreadedTestCase):
    def test_more_than_there_may_be_wait_until_others_go(self):
        server = self.start("--idle", "600")  # on a busy machine each waits long for its turn
        connections = [self.connect_to(server) for _ in range(MOST + 20)]
        for connection in connections[:MOST]:
            self.is_answered(connection)
        for connection in connections[MOST:]:
            connection.sendall(HEALTHZ)
        self.assert_waits(connections[MOST])
        self.assert_rests(server)
        for connection in connections[:20]:
            connection.close()
        for connection in connections[MOST:]:
            self.assertEqual(read_answer(connection, "GET").status, 200)

    def test_more_than_there_are_files_for_wait_until_others_go(self):
        server = self.start("--idle", "600", files=48)
        connections = [self.connect_to(server) for _ in range(60)]
        for connection in connections:
            connection.sendall(HEALTHZ)
        self.assertEqual(read_answer(connections[0], "GET").status, 200)
        self.assert_waits(connections[-1])
        self.assert_rests(server)
        for i, connection in enumerate(connections):
            if i > 0:
                self.assertEqual(read_answer(connection, "GET").status, 200)
            connection.close()


@threaded_only
@once
class Idle(ThreadedTestCase):
    def test_idle_connections_are_closed(self):
        server = self.start("--idle", "1")
        for sent in (b"", b"POST", self.head("Content-Length: 1")):
            connection = self.connect_to(server)
            connection.sendall(sent)
            self.assertEqual(connection.recv(1), b"")


@threaded_only
class Gone(ThreadedTestCase):
    """A refused upload, whose client has closed, is not waited for. (Without workers, the thread of
    the connection is the one that reads from the store.)"""

    arguments = ("--workers", "0")

    def write(self, name):
        self.assertEqual(self.post({"users": [{"external_id": name}]}).status, 200)

    def refuse_uploads(self):
        for i in range(4):
            self.write(f"gone_{i}")
            with self.server.connect() as connection:
                connection.sendall(self.head(f"Content-Length: {BODY_LIMIT + 1}"))
                self.assertEqual(read_answer(connection).status, 413)
        self.assert_rests(self.server)

    def test_client_of_a_refused_upload(self):
        if BACKEND != "sqlite":
            self.refuse_uploads()
            return
        # A reader in another process, which reads an older state from the write-ahead log, holds a
        # lock. The first thread that reads a newer state meets it, and errno keeps a value that
        # means nothing.
        self.write("log")
        reader = sqlite3.connect(self.store.uri.removeprefix("sqlite:"), isolation_level=None)
        self.addCleanup(reader.close)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM bb_contacts").fetchall()
        self.refuse_uploads()
