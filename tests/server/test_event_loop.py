"""What is particular to a server with one thread for all connections."""

import contextlib
import json
import os
import resource
import select
import socket
import struct
import threading
import time
import unittest

from harness import (
    BODY_LIMIT,
    PATIENCE,
    SERVE,
    AnswerReader,
    Server,
    Store,
    TestCase,
    event_loop_only,
    in_time,
    needs_shared_store,
    path_of,
    read_answer,
    run,
    wait_until,
)

ONE = b'{"users":[{"external_id":"one"}]}'
GONE = 1  # seconds in which a client that has closed its side is answered, if it is at all
HARD_LIMIT = resource.getrlimit(resource.RLIMIT_NOFILE)[1]


class EventLoopTestCase(TestCase):
    def message(self, body=ONE, *lines, **options):
        return self.head(f"Content-Length: {len(body)}", *lines, **options) + body

    def connect(self):
        connection = self.server.connect()
        self.addCleanup(connection.close)
        return connection

    def open_files(self):
        return len(os.listdir(f"/proc/{self.server.process.pid}/fd"))

    def metric(self, name):
        with self.server.connect() as connection:
            connection.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            text = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        for line in text.splitlines():
            if line.startswith(f"bb_contacts_{name} "):
                return float(line.split(" ")[1])
        raise AssertionError(name)


@event_loop_only
class ManyConnections(EventLoopTestCase):
    COUNT = min(1000, HARD_LIMIT - 100)
    arguments = ("--idle", "600")  # on a busy machine each waits long for its turn

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        cls.addClassCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        resource.setrlimit(resource.RLIMIT_NOFILE, (HARD_LIMIT, HARD_LIMIT))

    def test_all_are_answered_and_kept_and_let_go(self):
        before = self.open_files()
        connections = [self.server.connect() for _ in range(self.COUNT)]
        for turn in range(2):
            for i, connection in enumerate(connections):
                body = json.dumps({"users": [{"external_id": f"c{i}", "name": str(turn)}]})
                connection.sendall(self.message(body.encode()))
            for i, connection in enumerate(connections):
                contact = read_answer(connection).contact
                self.assertEqual((contact["external_id"], contact["name"]), (f"c{i}", str(turn)))
        for connection in connections:
            connection.close()
        wait_until(lambda: self.open_files() < before + 20)  # the store may have opened some

    def test_slow_bodies_hold_up_nobody(self):
        slow = [self.server.connect() for _ in range(100)]
        for connection in slow:
            connection.sendall(self.head(f"Content-Length: {len(ONE)}"))
        for byte in ONE[:-1]:
            for connection in slow:
                connection.sendall(bytes([byte]))
        for _ in range(5):
            self.assertEqual(self.post(ONE).status, 200)  # before the slow ones are at an end
        for connection in slow:
            connection.sendall(ONE[-1:])
        for connection in slow:
            self.assertEqual(read_answer(connection).status, 200)
            connection.close()


@event_loop_only
class Strangers(EventLoopTestCase):
    """Many who have no key and announce bodies that nobody asks about, being small."""

    COUNT = 4200  # times 64 KiB is more than the server holds at all
    arguments = ("--idle", "600")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if HARD_LIMIT < cls.COUNT + 200:
            raise unittest.SkipTest("not enough files can be opened")
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        cls.addClassCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        resource.setrlimit(resource.RLIMIT_NOFILE, (HARD_LIMIT, HARD_LIMIT))

    def test_A1_bodies_of_strangers_leave_room_to_others(self):
        before = self.server.peak_memory()
        message = self.head("Content-Length: 33000", key="oc_test_unknown") + b" " * 32999
        for _ in range(self.COUNT):
            self.connect().sendall(message)
        for length in (0, len(ONE), 60 * 1024, 1024 * 1024):
            answer = self.post(ONE.ljust(length))
            self.assertEqual(answer.status, 200, answer.json)
        connection = self.connect()
        connection.sendall(self.head("Content-Length: 33000", key="oc_test_unknown"))
        self.assertEqual(read_answer(connection).outcome, (401, "Invalid API key."))
        # what strangers may take together, and what is read of each that waits to be asked about
        self.assert_memory_below(before + 40 * 1024 * 1024 + self.COUNT * 17 * 1024)


