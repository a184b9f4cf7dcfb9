"""The example servers beside a Node peer, through HTTP on one PostgreSQL, in turn in one run.

    python3 bench_http.py --server NAME=COMMAND... --peer NAME=COMMAND... [--rounds N] [--seconds N]

The PostgreSQL is the one that BB_TEST_POSTGRES names; without it the exit status is 77. COMMAND is started with DATABASE_URL, PORT and PEER_KEY in its environment, after the words
{database}, {port} and {key} in it have been replaced. Each server has a database of its own, serves
chatbots 123 to 126 to the key (one of the library's: 123, the others are added here), and must give
the same answer to the same request. Prints tables in Markdown.
"""

import argparse
import json
import os
import pathlib
import shlex
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import typing
import urllib.error
import urllib.parse
import urllib.request

KEY = "oc_test_0123456789abcdefghijklmnopqrstuv"
SCRIPT = pathlib.Path(__file__).with_name("requests.lua")
TICKS = os.sysconf("SC_CLK_TCK")
STARTS = 3  # of a server, as someone else may have taken its port
MOST_SECONDS = 60  # of a measurement, where a slow machine has not answered anything in fewer


class Load(typing.NamedTuple):
    """What wrk sends; see requests.lua."""

    name: str
    connections: int
    contacts: int
    kind: str
    chatbots: int


LOADS = (
    Load("One contact on each of 64 connections", 64, 1, "change", 1),
    Load("1000 new contacts on each of 4, for four chatbots", 4, 1000, "create", 4),
    Load("1000 that change on each of 4, for four chatbots", 4, 1000, "change", 4),
    Load("1000 that change on each of 4, for one chatbot", 4, 1000, "change", 1),
    Load("1000 that are known on each of 4, for four chatbots", 4, 1000, "repeat", 4),
)

PROBE = {
    "users": [
        {
            "external_id": "probe",
            "name": "Zoë",
            "email": "zoe@example.com",
            "phonenumber": None,
            "stripe_accounts": [{"label": "Main", "stripe_id": "cus_1"}],
            "custom_attributes": {"plan": "pro", "score": 7, "tags": ["a", "b"]},
        }
    ]
}


def psql(uri, sql):
    """Runs SQL and returns its result as text."""
    command = ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--command", sql, uri]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def processor_seconds(pids):
    """What processes have used of the processors, their ended children included."""
    total = 0
    for pid in pids:
        try:
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        except FileNotFoundError:
            continue
        total += sum(map(int, fields[11:15]))
    return total / TICKS


def children_of(parent):
    """The processes that a process has started, itself among them."""
    pids = [parent]
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == parent:
            pids.append(int(entry.name))
    return pids


class Sample(typing.NamedTuple):
    """One run of wrk: requests a second; milliseconds."""

    rate: float
    median: float
    slowest: float  # but for one percent
    server: float  # the processors' time, a request
    both: float  # and the database's on top


class Server:
    """A server that is running on a database of its own."""

    def __init__(self, name, command, postgres):
        self.name = name
        self.postgres = postgres
        self.samples = {load: [] for load in LOADS}
        database = "bench_http_" + "".join(c if c.isalnum() else "_" for c in name.lower())
        self.database = database
        psql(postgres, f"DROP DATABASE IF EXISTS {database}")
        psql(postgres, f"CREATE DATABASE {database}")
        parts = urllib.parse.urlsplit(postgres)
        # Not urlunsplit(), which drops the // of a URI without a host.
        self.uri = f"{parts.scheme}://{parts.netloc}/{database}?{parts.query}"
        self.command = command
        self.start()

    def start(self):
        """On a port that is free now, if no other program takes it first."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        words = [
            w.format(database=self.uri, port=port, key=KEY) for w in shlex.split(self.command)
        ]
        environment = dict(
            os.environ, DATABASE_URL=self.uri, PORT=str(port), PEER_KEY=KEY, BOOKBAG_API_KEY=KEY
        )
        self.url = f"http://127.0.0.1:{port}/api/v1/chatbots/123/contacts"
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            words, env=environment, stdout=subprocess.DEVNULL, stderr=self.log
        )

    def probe(self):
        """Waits until it serves; returns its answer to one request, without ids and times."""
        starts = 1
        for _ in range(300):
            if self.process.poll() is not None:
                if starts == STARTS:
                    break
                starts += 1
                self.start()
            request = urllib.request.Request(
                self.url,
                json.dumps(PROBE).encode(),
                {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"},
            )
            try:
                with urllib.request.urlopen(request) as response:
                    answer = json.load(response)
                for contact in answer["data"]:
                    for name in ("id", "created_at", "updated_at"):
                        del contact[name]
                return answer
            except urllib.error.HTTPError as error:
                sys.exit(f"{self.name}: {error.code} {error.read()!r}")
            except OSError:
                time.sleep(0.2)
        self.log.seek(0)
        sys.exit(f"{self.name} does not serve: {self.log.read().decode()}")

    def add_chatbots(self):
        """Adds chatbots 124 to 126 to a server of the library's; a peer needs none."""
        if psql(self.uri, "SELECT to_regclass('bb_contacts.chatbots')"):
            psql(
                self.uri,
                "INSERT INTO bb_contacts.chatbots (id, workspace_id, created_at)"
                " SELECT id, 1, now() FROM generate_series(124, 126) id",
            )

    def measure(self, load, seconds, postmaster):
        """Puts it under a load; remembers the rate, the waits, and the processors' time."""
        server = processor_seconds(children_of(self.process.pid))
        database = processor_seconds(children_of(postmaster))
        command = ["wrk", "-t1", f"-c{load.connections}", f"-d{seconds}", "--timeout", "30s"]
        command += ["-s", SCRIPT, self.url, "--", KEY]
        command += [str(load.contacts), load.kind, str(load.chatbots)]
        run = subprocess.run(command, check=True, capture_output=True, text=True)
        server = processor_seconds(children_of(self.process.pid)) - server
        database = processor_seconds(children_of(postmaster)) - database
        for line in run.stdout.splitlines():
            if line.startswith("figures: "):
                requests, microseconds, errors, median, slowest = map(int, line.split()[1:])
        if errors == 0 and requests == 0 and seconds < MOST_SECONDS:
            self.measure(load, seconds * 2, postmaster)
            return
        if errors > 0 or requests == 0:
            sys.exit(f"{self.name}: {errors} errors\n{run.stdout}")
        self.samples[load].append(
            Sample(
                requests * 1e6 / microseconds,
                median / 1e3,
                slowest / 1e3,
                server * 1e3 / requests,
                (server + database) * 1e3 / requests,
            )
        )

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        psql(self.postgres, f"DROP DATABASE IF EXISTS {self.database} WITH (FORCE)")


