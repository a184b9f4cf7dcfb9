"""HTTP itself: routes, methods, paths, headers, connections."""

import http.client
import json
import socket
import subprocess
import threading

from harness import (
    PATIENCE,
    SERVE,
    Answer,
    AnswerReader,
    Server,
    TestCase,
    in_time,
    path_of,
    read_answer,
    run,
)

ONE = b'{"users":[{"external_id":"one"}]}'


class Routes(TestCase):
    def test_healthz(self):
        answer = self.request("GET", "/healthz")
        self.assertEqual((answer.status, answer.body), (200, b'{"status":"ok"}'))
        answer = self.request("HEAD", "/healthz")
        self.assertEqual((answer.status, answer.body), (200, b""))
        self.assertEqual(answer.headers["Content-Length"], "15")

    def test_other_paths_are_404_whatever_the_method(self):
        for path in (
            "/",
            "/healthz/",
            "/api/v1/chatbots/123",
            "/api/v1/chatbots/123/contacts/",
            "/api/v1/chatbots/123/contacts/1",
            "/api/v1/chatbots/123/4/contacts",
            "/API/v1/chatbots/123/contacts",
            "//api/v1/chatbots/123/contacts",
            "/x" * 2000,
        ):
            for method in ("GET", "POST", "DELETE"):
                answer = self.request(method, path, b"{}")
                self.assertEqual(answer.outcome, (404, "Resource not found"), (method, path))

    def test_other_methods_are_405_with_allow(self):
        for method in ("GET", "PUT", "PATCH", "DELETE", "OPTIONS"):
            answer = self.request(method, path_of(123))
            self.assertEqual(answer.outcome, (405, "Method not allowed"), method)
            self.assertEqual(answer.headers["Allow"], "POST")
        for method in ("POST", "PUT", "DELETE"):
            answer = self.request(method, "/healthz", b"{}")
            self.assertEqual(answer.outcome, (405, "Method not allowed"), method)
            self.assertEqual(answer.headers["Allow"], "GET, HEAD")
        self.assertEqual(self.request("HEAD", path_of(123)).status, 405)

    def test_B3_segment_is_decoded_once_and_after_splitting(self):
        self.assertEqual(self.post(ONE, chatbot="%31%32%33").status, 200)
        for segment in ("123%00", "123%00x", "%2531%32%33", "123%2Fcontacts", "1%2F23", "12%33%"):
            self.assertEqual(
                self.post(ONE, chatbot=segment).outcome, (404, "Resource not found"), segment
            )

    def test_query_is_not_part_of_the_path(self):
        answer = self.request(
            "POST",
            path_of(123) + "?a=/b&c=%00",
            ONE,
            {"Authorization": f"Bearer {self.server.key}"},
        )
        self.assertEqual(answer.status, 200)


class Headers(TestCase):
    def send(self, *lines):
        with self.server.connect() as connection:
            head = [f"POST {path_of(123)} HTTP/1.1", "Host: test", f"Content-Length: {len(ONE)}"]
            connection.sendall("\r\n".join([*head, *lines, "", ""]).encode() + ONE)
            return read_answer(connection)

    def test_B1_white_space_around_the_value_is_not_part_of_it(self):
        self.assertEqual(self.send(f"authorization: \t bearer   {self.server.key} \t").status, 200)

    def test_B1_header_sent_twice_is_its_first(self):
        good, bad = f"Authorization: Bearer {self.server.key}", "Authorization: Bearer oc_test_no"
        self.assertEqual(self.send(good, bad).status, 200)
        self.assertEqual(self.send(bad, good).status, 401)

    def test_content_type_does_not_matter(self):
        done = subprocess.run(
            ["curl", "-sS", "-w", "%{http_code}", self.server.url + path_of(123)]
            + ["-H", f"Authorization: Bearer {self.server.key}", "-d", ONE.decode()],
            capture_output=True,
            check=True,
            timeout=PATIENCE,
        )
        self.assertTrue(done.stdout.endswith(b"200"), done.stdout)


