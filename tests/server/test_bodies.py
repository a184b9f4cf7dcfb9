"""Bodies: pieces, chunks, and the limit, which holds while they arrive (C7)."""

import gzip
import json
import socket
import subprocess
import time

from harness import BODY_LIMIT, PATIENCE, TestCase, in_time, path_of, read_answer

ONE = b'{"users":[{"external_id":"one"}]}'
MEBIBYTE = 1024 * 1024
LINGER = 5  # seconds in which a client that is refused may go on sending


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


class Pieces(TestCase):
    def test_byte_by_byte(self):
        with self.server.connect() as connection:
            for byte in self.head(f"Content-Length: {len(ONE)}") + ONE:
                connection.sendall(bytes([byte]))
            self.assertEqual(read_answer(connection).contact["external_id"], "one")

    def test_chunks_of_any_size(self):
        for size in (1, 7, len(ONE)):
            parts = [ONE[i : i + size] for i in range(0, len(ONE), size)]
            with self.server.connect() as connection:
                connection.sendall(self.head("Transfer-Encoding: chunked"))
                connection.sendall(b"".join(map(chunk, parts)) + b"0\r\n\r\n")
                self.assertEqual(read_answer(connection).contact["external_id"], "one")

    def test_megabytes(self):
        entries = [
            {"external_id": f"big_{i}", "custom_attributes": {"text": "x" * 10000}}
            for i in range(500)
        ]
        answer = self.post({"users": entries})
        self.assertEqual(answer.status, 200)
        self.assertEqual(
            [contact["custom_attributes"] for contact in answer.json["data"]],
            [entry["custom_attributes"] for entry in entries],
        )

    def test_client_that_goes_away_in_the_middle(self):
        for head in (self.head("Content-Length: 500"), self.head("Transfer-Encoding: chunked")):
            with self.server.connect() as connection:
                connection.sendall(head + b"5\r\n{")
        self.assertEqual(self.post(ONE).status, 200)

    def test_100_continue(self):
        for length in (len(ONE), 100 * 1024):
            with self.server.connect() as connection:
                connection.sendall(self.head(f"Content-Length: {length}", "Expect: 100-continue"))
                self.assertEqual(connection.recv(1000), b"HTTP/1.1 100 Continue\r\n\r\n")
                connection.sendall(ONE.ljust(length))
                self.assertEqual(read_answer(connection).status, 200)


