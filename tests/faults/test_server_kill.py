"""E8: an example server is killed with -9 and started again while 8 clients write, and its store
is compared with its answers, again and again: 50 times if BB_TEST_LONG is set."""

import http.client
import json
import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "server"))

from harness import BACKEND, PATIENCE, Server, Store, path_of, wait_until

CLIENTS = 8
OWN, FRESH = 8, 4  # contacts in a request: the client's own, and new ones
GROUPS = 3  # of a client's own contacts; each request writes to one of them
DEADLINE = 10  # seconds; the server's
GRACE = 20  # on a machine that is busy or stands still for a while
ARGUMENTS = ("--timeout", str(DEADLINE))

KILLS = 50 if os.environ.get("BB_TEST_LONG") else 5
KILLS = max(1, KILLS * int(os.environ.get("BB_TEST_SHARE") or 100) // 100)


def read_sqlite(store):
    connection = sqlite3.connect(store.uri.removeprefix("sqlite:"))
    try:
        return connection.execute(
            "SELECT external_id, name, email, json_extract(custom_attributes, '$.token')"
            " FROM bb_contacts"
        ).fetchall()
    finally:
        connection.close()


def query_postgres(uri, sql):
    words = ["psql", "-X", "-q", "-A", "-t", "-F", "|", "-c", sql, uri]
    done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
    return [line.split("|") for line in done.stdout.splitlines()]


def read_postgres(store):
    return query_postgres(
        store.uri,
        "SELECT external_id, name, email, custom_attributes->>'token' FROM bb_contacts.contacts",
    )


class Client(threading.Thread):
    """Sends requests that write one token to all of their contacts, to whichever server runs."""

    def __init__(self, test, number):
        super().__init__()
        self.test = test
        self.number = number
        self.statuses = []  # of each request; None: not answered
        self.longest = 0.0
        self.last_success = 0.0  # when the last request that was answered 200 began
        self.connection = None

    def body(self, request):
        token = f"{self.number}.{request}"
        names = [f"o.{self.number}.{request % GROUPS}.{i}" for i in range(OWN)]
        names += [f"f.{self.number}.{request}.{i}" for i in range(FRESH)]
        users = [
            {
                "external_id": name,
                "name": token,
                "email": token,
                "custom_attributes": {"token": token},
            }
            for name in names
        ]
        return json.dumps({"users": users})

    def send(self, body):
        server = self.test.server
        if self.connection is None or self.connection.port != server.port:
            self.close()
            self.connection = http.client.HTTPConnection(
                server.host, server.port, timeout=PATIENCE
            )
        headers = {"Authorization": f"Bearer {server.key}"}
        self.connection.request("POST", path_of(123), body, headers)
        response = self.connection.getresponse()
        answer = json.loads(response.read())
        if response.status == 200 and len(answer["data"]) != OWN + FRESH:
            return -1
        return response.status

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def run(self):
        while not self.test.stopping:
            body = self.body(len(self.statuses))
            self.statuses.append(None)
            begin = time.monotonic()
            try:
                status = self.send(body)
            except (OSError, http.client.HTTPException, ValueError):
                self.close()
                time.sleep(0.02)
                continue
            self.statuses[-1] = status
            self.longest = max(self.longest, time.monotonic() - begin)
            if status == 200:
                self.last_success = begin
        self.close()


class ServerKill(unittest.TestCase):
    def setUp(self):
        self.random = random.Random(int(os.environ.get("BB_TEST_SEED") or 1))
        self.store = Store()
        self.addCleanup(self.store.close)
        self.server = Server(self.store, *ARGUMENTS)
        self.clients = [Client(self, number) for number in range(CLIENTS)]
        self.stopping = False

    def start_clients(self):
        """New threads that go on where the last ones stopped."""
        self.stopping = False
        for number, last in enumerate(self.clients):
            client = Client(self, number)
            client.statuses, client.longest = last.statuses, last.longest
            self.clients[number] = client
            client.start()

    def stop_clients(self):
        self.stopping = True
        for client in self.clients:
            client.join()

    def wait_for_success(self):
        """Until each client is answered 200 to a request that begins after now."""
        begin = time.monotonic()
        wait_until(lambda: all(client.last_success > begin for client in self.clients))

    def wait_for_sessions_to_end(self):
        """The database still does what the dead server sent, or gives it up."""
        sql = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{self.store.database}'"
        wait_until(lambda: query_postgres(self.store.admin_uri, sql) == [["0"]])

    def kill(self):
        key = self.server.key
        time.sleep(self.random.uniform(0, 0.3))
        self.server.process.kill()
        self.assertEqual(self.server.wait(), -9)
        self.assertNotIn(key, self.server.read_log())
        if BACKEND == "postgres":
            self.wait_for_sessions_to_end()
        self.server = Server(self.store, *ARGUMENTS, key=key)

    def compare(self):
        tables = {}  # client and group, or client and request: the tokens of its contacts
        for external_id, *values in {"sqlite": read_sqlite, "postgres": read_postgres}[BACKEND](
            self.store
        ):
            self.assertEqual(len(set(values)), 1, f"A2: {external_id} is half written: {values}")
            tables.setdefault(external_id.rsplit(".", 1)[0], []).append(values[0])
        for client in self.clients:
            self.compare_client(client, tables)

    def compare_client(self, client, tables):
        last = {}  # of each group the last request that was answered 200
        for request, status in enumerate(client.statuses):
            token = f"{client.number}.{request}"
            fresh = tables.get(f"f.{token}", [])
            self.assertIn(fresh, ([], [token] * FRESH), f"A2: half of request {token}")
            if status == 200:
                self.assertNotEqual(fresh, [], f"E8: {token} was answered 200 and is lost")
                last[request % GROUPS] = request
        for group in range(GROUPS):
            own = tables.get(f"o.{client.number}.{group}", [])
            if not own:
                self.assertNotIn(group, last, "E8: answered 200 and lost")
                continue
            self.assertEqual(own, own[:1] * OWN, "A2: half of a request's own contacts")
            request = int(own[0].split(".")[1])
            self.assertGreaterEqual(request, last.get(group, -1), "E8: answered 200 and undone")
            self.assertEqual(len(tables.get(f"f.{own[0]}", [])), FRESH, f"A2: half of {own[0]}")

    def test_E8_killed_server_process(self):
        for _ in range(KILLS):
            self.start_clients()
            try:
                self.wait_for_success()
                self.kill()
                self.wait_for_success()
            finally:
                self.stop_clients()
            self.compare()
        self.server.stop()
        statuses = [status for client in self.clients for status in client.statuses]
        longest = max(client.longest for client in self.clients)
        counts = {status: statuses.count(status) for status in set(statuses)}
        print(
            f"{KILLS} kills, {len(statuses)} requests: {counts.get(200, 0)} x 200,"
            f" {counts.get(503, 0)} x 503, {counts.get(None, 0)} not answered,"
            f" longest {longest * 1000:.0f} ms"
        )
        self.assertLessEqual(set(counts), {200, 503, None}, counts)
        self.assertLess(longest, DEADLINE + GRACE)


if __name__ == "__main__":
    unittest.main(verbosity=2)