class Targets(TestCase):
    def test_one_that_is_refused_is_not_kept(self):
        """libmicrohttpd has no room for so many parameters, and says only that the connection ends."""
        before = self.server.peak_memory()
        target = path_of("1" * 6000) + "?" + "a&" * 1500
        for _ in range(2000):
            with self.server.connect() as connection:
                connection.sendall(f"POST {target} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
                self.assertIn(read_answer(connection).status, (401, 431))
        self.assert_memory_below(before + 6 * 1024 * 1024)


class Connections(TestCase):
    def test_keep_alive(self):
        client = http.client.HTTPConnection(
            self.server.host, self.server.port, timeout=PATIENCE
        )
        sent = {"Authorization": f"Bearer {self.server.key}"}
        client.connect()
        used = client.sock
        for method, path, body, headers, status in (
            ("POST", path_of(123), ONE, sent, 200),
            ("POST", path_of(123), ONE, {}, 401),
            ("POST", path_of(999), ONE, sent, 404),
            ("POST", path_of(123), b"{", sent, 400),
            ("POST", "/nowhere", b"x" * 60000, {}, 404),
            ("PUT", path_of(123), ONE, sent, 405),
            ("GET", "/healthz", None, {}, 200),
            ("POST", path_of(123), ONE, sent, 200),
        ):
            client.request(method, path, body, headers)
            self.assertEqual(Answer(client.getresponse()).status, status, (method, path))
            self.assertIs(client.sock, used, (method, path))
        client.close()

    def test_requests_sent_ahead_are_answered_in_order(self):
        entries = [{"users": [{"external_id": f"ahead_{i}"}]} for i in range(5)]
        bodies = [json.dumps(entry).encode() for entry in entries]
        with self.server.connect() as connection:
            connection.sendall(
                b"".join(self.head(f"Content-Length: {len(body)}") + body for body in bodies)
            )
            reader = AnswerReader(connection)
            for entry in entries:
                contact = read_answer(reader).contact
                self.assertEqual(contact["external_id"], entry["users"][0]["external_id"])

    def test_http_1_0(self):
        with self.server.connect() as connection:
            connection.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
            self.assertEqual(read_answer(connection, "GET").status, 200)
            self.assertEqual(connection.recv(1), b"")

    def test_client_that_has_sent_all_and_closed_its_side(self):
        def attempt():
            with self.server.connect() as connection:
                connection.sendall(self.head(f"Content-Length: {len(ONE)}") + ONE)
                connection.shutdown(socket.SHUT_WR)
                self.assertEqual(read_answer(connection).status, 200)

        in_time(attempt, 1)  # bb-contacts-uv waits that long for such a client's answer

    def test_stalled_connections_hold_up_nobody(self):
        stalled = []
        for i in range(64):
            connection = self.server.connect()
            stalled.append(connection)
            connection.sendall(self.head("Content-Length: 100")[: 40 if i % 2 else None])
        self.assertEqual(self.post(ONE).status, 200)
        for connection in stalled:
            connection.close()
        self.assertEqual(self.post(ONE).status, 200)

    def test_64_clients_at_once(self):
        failed = []

        def work(number):
            client = http.client.HTTPConnection(
                self.server.host, self.server.port, timeout=PATIENCE
            )
            for i in range(10):
                body = json.dumps({"users": [{"external_id": f"{number % 8}", "name": str(i)}]})
                client.request(
                    "POST", path_of(123), body, {"Authorization": f"Bearer {self.server.key}"}
                )
                answer = Answer(client.getresponse())
                if answer.status != 200:
                    failed.append(answer.outcome)
            client.close()

        threads = [threading.Thread(target=work, args=(i,)) for i in range(64)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failed, [])


class Addresses(TestCase):
    def test_ipv6(self):
        if not socket.has_ipv6:
            self.skipTest("no IPv6 here")
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError:
            self.skipTest("no IPv6 here")
        server = Server(self.store, "--listen", "[::1]:0")
        self.addCleanup(server.stop)
        self.assertRegex(server.url, r"^http://\[::1\]:[1-9]\d*$")
        client = http.client.HTTPConnection(server.host, server.port, timeout=PATIENCE)
        client.request("GET", "/healthz")
        self.assertEqual(Answer(client.getresponse()).status, 200)
        client.close()

    def test_address_in_use(self):
        address = f"127.0.0.1:{self.server.port}"
        done = run("--listen", address, program=SERVE, store=self.store)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("in use", done.stderr)
