"""Where a request begins and ends (RFC 9112). Each case has another request behind it: what one
server takes for a body and the proxy before it for a request is how requests are smuggled."""

import contextlib
import json

from harness import EVENT_LOOP, TestCase, path_of

ONE = b'{"users":[{"external_id":"one"}]}'
CHUNKS = b"%x\r\n%s\r\n0\r\n\r\n" % (len(ONE), ONE)
BEHIND = b"GET /healthz HTTP/1.1\r\nHost: behind\r\nConnection: close\r\n\r\n"

BAD = {400}
VERSION = {400, 505}  # RFC 9110, 15.6.6
CODING = {400, 501}  # RFC 9112, 6.1

# What bb-contacts-server has to leave to libmicrohttpd 0.9.75. That takes a body in chunks whatever
# is in an extension and whether lines end in CRLF or LF; so nothing behind chunks is a request.
LENIENT = set() if EVENT_LOOP else {
    "LF after the size",
    "LF after the data",
    "CR in an extension",
    "NUL in an extension",
    "LF at the end",
    "LF for the last line",
    "LF in a trailer",
}
CHUNKS_ARE_LAST = not EVENT_LOOP
# Of a connection's first line it judges the version by itself, and answers with a page of HTML.
OWN_PAGE = not EVENT_LOOP


class FramingTestCase(TestCase):
    def message(self, *lines, body=b"", host="Host: test", version="HTTP/1.1", target=None):
        """A request, each line of whose head ends in CRLF."""
        head = [
            f"POST {target or path_of(123)} {version}",
            *([host] if host else []),
            f"Authorization: Bearer {self.server.key}",
            *lines,
        ]
        return "".join(line + "\r\n" for line in head).encode("latin-1") + b"\r\n" + body

    def sized(self, *lines, **options):
        return self.message(f"Content-Length: {len(ONE)}", *lines, body=ONE, **options)

    def chunked(self, body=CHUNKS, *lines, **options):
        return self.message("Transfer-Encoding: chunked", *lines, body=body, **options)

    def chunks(self, size_end=b"\r\n", data_end=b"\r\n", last=b"0\r\n\r\n"):
        return self.chunked(b"%x" % len(ONE) + size_end + ONE + data_end + last)

    def receive(self, pieces):
        """All that the server sends until it closes."""
        received = []
        with self.server.connect() as connection:
            # What comes after the server's end is not read, and may be answered by a reset.
            with contextlib.suppress(ConnectionError):
                for piece in pieces:
                    connection.sendall(piece)
            with contextlib.suppress(ConnectionError):
                received.extend(iter(lambda: connection.recv(65536), b""))
        return b"".join(received)

    def answers(self, pieces, may_be_page=False):
        """The answers, as pairs of status and parsed body; each is whole, and is JSON (A3)."""
        rest = self.receive(pieces)
        answers = []
        while rest:
            head, _, rest = rest.partition(b"\r\n\r\n")
            line, *fields = head.decode("ascii").split("\r\n")
            pairs = (field.split(": ", 1) for field in fields)
            headers = {name.lower(): value for name, value in pairs}
            self.assertRegex(line, r"^HTTP/1\.[01] \d{3} ")
            if may_be_page and "content-type" not in headers:
                return [*answers, (int(line.split(" ")[1]), {"message": None})]
            self.assertEqual(headers["content-type"], "application/json", head)
            length = int(headers["content-length"])
            self.assertGreaterEqual(len(rest), length, head)
            answers.append((int(line.split(" ")[1]), json.loads(rest[:length])))
            rest = rest[length:]
        return answers

    def refused(self, cases, statuses=BAD, may_be_page=False):
        """One answer, and the end; whether the bytes come together or one by one."""
        for name, message in cases.items():
            sent = message + BEHIND
            for pieces in ([sent], [bytes([byte]) for byte in sent]):
                with self.subTest(name, pieces=len(pieces)):
                    answers = self.answers(pieces, may_be_page)
                    self.assertEqual(len(answers), 1, answers)
                    status, body = answers[0]
                    if name in LENIENT:
                        self.assertEqual(status, 200)
                        continue
                    self.assertIn(status, statuses)
                    self.assertEqual(list(body), ["message"])

    def taken(self, cases):
        """The request and the one behind it are both answered, where its end is beyond doubt."""
        for name, message in cases.items():
            sent = message + BEHIND
            for pieces in ([sent], [bytes([byte]) for byte in sent]):
                with self.subTest(name, pieces=len(pieces)):
                    answers = self.answers(pieces)
                    is_last = CHUNKS_ARE_LAST and b"chunked" in message.lower()
                    statuses = [200] if is_last else [200, 200]
                    self.assertEqual([status for status, _ in answers], statuses, answers)