@event_loop_only
class Ahead(EventLoopTestCase):
    """Requests sent before the answers to those before them are there."""

    def test_of_every_kind(self):
        large = ONE.ljust(200 * 1024)
        chunked = b"".join(b"%x\r\n%s\r\n" % (len(ONE), ONE) for _ in range(1)) + b"0\r\n\r\n"
        kinds = [
            (self.message(), 200),
            (b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n", 200),
            (self.message(large), 200),
            (self.message(b"{"), 400),
            (self.head("Transfer-Encoding: chunked") + chunked, 200),
            (self.message(chatbot=999), 404),
            (self.message(key="oc_test_unknown"), 401),
            (b"POST /nowhere HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\nabc", 404),
        ]
        connection = self.connect()
        sender = threading.Thread(
            target=connection.sendall, args=(b"".join(message for message, _ in kinds) * 5,)
        )
        sender.start()
        reader = AnswerReader(connection)
        for _ in range(5):
            for message, status in kinds:
                self.assertEqual(read_answer(reader).status, status, message[:60])
        sender.join()

    def test_more_than_the_server_keeps(self):
        def attempt():
            connection = self.connect()
            connection.sendall(self.message() * 500)
            connection.shutdown(socket.SHUT_WR)
            reader = AnswerReader(connection)
            for _ in range(500):
                self.assertEqual(read_answer(reader).status, 200)
            self.assertEqual(connection.recv(1), b"")

        in_time(attempt, GONE)

    def test_by_a_client_that_does_not_read(self):
        before = self.server.peak_memory()
        connection = self.connect()
        connection.setblocking(False)
        healthz = b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n" * 1000
        sent = 0
        stuck = time.monotonic() + 0.5
        while time.monotonic() < stuck and sent < 100 * 1024 * 1024:
            try:
                sent += connection.send(healthz[sent % len(healthz) :])
                stuck = time.monotonic() + 0.5
            except BlockingIOError:
                time.sleep(0.01)
        self.assertLess(sent, 100 * 1024 * 1024, "the server stops reading")
        self.assert_memory_below(before + 16 * 1024 * 1024)
        self.assertEqual(self.post(ONE).status, 200)

    def test_a_last_request_ends_it(self):
        connection = self.connect()
        connection.sendall(self.message(ONE, "Connection: close") + self.message() * 3)
        reader = AnswerReader(connection)
        answer = read_answer(reader)
        self.assertEqual((answer.status, answer.headers["Connection"]), (200, "close"))
        self.assertEqual(reader.read(1), b"")


@event_loop_only
class Messages(EventLoopTestCase):
    """Odd ones, and wrong ones."""

    def refused(self, message, status):
        connection = self.connect()
        connection.sendall(message)
        answer = read_answer(connection)
        self.assertEqual((answer.status, answer.headers["Connection"]), (status, "close"), message)
        self.assertEqual(connection.recv(1), b"")

    def test_malformed(self):
        for message in (
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            b"nonsense\r\n\r\n",
            b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: x\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: test\r\nno colon\r\n\r\n",
            self.head("Transfer-Encoding: chunked") + b"xyz\r\n",
        ):
            self.refused(message, 400)

    def test_line_and_headers_have_a_bound(self):
        many = b"".join(b"X-%d: y\r\n" % i for i in range(3000))
        for message in (
            b"GET /" + b"x" * 20000 + b" HTTP/1.1\r\nHost: test\r\n\r\n",
            b"GET /healthz HTTP/1.1\r\nHost: test\r\nX: " + b"x" * 20000 + b"\r\n\r\n",
            b"GET /healthz HTTP/1.1\r\nHost: test\r\n" + many + b"\r\n",
            b"GET /healthz HTTP/1.1\r\nHost: test\r\nX: " + b" " * 20000 + b"\r\n\r\n",
            b"\r\n" * 10000 + b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n",
        ):
            self.refused(message, 431)
        connection = self.connect()
        connection.sendall(self.message(ONE, "X: " + "x" * 15000))
        self.assertEqual(read_answer(connection).status, 200)

    def test_what_is_around_chunks_has_a_bound(self):
        head = self.head("Transfer-Encoding: chunked")
        for message in (
            head + b"%x;x=" % len(ONE) + b"y" * 20000 + b"\r\n" + ONE + b"\r\n0\r\n\r\n",
            head + b"%x\r\n" % len(ONE) + ONE + b"\r\n0\r\n" + b"X: y\r\n" * 4000 + b"\r\n",
        ):
            self.refused(message, 400)
        connection = self.connect()
        small = b"".join(b"0001;x=y\r\n%c\r\n" % byte for byte in ONE.ljust(10000))
        connection.sendall(head + small + b"0\r\n\r\n")
        self.assertEqual(read_answer(connection).status, 200)

    def test_a_trailer_is_no_header(self):
        connection = self.connect()
        head = f"POST {path_of(123)} HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n"
        trailer = f"Authorization: Bearer {self.server.key}\r\n"
        chunks = b"%x\r\n%s\r\n0\r\n" % (len(ONE), ONE)
        connection.sendall(head.encode() + b"\r\n" + chunks + trailer.encode() + b"\r\n")
        self.assertEqual(read_answer(connection).outcome, (401, "No API key provided."))
        other = self.head("Transfer-Encoding: chunked")
        connection = self.connect()
        connection.sendall(other + chunks + b"Authorization: Bearer x\r\nX: y\r\n\r\n")
        self.assertEqual(read_answer(connection).status, 200)

    def test_target_may_be_a_whole_url(self):
        connection = self.connect()
        line = f"POST {path_of(123)} ".encode()
        whole = f"POST http://test:1{path_of(123)}?a=b ".encode()
        connection.sendall(self.message().replace(line, whole))
        self.assertEqual(read_answer(connection).status, 200)
        connection.sendall(b"GET http://test HTTP/1.1\r\nHost: test\r\n\r\n")
        self.assertEqual(read_answer(connection).status, 404)

    def test_other_protocols_are_not_spoken(self):
        connection = self.connect()
        upgrade = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAA")
        connection.sendall(self.message(ONE, *upgrade) + self.message())
        reader = AnswerReader(connection)
        for _ in range(2):
            self.assertEqual(read_answer(reader).status, 200)
        connection.sendall(b"CONNECT test:80 HTTP/1.1\r\nHost: test:80\r\n\r\n")
        self.assertEqual(read_answer(reader).status, 404)

    def test_answers_have_a_date(self):
        self.assertRegex(
            self.post(ONE).headers["Date"], r"^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$"
        )

    def test_large_body_from_pieces_comes_out_whole(self):
        filler = "x" * (1000 * 1000)
        users = [{"external_id": f"l{i}", "custom_attributes": {"f": filler}} for i in range(15)]
        body = json.dumps({"users": users}).encode()
        self.assertLess(len(body), BODY_LIMIT)
        self.assertEqual([c["custom_attributes"]["f"] for c in self.post(body).json["data"]],
                         [filler] * 15)


@event_loop_only
@needs_shared_store
class ClientsThatGo(EventLoopTestCase):
    """While their requests wait: one is being written, and waits for the lock; more are queued."""

    arguments = ("--workers", "1")

    def waiting(self, count, name):
        """So many connections, each with a request that waits."""
        connections = []
        for i in range(count):
            body = json.dumps({"users": [{"external_id": f"{name}{i}"}]}).encode()
            connections.append(self.connect())
            connections[-1].sendall(self.message(body))
        return connections

    def hold(self):
        """One that keeps the worker busy, as long as the store is locked."""
        connection = self.waiting(1, "held")[0]
        wait_until(self.is_busy)
        wait_until(lambda: self.metric("queue_requests") == 0)
        return connection

    def is_busy(self):
        return self.metric('sessions{state="busy"}') == 1

    def wait_until_idle(self):
        wait_until(lambda: self.metric("queue_requests") == 0)
        wait_until(lambda: not self.is_busy())

    def contacts_created(self):
        return self.metric('contacts_total{outcome="created"}')

    def test_reset_cancels_at_once(self):
        before = self.open_files()
        self.wait_until_idle()
        cancelled = self.metric("cancelled_total")
        with self.store.locked():
            held = self.hold()
            queued = self.waiting(20, "reset")
            wait_until(lambda: self.metric("queue_requests") >= 20)
            for connection in queued:
                connection.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
                connection.close()
            wait_until(lambda: self.metric("cancelled_total") == cancelled + 20)
            self.assertEqual(self.metric("queue_requests"), 0)
        self.assertEqual(read_answer(held).status, 200)
        held.close()
        created = self.contacts_created()
        self.assertEqual(self.post({"users": [{"external_id": "reset0"}]}).status, 200)
        self.assertEqual(self.contacts_created(), created + 1, "it was not stored before")
        wait_until(lambda: self.open_files() < before + 20)

    def test_closed_side_gets_an_answer_for_a_second_and_is_cancelled_then(self):
        self.wait_until_idle()
        cancelled = self.metric("cancelled_total")
        with self.store.locked():
            held = self.hold()
            queued = self.waiting(3, "half")
            wait_until(lambda: self.metric("queue_requests") >= 3)
            start = time.monotonic()
            for connection in queued:
                connection.shutdown(socket.SHUT_WR)
            for connection in queued:
                answer = read_answer(connection)
                self.assertEqual(answer.outcome, (503, "Service unavailable"))
                self.assertEqual(answer.headers["Retry-After"], "1")
            self.assertGreater(time.monotonic() - start, 0.9)
            self.assertEqual(self.metric("cancelled_total"), cancelled + 3)
        self.assertEqual(read_answer(held).status, 200)

    def test_while_a_large_body_is_checked_or_written(self):
        body = json.dumps(
            {"users": [{"external_id": f"g{i}", "name": "x" * 1000} for i in range(1000)]}
        ).encode()
        for pause in (0, 0, 0.001, 0.005, 0.02, 0.05):
            connection = self.connect()
            connection.sendall(self.message(body))
            time.sleep(pause)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
        self.assertEqual(self.post(body).status, 200)

    def test_the_loop_goes_on_while_the_store_waits(self):
        with self.store.locked():
            self.waiting(30, "loop")
            for _ in range(20):
                self.assertEqual(self.request("GET", "/healthz").status, 200)


@event_loop_only
class Limits(EventLoopTestCase):
    def test_large_bodies_that_arrive_have_a_bound_together(self):
        server = self.start("--idle", "600")  # on a busy machine it takes a while
        head = (
            f"POST {path_of(123)} HTTP/1.1\r\nHost: test\r\n"
            f"Authorization: Bearer {server.key}\r\nContent-Length: "
        ).encode()

        def status_of(length):
            with server.connect() as connection:
                connection.sendall(head + b"%d\r\n\r\n" % length + ONE.ljust(length))
                return read_answer(connection).status

        arriving = []
        for _ in range(13):  # room is made by doubling: each takes 16 MiB, of 192
            arriving.append(self.connect_to(server))
            arriving[-1].sendall(head + b"15000000\r\n\r\n" + b" " * (9 * 1024 * 1024))
        answered, _, _ = select.select(arriving, [], [], PATIENCE)
        self.assertEqual(read_answer(answered[0]).outcome, (503, "Service unavailable"))
        self.assertEqual(status_of(60 * 1024), 200)
        for connection in arriving:
            connection.close()
        wait_until(lambda: status_of(100 * 1024) == 200)

    def test_large_bodies_need_no_new_thread(self):
        server = self.start()
        _, most = resource.getrlimit(resource.RLIMIT_STACK)
        if most != resource.RLIM_INFINITY:
            self.skipTest("the limit on stacks cannot be raised")
        # No stack of this size fits into the address space, so that no thread can be made.
        resource.prlimit(server.process.pid, resource.RLIMIT_STACK, (1 << 50, most))
        for _ in range(2):
            body = ONE.ljust(200 * 1024)
            self.assertEqual(self.post(body, key=server.key, server=server).status, 200)

    def test_idle_connections_are_closed(self):
        server = self.start("--idle", "1")
        sent = (b"", b"POST", self.message()[:-1], self.head("Transfer-Encoding: chunked"))
        connections = []
        for part in sent:
            connection = self.connect_to(server)
            connection.sendall(part)
            connections.append(connection)
        self.read_to_the_end(connections[0], b"")
        self.assertEqual(read_answer(connections[1]).outcome, (408, "Request timeout"))
        for connection in connections[2:]:
            self.read_to_the_end(connection)  # the last one's answer is a 401, of this server's key

    def refused_as_late(self, server, begin):
        """The server has had enough of a client that sends a byte now and then."""
        with self.connect_to(server) as connection:
            connection.sendall(begin)
            for _ in range(50 * PATIENCE):
                answered, _, _ = select.select([connection], [], [], 0.02)
                if answered:
                    break
                connection.sendall(b" ")
            else:
                self.fail("it has waited for ever")
            answer = read_answer(connection)
            self.assertEqual(answer.outcome, (408, "Request timeout"))
            self.assertEqual(answer.headers["Connection"], "close")

    def test_a_head_has_a_time_to_arrive(self):
        server = self.start("--idle", "600", "--head-time", "1")
        self.refused_as_late(server, b"GET /healthz HTTP/1.1\r\nHost: test\r\nX:")

    def test_a_body_has_a_time_to_arrive(self):
        server = self.start("--idle", "600", "--body-time", "1")
        self.refused_as_late(server, self.head("Content-Length: 60000"))
        self.refused_as_late(server, self.head("Content-Length: 10000000", key=server.key))

    def read_to_the_end(self, connection, expected=None):
        """Which comes as a reset where a slow client has sent something after the server's end."""
        with contextlib.suppress(ConnectionError):
            received = b"".join(iter(lambda: connection.recv(1000), b""))
            if expected is not None:
                self.assertEqual(received, expected)

    def test_more_connections_than_files_wait_until_others_go(self):
        server = self.start(files=192)  # of which 64 are kept for other things
        connections = [self.connect_to(server) for _ in range(140)]
        for connection in connections:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n")
        for connection in connections[:128]:
            self.assertEqual(read_answer(connection, "GET").status, 200)
        connections[128].settimeout(0.3)
        with self.assertRaises(TimeoutError):
            connections[128].recv(1)
        for connection in connections[:20]:
            connection.close()
        connections[128].settimeout(PATIENCE)
        for connection in connections[128:]:
            self.assertEqual(read_answer(connection, "GET").status, 200)


@event_loop_only
class Usage(unittest.TestCase):
    def test_wrong_usage_is_status_2_and_one_line(self):
        for words in (
            ["serve"],
            ["--workers", "0"],
            ["--workers", "257"],
            ["--workers", "x"],
            ["--idle", "0"],
            ["--head-time", "0"],
            ["--body-time", "86401"],
            ["--timeout", "0"],
            ["--store", "memory:", "--listen", "8080"],
            ["--store", "mysql://x"],
            ["--demo=x"],
            ["--store"],
            ["-x"],
        ):
            done = run(*words, program=SERVE)
            self.assertEqual((done.returncode, done.stdout), (2, ""), words)
            self.assertRegex(done.stderr, r"^bb-contacts-uv: [^\n]+\n$", words)

    def test_help_and_version(self):
        done = run("--help", program=SERVE)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertTrue(done.stdout.startswith("usage: bb-contacts-uv "))
        self.assertLess(max(map(len, done.stdout.splitlines())), 101)
        done = run("--version", program=SERVE)
        self.assertRegex(done.stdout, r"^bb-contacts-uv \d+\.\d+\.\d+\n$")


@event_loop_only
class Ends(unittest.TestCase):
    def test_with_large_bodies_on_their_way(self):
        store = Store()
        self.addCleanup(store.close)
        server = Server(store)
        self.addCleanup(server.stop)
        users = [{"external_id": f"e{i}", "name": "x" * 2000} for i in range(1000)]
        body = json.dumps({"users": users}).encode()
        message = (
            f"POST {path_of(123)} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {server.key}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode() + body
        connections = [server.connect() for _ in range(4)]
        for connection in connections:
            connection.sendall(message)
        connections[0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connections[0].close()
        server.terminate()
        for connection in connections[1:]:
            answer = read_answer(connection)
            self.assertEqual((answer.status, answer.headers["Connection"]), (200, "close"))
            connection.close()
        self.assertEqual(server.wait(), 0)
