"""How much of an answer a client gets, and how a request is told from others: A4, A5, A7."""

import http.client
import json
import os
import tempfile

from harness import (
    PATIENCE,
    SERVE,
    Server,
    Store,
    TestCase,
    once,
    read_answer,
    run,
    wait_until,
)

UUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"


def counts(answer):
    return [answer.headers[f"Bb-Contacts-{word}"] for word in ("Created", "Updated", "Unchanged")]


class Minimal(TestCase):
    def send(self, *lines):
        """Sends two contacts with these header lines, as they stand."""
        body = b'{"users":[{"external_id":"a"},{"external_id":"b"}]}'
        with self.server.connect() as connection:
            connection.sendall(self.head(f"Content-Length: {len(body)}", *lines) + body)
            return read_answer(connection)

    def is_minimal(self, *lines):
        answer = self.send(*lines)
        self.assertEqual(answer.outcome, (200, "Success"))
        minimal = "data" not in answer.json
        applied = answer.headers["Preference-Applied"]
        self.assertEqual(applied, "return=minimal" if minimal else None)
        return minimal

    def test_A4_preferences_as_RFC_7240_writes_them(self):
        for lines in (
            ["Prefer: return=minimal"],
            ["prefer: RETURN=minimal"],
            ['Prefer: return="minimal"'],
            ["Prefer: return = minimal"],
            ["Prefer: return=minimal; foo=bar"],
            ["Prefer: respond-async, wait=100, return=minimal"],
            ["Prefer: respond-async", "X-Other: 1", "Prefer: return=minimal"],
            ['Prefer: foo="a, b; return=representation", return=minimal'],
            ['Prefer: foo="a\\", b", return=minimal'],
            ["Prefer: ,, ,return=minimal,"],
            ["Prefer: return=minimal", "Prefer: return=representation"],
            ["Prefer:\treturn=minimal\t"],
        ):
            self.assertTrue(self.is_minimal(*lines), lines)

    def test_A4_other_preferences_are_ignored(self):
        for lines in (
            [],
            ["Prefer:"],
            ["Prefer: return=representation"],
            ["Prefer: return=representation, return=minimal"],
            ["Prefer: return"],
            ["Prefer: return="],
            ['Prefer: return="'],
            ["Prefer: minimal"],
            ["Prefer: return=minimally"],
            ["Prefer: xreturn=minimal"],
            ["Prefer: handling=lenient; return=minimal"],
            ['Prefer: foo="return=minimal"'],
            ['Prefer: foo="x, return=minimal'],
            ["X-Prefer: return=minimal"],
        ):
            self.assertFalse(self.is_minimal(*lines), lines)

    def test_A4_E6_counts_are_in_headers_of_every_200(self):
        ones = {"users": [{"external_id": "c1"}, {"external_id": "c2"}, {"external_id": "c1"}]}
        answer = self.post(ones, Prefer="return=minimal")
        self.assertEqual(answer.body, b'{"message":"Success"}')
        self.assertEqual(counts(answer), ["2", "0", "1"])
        ones["users"][0]["name"] = "C"
        self.assertEqual(counts(self.post(ones)), ["0", "1", "2"])

    def test_A4_refusals_have_neither_counts_nor_a_preference(self):
        answer = self.post({"users": [{"name": 1}]}, Prefer="return=minimal")
        self.assertEqual(answer.outcome, (400, "Invalid request data"))
        self.assertEqual(counts(answer), [None] * 3)
        self.assertIsNone(answer.headers["Preference-Applied"])


class Bounded(TestCase):
    arguments = ("--max-answer", "1000")

    def test_A7_an_answer_past_the_bound_is_413_and_nothing_is_stored(self):
        large = {"users": [{"external_id": "large", "name": "n" * 900}]}
        self.assertEqual(self.post(large).outcome, (413, "Payload too large"))
        small = self.post({"users": [{"external_id": "large", "name": "n"}]})
        self.assertEqual(counts(small), ["1", "0", "0"])
        self.assertEqual(self.post(large, Prefer="return=minimal").status, 200)
        self.assertEqual(self.post({"users": [{"external_id": "large"}]}).status, 413)