class Lengths(FramingTestCase):
    def test_A3_lengths_that_leave_the_end_open_are_refused(self):
        length = f"Content-Length: {len(ONE)}"
        self.refused(
            {
                "two": self.sized("Content-Length: 3"),
                "two, the other way": self.message("Content-Length: 3", length, body=ONE),
                "two in a list": self.message(length + ", 3", body=ONE),
                "a sign": self.message(f"Content-Length: +{len(ONE)}", body=ONE),
                "a space in it": self.message("Content-Length: 3 3", body=ONE),
                "hexadecimal": self.message(f"Content-Length: {len(ONE):#x}", body=ONE),
                "a minus": self.message("Content-Length: -1", body=ONE),
                "none": self.message("Content-Length:", body=ONE),
                "more than 64 bits": self.message(f"Content-Length: {2 ** 64 + 3}", body=ONE),
            },
            {400, 413},
        )

    def test_length_beside_chunks_is_the_last_request(self):
        """RFC 9112, 6.1: refused, or taken by its chunks; closed in any case."""
        length = "Content-Length: 3"
        self.refused_or_last(
            {
                "length first": self.message(length, "Transfer-Encoding: chunked", body=CHUNKS),
                "length last": self.chunked(CHUNKS, length),
            }
        )

    def test_chunks_of_http_1_0_are_the_last_request(self):
        self.refused_or_last(
            {
                "": self.chunked(version="HTTP/1.0"),
                "keep-alive": self.chunked(CHUNKS, "Connection: keep-alive", version="HTTP/1.0"),
            }
        )

    def refused_or_last(self, cases):
        for name, message in cases.items():
            for pieces in ([message + BEHIND], [bytes([byte]) for byte in message + BEHIND]):
                with self.subTest(name, pieces=len(pieces)):
                    answers = self.answers(pieces)
                    self.assertEqual(len(answers), 1, answers)
                    self.assertIn(answers[0][0], {200, 400})


class Codings(FramingTestCase):
    def test_A3_transfer_codings_but_chunked_are_refused(self):
        self.refused(
            {
                coding: self.message(f"Transfer-Encoding: {coding}", body=CHUNKS)
                for coding in (
                    "gzip, chunked",
                    "chunked, gzip",
                    "chunked, identity",
                    "chunked, chunked",
                    "gzip",
                    "identity",
                    "xchunked",
                    "chunked;q=1",
                    '"chunked"',
                )
            },
            CODING,
        )

    def test_A3_two_transfer_encodings_are_refused(self):
        self.refused(
            {
                other: self.chunked(CHUNKS, f"Transfer-Encoding: {other}")
                for other in ("chunked", "gzip", "identity")
            },
            CODING,
        )

    def test_chunked_in_any_case(self):
        self.taken({"": self.message("transfer-ENCODING: \tChunked", body=CHUNKS)})

    def test_white_space_after_chunked(self):
        """Which libmicrohttpd takes for a part of it."""
        cases = {"": self.message("Transfer-Encoding: chunked ", body=CHUNKS)}
        if EVENT_LOOP:
            self.taken(cases)
        else:
            self.refused(cases)


class Chunks(FramingTestCase):
    def test_A3_what_is_no_chunk_is_refused(self):
        self.refused(
            {
                "LF after the size": self.chunks(size_end=b"\n"),
                "CR after the size": self.chunks(size_end=b"\r"),
                "LF after the data": self.chunks(data_end=b"\n"),
                "CR after the data": self.chunks(data_end=b"\r"),
                "any two bytes after the data": self.chunks(data_end=b"xx"),
                "CR and a byte after the data": self.chunks(data_end=b"\rx"),
                "nothing after the data": self.chunks(data_end=b""),
                "LF in an extension": self.chunks(size_end=b";a\nb\r\n"),
                "CR in an extension": self.chunks(size_end=b";a\rb\r\n"),
                "NUL in an extension": self.chunks(size_end=b";a\0b\r\n"),
                "LF at the end": self.chunks(last=b"0\n\n"),
                "LF for the last line": self.chunks(last=b"0\r\n\n"),
                "LF in a trailer": self.chunks(last=b"0\r\nA: b\n\r\n"),
                "hexadecimal prefix": self.chunked(b"0x" + CHUNKS),
                "a sign": self.chunked(b"+" + CHUNKS),
                "a space before": self.chunked(b" " + CHUNKS),
                "no digit": self.chunked(b"\r\n" + CHUNKS),
                "more than 64 bits": self.chunked(b"1" + b"0" * 15 + CHUNKS),
            },
            {400, 413},
        )

    def test_extensions_and_trailers_are_passed_over(self):
        self.taken(
            {
                "an extension": self.chunks(size_end=b";a=b\r\n"),
                "a quoted one": self.chunks(size_end=b';a="b c"\r\n'),
                "a trailer": self.chunks(last=b"0\r\nContent-Length: 3\r\n\r\n"),
                "upper case, zeros": self.chunked(
                    b"00002A\r\n" + ONE.ljust(0x2A) + b"\r\n0\r\n\r\n"
                ),
            }
        )