def median(samples, member):
    return statistics.median(getattr(sample, member) for sample in samples)


def spread(values):
    values = sorted(values)
    last = len(values) - 1
    return f"{values[last // 10]:.3g} to {values[last * 9 // 10]:.3g}"


def row(server, peer, load):
    """One line: medians, and how many times the peer's they are, the spread round by round."""
    own, other = server.samples[load], peer.samples[load]
    cells = [server.name, f"{median(own, 'rate'):.4g}", spread([s.rate for s in own])]
    cells += [f"{median(own, m):.3g}" for m in ("median", "slowest", "server", "both")]
    if server is peer:
        cells += ["", "", ""]
    else:
        cells += [
            f"{median(own, 'rate') / median(other, 'rate'):.2f}",
            spread([a.rate / b.rate for a, b in zip(own, other)]),
            f"{median(other, 'both') / median(own, 'both'):.2f}",
        ]
    return "| " + " | ".join(cells) + " |"


def report(servers, peer):
    for load in LOADS:
        print(
            f"\n| {load.name} | requests a second | 10 to 90 % | median ms | 99 % ms"
            " | processor ms: server | and database"
            f" | times {peer.name} | 10 to 90 % | by processor time |"
        )
        print("|---|---:|---|---:|---:|---:|---:|---:|---|---:|")
        for server in servers:
            print(row(server, peer, load))


def read_arguments():
    parser = argparse.ArgumentParser(description="The example servers beside a Node peer.")
    parser.add_argument("--server", action="append", default=[])
    parser.add_argument("--peer", action="append", default=[])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=4)
    arguments = parser.parse_args()
    if not arguments.server or not arguments.peer:
        parser.error("a --server and a --peer are needed")
    return arguments


def main():
    arguments = read_arguments()
    postgres = os.environ.get("BB_TEST_POSTGRES")
    if not postgres:
        print("BB_TEST_POSTGRES is not set: skipped")
        sys.exit(77)
    postmaster = int(psql(postgres, "SELECT pg_read_file('postmaster.pid')").split()[0])
    servers = []
    try:
        for command in arguments.server + arguments.peer:
            servers.append(Server(*command.split("=", 1), postgres))
        answers = [server.probe() for server in servers]
        for server, answer in zip(servers, answers):
            if answer != answers[0]:
                sys.exit(f"{server.name} answers {answer}, {servers[0].name} {answers[0]}")
        for server in servers:
            server.add_chatbots()
        for turn in range(arguments.rounds):
            for load in LOADS:
                for i in range(len(servers)):
                    server = servers[(turn + i) % len(servers)]
                    server.measure(load, arguments.seconds, postmaster)
    finally:
        for server in servers:
            server.stop()
    durable = psql(
        postgres, "SELECT current_setting('fsync'), current_setting('synchronous_commit')"
    )
    print(f"{arguments.rounds} rounds of {arguments.seconds} seconds; fsync and synchronous_commit"
          f" are {durable.replace('|', ' and ')}")
    report(servers, servers[len(arguments.server)])


if __name__ == "__main__":
    main()