class RequestIds(TestCase):
    def id_of(self, **headers):
        return self.post({"users": [{"external_id": "a"}]}, **headers).headers["X-Request-Id"]

    def test_A5_a_clients_id_comes_back(self):
        self.assertEqual(self.id_of(X_Request_Id="abc-1"), "abc-1")
        self.assertEqual(self.id_of(X_Request_Id=' a "b\\ c '), 'a "b\\ c')
        self.assertEqual(self.id_of(X_Request_Id="a\tb\xe9c"), "abc")
        self.assertEqual(self.id_of(X_Request_Id="x" * 200), "x" * 128)

    def test_A5_without_one_each_request_gets_its_own(self):
        ids = [self.id_of(), self.id_of()]
        ids += [self.id_of(X_Request_Id=unusable) for unusable in ("", "\xe9")]
        for made in ids:
            self.assertRegex(made, UUID)
        self.assertEqual(len(set(ids)), len(ids))

    def test_A5_every_response_has_one(self):
        for method, path in (
            ("GET", "/healthz"),
            ("HEAD", "/healthz"),
            ("GET", "/nothing"),
            ("GET", "/api/v1/chatbots/1/contacts"),
        ):
            answer = self.request(method, path, headers={"X-Request-Id": "mine"})
            self.assertEqual(answer.headers["X-Request-Id"], "mine", path)
        for key, body in (("oc_test_no", b"{}"), (None, b"["), (None, b"x" * 17000000)):
            answer = self.post(body, key=key, X_Request_Id="mine")
            self.assertGreaterEqual(answer.status, 400)
            self.assertEqual(answer.headers["X-Request-Id"], "mine", answer.status)
        with self.server.connect() as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost : b\r\n\r\n")
            answer = read_answer(connection)
        self.assertEqual(answer.status, 400)
        self.assertTrue(answer.headers["X-Request-Id"])


@once
class AccessLog(TestCase):
    def serve(self, path):
        server = Server(self.store, "--access-log", path)
        self.addCleanup(lambda: server.process.poll() is None and server.stop())
        return server

    def path(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return os.path.join(folder.name, "access.log")

    def test_A5_one_line_of_json_for_each_request(self):
        path = self.path()
        server = self.serve(path)
        ids = ["plain", 'quo"te\\', '"}\\n{"id":"forged"']
        body = {"users": [{"external_id": "one"}, {"external_id": "one", "name": "n"}]}
        answers = [
            self.post(body, key=server.key, server=server, X_Request_Id=name) for name in ids
        ]
        refused = self.post(body, key="oc_test_secret0123456789", server=server)
        health = self.request("GET", "/healthz", server=server)
        server.stop()
        with open(path, encoding="ascii") as log:
            text = log.read()
        self.assertNotIn(server.key, text)
        self.assertNotIn("oc_test", text)
        lines = [json.loads(line) for line in text.splitlines()]
        self.assertEqual([line["id"] for line in lines[:3]], ids)
        counted = ["entries", "created", "updated", "unchanged"]
        members = ["time", "id", "status", *counted, "bytes", "ms"]
        self.assertEqual([list(line) for line in lines], [members] * 5)
        for line, answer in zip(lines, [*answers, refused, health]):
            self.assertEqual(line["status"], answer.status)
            self.assertEqual(line["bytes"], len(answer.body))
            self.assertEqual(line["id"], answer.headers["X-Request-Id"])
            self.assertRegex(line["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            self.assertGreaterEqual(line["ms"], 0)
        stored = [[line[word] for word in counted] for line in lines]
        self.assertEqual(stored, [[2, 1, 1, 0], [2, 0, 0, 2], [2, 0, 0, 2], [0] * 4, [0] * 4])

    def test_A5_a_reader_that_does_not_read_holds_up_nobody(self):
        path = self.path()
        os.mkfifo(path)
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        server = self.serve(path)
        client = http.client.HTTPConnection(server.host, server.port, timeout=PATIENCE)
        self.addCleanup(client.close)

        def ask():
            client.request("GET", "/healthz")
            response = client.getresponse()
            response.read()
            self.assertEqual(response.status, 200)

        for _ in range(1000):  # more than a pipe holds
            ask()
        text = b""
        while True:
            try:
                text += os.read(reader, 65536)
            except BlockingIOError:
                break
        first = [json.loads(line) for line in text.splitlines()]
        self.assertLess(len(first), 1000)
        ask()
        wait_until(lambda: self.more(reader))
        told, line = [json.loads(line) for line in self.text.splitlines()]
        self.assertEqual(told["dropped"], 1000 - len(first))
        self.assertEqual(line["status"], 200)
        server.stop()

    def more(self, reader):
        self.text = getattr(self, "text", b"")
        try:
            self.text += os.read(reader, 65536)
        except BlockingIOError:
            pass
        return self.text.count(b"\n") == 2

    def test_a_log_that_cannot_be_opened_is_said_at_once(self):
        store = Store()
        self.addCleanup(store.close)
        done = run(
            "--listen", "127.0.0.1:0", "--access-log", "/nowhere/at/all",
            program=[*SERVE, "--store", store.uri],
        )
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn(": cannot open the access log: /nowhere/at/all: ", done.stderr)