class Heads(FramingTestCase):
    def test_A3_lines_are_ended_by_crlf(self):
        sized = self.sized()
        line = b"Host: test\r\n"
        self.refused(
            {
                "CR in a value": sized.replace(line, line + b"X: a\rb\r\n"),
                "CR in the line": sized.replace(b" HTTP", b"\r HTTP"),
                "CR for a line's end": sized.replace(line, line + b"X: a\rY: b\r\n"),
                "two CR": sized.replace(line, line + b"X: a\r\r\n"),
                "LF for the line's end": sized.replace(b"HTTP/1.1\r\n", b"HTTP/1.1\n"),
                "LF for a field's end": sized.replace(line, b"Host: test\n"),
                "LF for the head's end": sized.replace(b"\r\n\r\n", b"\r\n\n"),
                "LF for both": sized.replace(b"\r\n\r\n", b"\n\n"),
            }
        )

    def test_A3_fields_that_are_none_are_refused(self):
        sized = self.sized()
        line = b"Host: test\r\n"
        length = b"Content-Length: %d" % len(ONE)
        self.refused(
            {
                "a space before the colon": sized.replace(b"Content-Length:", b"Content-Length :"),
                "a tab before the colon": sized.replace(b"Content-Length:", b"Content-Length\t:"),
                "of chunks": self.message("Transfer-Encoding : chunked", body=CHUNKS),
                "of another": sized.replace(line, line + b"X : a\r\n"),
                "no colon": sized.replace(line, line + b"X\r\n"),
                "no name": sized.replace(line, line + b": a\r\n"),
                "a line that goes on": sized.replace(line, line + b"X: a\r\n b\r\n"),
                "a length that goes on": sized.replace(length, length.replace(b" ", b"\r\n ")),
                "the first line goes on": sized.replace(line, b" X: a\r\n" + line),
                "NUL in a name": sized.replace(line, line + b"X\0: a\r\n"),
                "NUL in a value": sized.replace(line, line + b"X: a\0b\r\n"),
            }
        )

    def test_B1_NUL_after_the_key(self):
        key = self.server.key.encode()
        for end in (b"\0", b"\0x", b" \0"):
            with self.subTest(end):
                answers = self.answers([self.sized().replace(key, key + end) + BEHIND])
                self.assertIn(answers[0][0], {400, 401}, answers)

    def test_A3_one_host(self):
        self.refused(
            {
                "none": self.sized(host=None),
                "two": self.sized("Host: other"),
                "the same twice": self.sized("Host: test"),
                "a list": self.sized(host="Host: test, other"),
                "a space in it": self.sized(host="Host: te st"),
                "a path": self.sized(host="Host: test/x"),
                "two beside a whole URL": self.sized("Host: x", target=f"http://t{path_of(123)}"),
            }
        )

    def test_host_of_any_form(self):
        hosts = ("", "test", "test:80", "127.0.0.1:8080", "[::1]:80", "a_b.example")
        self.taken({host: self.sized(host=f"Host: {host}") for host in hosts})

    def test_http_1_0_needs_no_host(self):
        alive = "Connection: keep-alive"
        self.taken({"": self.sized(alive, host=None, version="HTTP/1.0")})

    def test_A3_versions(self):
        self.refused(
            {
                version: self.sized(version=version)
                for version in (
                    "HTTP/9.9",
                    "HTTP/2.0",
                    "HTTP/0.9",
                    "HTTP/1.1x",
                    "HTTP/11",
                    "http/1.1",
                )
            },
            VERSION,
            OWN_PAGE,
        )
        self.refused({"HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"}, VERSION, OWN_PAGE)

    def test_A3_version_of_a_second_request(self):
        first = self.sized()
        answers = self.answers([first + self.sized(version="HTTP/9.9") + BEHIND])
        self.assertEqual(len(answers), 2, answers)
        self.assertEqual(answers[0][0], 200)
        self.assertIn(answers[1][0], VERSION)

    def test_target_may_be_a_whole_url(self):
        """RFC 9112, 3.2.2."""
        self.taken(
            {
                scheme: self.sized(target=f"{scheme}://test:1{path_of(123)}?a=b")
                for scheme in ("http", "https", "HTTP")
            }
        )

    def test_an_empty_line_before(self):
        """RFC 9112, 2.2."""
        self.taken({"": b"\r\n" + self.sized()})
