"""SIGTERM: what is in flight is finished, the rest is cut off, and the exit status is 0."""

import json
import socket
import threading
import time

from harness import (
    Server,
    Store,
    TestCase,
    needs_shared_store,
    once,
    read_answer,
    wait_until,
)

ONE = b'{"users":[{"external_id":"one","name":"set"}]}'


class Shutdown(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.store = Store()
        cls.addClassCleanup(cls.store.close)

    def setUp(self):
        self.start()

    def start(self, *arguments):
        self.server = Server(self.store, *arguments)
        self.addCleanup(self.server.stop)

    def begin(self, length):
        """A request whose head the server has read, as it has asked for the body."""
        connection = self.server.connect()
        self.addCleanup(connection.close)
        connection.sendall(self.head(f"Content-Length: {length}", "Expect: 100-continue"))
        self.assertEqual(connection.recv(1000), b"HTTP/1.1 100 Continue\r\n\r\n")
        return connection

    def send(self):
        connection = self.server.connect()
        self.addCleanup(connection.close)
        connection.sendall(self.head(f"Content-Length: {len(ONE)}") + ONE)
        return connection

    def refuses_connections(self):
        try:
            self.server.connect().close()
        except OSError:
            return True
        return False

    def assert_ends(self):
        """Long before it would give up on what is in flight: that is TIMEOUT."""
        self.assertEqual(self.server.wait(), 0)

    def test_nothing_in_flight(self):
        self.server.terminate()
        self.assert_ends()

    def test_idle_connections_are_closed(self):
        connections = [self.server.connect() for _ in range(3)]
        used = self.send()
        self.assertEqual(read_answer(used).status, 200)
        connections[1].sendall(b"POST /api/v1/cha")
        self.server.terminate()
        self.assert_ends()
        for connection in [*connections, used]:
            self.assertEqual(connection.recv(1), b"")
            connection.close()

    @once
    def test_half_a_body_is_waited_for_but_not_for_ever(self):
        self.start("--timeout", "5")
        connection = self.begin(100)
        connection.sendall(b"{")
        self.server.terminate()
        self.assert_ends()
        self.assertEqual(connection.recv(1), b"")

    def test_body_that_is_arriving_is_taken(self):
        connection = self.begin(len(ONE))
        connection.sendall(ONE[:10])
        self.server.terminate()
        wait_until(self.refuses_connections)
        connection.sendall(ONE[10:])
        answer = read_answer(connection)
        self.assertEqual((answer.status, answer.headers["Connection"]), (200, "close"))
        self.assert_ends()

    @needs_shared_store
    def test_E8_requests_that_wait_for_the_store_are_answered(self):
        with self.store.locked():
            waiting = [self.begin(len(ONE)) for _ in range(4)]
            for connection in waiting:
                connection.sendall(ONE)
            time.sleep(0.5)
            self.server.terminate()
            wait_until(self.refuses_connections)
            time.sleep(0.5)
            self.assertIsNone(self.server.process.poll())
        for connection in waiting:
            answer = read_answer(connection)
            self.assertEqual(answer.contact["name"], "set")
            self.assertEqual(answer.headers["Connection"], "close")
        self.assert_ends()

    def test_A2_under_load_every_answer_is_whole(self):
        counts = {"answered": 0, "broken": 0}

        def work():
            body = json.dumps({"users": [{"external_id": f"load_{i}"} for i in range(100)]})
            message = self.head(f"Content-Length: {len(body)}") + body.encode()
            try:
                with self.server.connect() as connection:
                    while True:
                        connection.sendall(message)
                        if not connection.recv(1, socket.MSG_PEEK):
                            return
                        answer = read_answer(connection)
                        if answer.status == 200 and len(answer.json["data"]) == 100:
                            counts["answered"] += 1
                        if answer.headers["Connection"] == "close":
                            return
            except OSError:
                return  # closed while idle, or before it was accepted
            except Exception:
                counts["broken"] += 1
                raise

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        wait_until(lambda: counts["answered"] > 32)
        self.server.terminate()
        self.assert_ends()
        for thread in threads:
            thread.join()
        self.assertEqual(counts["broken"], 0)