class Limit(TestCase):
    def test_C7_last_byte_that_fits(self):
        spaces = b" " * (BODY_LIMIT - len(ONE))
        self.assertEqual(self.post(ONE + spaces).status, 200)
        self.assertEqual(self.post(ONE + spaces + b" ").outcome, (413, "Payload too large"))

    def test_C7_last_byte_that_fits_in_chunks(self):
        block = b" " * MEBIBYTE
        for extra, outcome in ((0, 400), (1, 413)):
            with self.server.connect() as connection:
                connection.sendall(self.head("Transfer-Encoding: chunked"))
                for _ in range(BODY_LIMIT // MEBIBYTE):
                    connection.sendall(chunk(block))
                connection.sendall((chunk(b" ") if extra else b"") + b"0\r\n\r\n")
                self.assertEqual(read_answer(connection).status, outcome)


class Refusals(TestCase):
    """The answer comes before the body does. The sockets here send nothing after the headers, so
    that a server which waits for the body runs into the test's timeout."""

    def refusal(self, *lines, **options):
        with self.server.connect() as connection:
            connection.sendall(self.head(*lines, **options))
            answer = read_answer(connection)
            self.assertEqual(answer.headers["Connection"], "close")
            self.assertEqual(connection.recv(1), b"")
            return answer

    def test_A1_C7_declared_too_large(self):
        lengths = [f"Content-Length: {BODY_LIMIT + 1}", "Content-Length: 9223372036854775807"]
        for length in lengths:
            for more in ((), ("Expect: 100-continue",)):
                self.assertEqual(
                    self.refusal(length, *more).outcome, (413, "Payload too large")
                )
                answer = self.refusal(length, *more, key="oc_test_unknown")
                self.assertEqual(answer.outcome, (401, "Invalid API key."))
                self.assertEqual(answer.headers["WWW-Authenticate"], "Bearer")
                self.assertEqual(
                    self.refusal(length, *more, chatbot=999).outcome, (404, "Resource not found")
                )

    def test_A1_stranger_may_send_no_large_body(self):
        for framing in (f"Content-Length: {MEBIBYTE}", "Transfer-Encoding: chunked"):
            self.assertEqual(self.refusal(framing, key="oc_test_unknown").status, 401)
            self.assertEqual(self.refusal(framing, chatbot=999).status, 404)
            self.assertEqual(
                self.refusal(framing, "Expect: 100-continue", chatbot=999).status, 404
            )

    def test_other_routes_take_no_large_body(self):
        for line, status in (
            ("GET /healthz", 200),
            ("POST /nowhere", 404),
            (f"PUT {path_of(123)}", 405),
        ):
            with self.server.connect() as connection:
                connection.sendall(
                    f"{line} HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
                )
                self.assertEqual(read_answer(connection).status, status)


class Encodings(TestCase):
    """Content-Encoding: what the library would read as JSON is none."""

    OUTCOME = (415, "Content-Encoding is not supported")

    def test_A1_encoded_bodies_are_refused_to_those_who_may_write(self):
        body = gzip.compress(ONE)
        for coding in ("gzip", "Deflate", "br", "identity, gzip", "x"):
            answer = self.post(body, Content_Encoding=coding)
            self.assertEqual(answer.outcome, self.OUTCOME, coding)
            self.assertEqual(answer.headers["Accept-Encoding"], "identity")
        unknown = self.post(body, key="oc_test_unknown", Content_Encoding="gzip")
        self.assertEqual(unknown.status, 401)
        self.assertEqual(self.post(body, chatbot=999, Content_Encoding="gzip").status, 404)

    def test_whatever_their_length(self):
        for framing in (f"Content-Length: {MEBIBYTE}", "Transfer-Encoding: chunked"):
            with self.server.connect() as connection:
                connection.sendall(self.head(framing, "Content-Encoding: gzip"))
                self.assertEqual(read_answer(connection).outcome, self.OUTCOME)

    def test_identity_is_none(self):
        for coding in ("identity", "IDENTITY", ""):
            self.assertEqual(self.post(ONE, Content_Encoding=coding).status, 200, coding)


class LargeUploads(TestCase):
    """100 MB, of which the server is to hold no more than the limit."""

    SIZE = 100 * MEBIBYTE

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.memory = cls.server.peak_memory()

    def tearDown(self):
        # The limit, and once more for the moment in which realloc() copies.
        self.assert_memory_below(self.memory + 2 * BODY_LIMIT + 8 * MEBIBYTE)

    def test_C7_chunked_is_refused_at_the_limit(self):
        sent = 0
        block = chunk(b" " * 65536)
        with self.server.connect() as connection:
            connection.sendall(self.head("Transfer-Encoding: chunked"))
            connection.setblocking(False)
            while sent < self.SIZE:
                try:
                    sent += connection.send(block[sent % len(block) :])
                except BlockingIOError:
                    time.sleep(0.001)
                try:
                    if connection.recv(1, socket.MSG_PEEK):
                        break
                except BlockingIOError:
                    pass
            connection.settimeout(PATIENCE)
            answer = read_answer(connection)
        self.assertEqual(answer.outcome, (413, "Payload too large"))
        # What lies beyond the limit is what the two sockets' buffers take.
        self.assertLess(sent, BODY_LIMIT + 16 * MEBIBYTE)

    def curl(self, *arguments):
        script = f"head -c {self.SIZE} /dev/zero | curl \"$@\""
        done = subprocess.run(
            ["sh", "-c", script, "sh", "-sS", "-w", "\n%{http_code}", *arguments]
            + ["-X", "POST", "-T", "-", self.server.url + path_of(123)],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        self.assertTrue(done.stdout.startswith("{"), (done.stdout, done.stderr))
        body, status = done.stdout.rsplit("\n", 1)
        return int(status), json.loads(body)["message"]

    def shown(self, outcome, *arguments):
        self.assertEqual(self.curl(*arguments), outcome)

    def test_C7_curl_shows_the_answer(self):
        authorized = ["-H", f"Authorization: Bearer {self.server.key}"]
        for more in ([], ["-H", "Expect:"]):
            for _ in range(3):
                in_time(lambda: self.shown((413, "Payload too large"), *authorized, *more), LINGER)
                in_time(lambda: self.shown((401, "No API key provided."), *more), LINGER)

    def test_C7_client_that_reads_only_after_sending_all(self):
        def attempt():
            answer = self.post(b" " * (2 * BODY_LIMIT))  # not all 100, as there are five seconds
            self.assertEqual(answer.outcome, (413, "Payload too large"))

        in_time(attempt, LINGER)
