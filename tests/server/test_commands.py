"""The command line: words, options, output and exit status."""

import os
import signal
import tempfile
import unittest

from harness import (
    BACKEND,
    SERVE,
    Server,
    Store,
    needs_shared_store,
    once,
    run,
    threaded_only,
)

# A command that is accepted fails on this one with exit status 1.
NO_STORE = "sqlite:/nowhere/at/all.db"


@threaded_only
@once
class Usage(unittest.TestCase):
    def test_wrong_usage_is_status_2_and_one_line(self):
        for words in (
            [],
            ["nothing"],
            ["chatbot"],
            ["chatbot", "add"],
            ["chatbot", "add", "5"],
            ["chatbot", "add", "5", "6", "--workspace", "1"],
            ["chatbot", "remove", "5"],
            ["key", "add"],
            ["key", "add", "--workspace", "1", "--demo"],
            ["key", "add", "5", "--workspace", "1"],
            ["key", "revoke"],
            ["key", "revoke", "a", "b"],
            ["key", "revoke", "a", "--workspace", "1"],
            ["chatbot", "archive"],
            ["chatbot", "archive", "0"],
            ["chatbot", "restore", "5", "--workspace", "1"],
            ["chatbot", "add", "5", "--workspace", "1", "--env", "test"],
            ["serve", "now"],
            ["serve", "--workspace", "1"],
            ["serve", "--listen"],
            ["serve", "--timeout", "0"],
            ["serve", "--idle", "0"],
            ["serve", "--max-answer", "0"],
            ["serve", "--max-answer", "17179869185"],
            ["chatbot", "archive", "5", "--max-answer", "5"],
            ["serve", "--custom-attributes", "append"],
            ["key", "add", "--workspace", "1", "--custom-attributes", "merge"],
            ["chatbot", "archive", "5", "--idle", "5"],
            ["chatbot", "archive", "5", "--timeout", "86401"],
            ["serve", "--unknown"],
            ["--store", "memory:"],
        ):
            done = run(*words)
            self.assertEqual((done.returncode, done.stdout), (2, ""), words)
            self.assertRegex(done.stderr, r"^bb-contacts-server: [^\n]+\n$", words)

    def test_wrong_usage_says_what_is_wrong(self):
        for words, message in (
            ([], "a command is needed: serve, chatbot, key or schema"),
            (["chatbot"], "chatbot: add, archive or restore is needed"),
            (["chatbot", "remove", "5"], "chatbot: add, archive or restore is needed"),
            (["key"], "key: add or revoke is needed"),
            (["schema"], "schema: print is needed"),
            (["nothing"], "nothing: not a command"),
            (["serve", "--bogus"], "--bogus: no such option"),
            (["--bogus=secret", "serve"], "--bogus: no such option"),
            (["serve", "-xy", "--demo"], "-x: no such option"),
            (["serve", "-s"], "-s: no such option"),
            (["serve", "--listen"], "--listen: needs a value"),
            (["serve", "--demo=secret"], "--demo: takes no value"),
        ):
            done = run("--store", NO_STORE, *words)
            said = f"bb-contacts-server: {message} (see --help)\n"
            self.assertEqual((done.returncode, done.stdout, done.stderr), (2, "", said))

    def test_memory_is_for_serve_alone(self):
        for words in (
            ["chatbot", "add", "5", "--workspace", "1"],
            ["chatbot", "archive", "5"],
            ["chatbot", "restore", "5"],
            ["key", "add", "--workspace", "1"],
            ["key", "revoke", "oc_live_unknown"],
        ):
            done = run("--store", "memory:", *words)
            self.assertEqual((done.returncode, done.stdout), (2, ""), words)
            self.assertIn("memory: ends with this command", done.stderr, words)

    def test_only_serve_and_add_make_an_sqlite_file(self):
        with tempfile.TemporaryDirectory() as folder:
            for words in (
                ["chatbot", "archive", "5"],
                ["chatbot", "restore", "5"],
                ["key", "revoke", "oc_live_unknown"],
            ):
                done = run("--store", "sqlite:new.db", *words, cwd=folder)
                self.assertEqual((done.returncode, done.stdout), (1, ""), words)
                self.assertIn("cannot open the store: new.db: ", done.stderr, words)
                self.assertEqual(os.listdir(folder), [], words)
            for number, words in enumerate(
                (["chatbot", "add", "5", "--workspace", "1"], ["key", "add", "--workspace", "1"])
            ):
                done = run("--store", f"sqlite:{number}.db", *words, cwd=folder)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn(f"{number}.db", os.listdir(folder))

    def test_numbers_are_positive_decimals_of_63_bits(self):
        for number in ("0", "-1", "+1", "1x", "", " 1", "0x1", "1.0", "9223372036854775808"):
            for words in (
                ["chatbot", "add", "1", f"--workspace={number}"],
                ["key", "add", f"--workspace={number}"],
                ["key", "add", "--workspace=1", f"--chatbot={number}"],
                ["key", "add", "--workspace=1", f"--expires={number}"],
                ["chatbot", "add", "--workspace=1", "--", number],
                ["chatbot", "archive", "--", number],
            ):
                done = run("--store", NO_STORE, *words)
                self.assertEqual((done.returncode, done.stdout), (2, ""), words)

    def test_wrong_addresses(self):
        for address in ("", "8080", ":8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "::1:80"):
            done = run("--store", "memory:", "serve", "--listen", address)
            self.assertEqual((done.returncode, done.stdout), (2, ""), address)
        for address in ("127.0.0.1:65536", "127.0.0.1:-1", "[::1:80", "[]:80"):
            done = run("--store", "memory:", "serve", "--listen", address)
            self.assertEqual((done.returncode, done.stdout), (2, ""), address)

    def test_wrong_stores(self):
        for uri in ("", "contacts.db", "mysql://x", "memory", "sqlite:"):
            done = run("--store", uri, "serve", "--listen", "127.0.0.1:0")
            self.assertEqual((done.returncode, done.stdout), (2, ""), uri)
            self.assertIn(": --store: ", done.stderr, uri)
        for uri in (NO_STORE, "postgresql://user@127.0.0.1:1/none"):
            done = run("--store", uri, "serve", "--listen", "127.0.0.1:0")
            self.assertEqual((done.returncode, done.stdout), (1, ""), uri)
            self.assertIn(": cannot open the store: ", done.stderr, uri)

    def test_help_and_version(self):
        done = run("--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertTrue(done.stdout.startswith("usage: bb-contacts-server "))
        self.assertLess(max(map(len, done.stdout.splitlines())), 101)
        done = run("--version")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"^bb-contacts-server \d+\.\d+\.\d+\n$")


@threaded_only
class Commands(unittest.TestCase):
    def setUp(self):
        self.store = Store()
        self.addCleanup(self.store.close)

    def run_on_store(self, *words, **options):
        return run(*words, store=self.store, **options)

    def test_default_store_is_a_file_in_the_current_folder(self):
        done = run("chatbot", "add", "5", "--workspace", "1", cwd=self.store.folder)
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)
        self.assertTrue(os.path.exists(os.path.join(self.store.folder, "bb-contacts.db")))

    @needs_shared_store
    def test_options_stand_anywhere(self):
        uri = self.store.uri
        for words in (
            ["--store", uri, "chatbot", "add", "5", "--workspace", "1"],
            ["chatbot", "--store", uri, "--workspace", "1", "add", "5"],
            ["--workspace=1", "chatbot", "add", "5", f"--store={uri}"],
        ):
            done = run(*words)
            self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)

    @needs_shared_store
    def test_chatbot_add(self):
        add = ["chatbot", "add", "9223372036854775807", "--workspace"]
        for workspace, status in (("7", 0), ("7", 0), ("8", 1)):
            done = self.run_on_store(*add, workspace)
            self.assertEqual((done.returncode, done.stdout), (status, ""), done.stderr)
            self.assertEqual("another workspace" in done.stderr, status == 1)

    @needs_shared_store
    def test_B2_key_add_prints_the_key_alone(self):
        keys = set()
        for _ in range(2):
            done = self.run_on_store("key", "add", "--workspace", "1")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertRegex(done.stdout, r"^oc_live_[A-Za-z0-9]{20,}\n$")
            keys.add(done.stdout)
        self.assertEqual(len(keys), 2)
        if BACKEND == "sqlite":
            for name in os.listdir(self.store.folder):
                with open(os.path.join(self.store.folder, name), "rb") as file:
                    content = file.read()
                for key in keys:
                    self.assertNotIn(key.strip().encode(), content)

    @needs_shared_store
    def test_key_add_takes_the_env_of_the_key(self):
        for env, status in (("test", 0), ("a1", 0), ("", 2), ("a_b", 2), ("x" * 33, 2)):
            done = self.run_on_store("key", "add", "--workspace", "1", "--env", env)
            self.assertEqual(done.returncode, status, (env, done.stderr))
            if status == 0:
                self.assertRegex(done.stdout, rf"^oc_{env}_[A-Za-z0-9]{{20,}}\n$")
            else:
                self.assertEqual(done.stdout, "")

    @needs_shared_store
    def test_chatbot_that_is_not_there_cannot_be_archived(self):
        self.run_on_store("chatbot", "add", "5", "--workspace", "1", check=True)
        for command in ("archive", "restore"):
            for chatbot, status in (("5", 0), ("5", 0), ("6", 1)):
                done = self.run_on_store("chatbot", command, chatbot)
                self.assertEqual((done.returncode, done.stdout), (status, ""), done.stderr)
                self.assertEqual("no such chatbot" in done.stderr, status == 1)

    @needs_shared_store
    def test_key_that_cannot_be_printed_is_a_failure(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = self.run_on_store("key", "add", "--workspace", "1", stdout=full)
        self.assertEqual(done.returncode, 1)
        self.assertIn("standard output", done.stderr)

    @needs_shared_store
    def test_key_revoke_of_what_is_no_live_key(self):
        self.run_on_store("chatbot", "add", "5", "--workspace", "1", check=True)
        for key, status in (("oc_live_unknown", 1), ("not a key", 2), ("", 2)):
            for words, given in ((["key", "revoke", key], None), (["key", "revoke", "-"], key)):
                done = self.run_on_store(*words, input=given)
                self.assertEqual((done.returncode, done.stdout), (status, ""), (words, given))
                if key:
                    self.assertNotIn(key, done.stderr)


class Demo(unittest.TestCase):
    def setUp(self):
        self.store = Store()
        self.addCleanup(self.store.close)

    def test_key_is_made_and_printed_before_the_ready_line(self):
        for key in (None, ""):
            server = Server(self.store, key=key)
            self.addCleanup(server.stop)
            self.assertEqual(len(server.output), 2)
            self.assertRegex(server.output[0], r"^BOOKBAG_API_KEY=oc_test_[A-Za-z0-9]{20,}$")
            self.assertRegex(server.output[1], r"^listening on http://127\.0\.0\.1:[1-9]\d*$")

    def test_key_is_taken_from_the_environment_again_and_again(self):
        for _ in range(2):
            server = Server(self.store, key="oc_test_0123456789abcdefghijklmnopqrstuv")
            self.assertEqual(len(server.output), 1)
            server.stop()

    def test_key_of_another_form(self):
        environment = {**os.environ, "BOOKBAG_API_KEY": "secret password"}
        words = ["--demo", "--listen", "127.0.0.1:0"]
        done = run(*words, program=SERVE, store=self.store, env=environment)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(done.stdout, "")
        self.assertIn("BOOKBAG_API_KEY", done.stderr)
        self.assertNotIn("secret", done.stderr)

    def test_output_is_the_ready_line_and_nothing_else(self):
        server = Server(self.store)
        server.process.send_signal(signal.SIGINT)
        self.assertEqual(server.process.stdout.read(), "")
        server.stop()
