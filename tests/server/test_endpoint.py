"""The endpoint through the server: the source document's request and table, and what must come
through HTTP unchanged. Names cite the contract's rules."""

import json
import os
import subprocess
import time

from harness import BODY_LIMIT, PATIENCE, Server, TestCase, needs_shared_store, path_of

# The source document's curl command; only the host is another.
DOCUMENTED = r"""
curl -sS $URL/api/v1/chatbots/123/contacts \
-H "Authorization: Bearer $BOOKBAG_API_KEY" \
-H "Content-Type: application/json" \
-d '{
"users": [
{
"external_id": "user_8821",
"name": "Sam Rivera",
"email": "sam@acme.com",
"custom_attributes": { "plan": "pro", "ltv": 540 }
}
]
}'
"""
FIELDS = [
    "id",
    "external_id",
    "name",
    "email",
    "phonenumber",
    "stripe_accounts",
    "custom_attributes",
    "created_at",
    "updated_at",
]
ONE = {"users": [{"external_id": "one"}]}


class SourceDocument(TestCase):
    def send(self):
        environment = dict(os.environ, URL=self.server.url, BOOKBAG_API_KEY=self.server.key)
        done = subprocess.run(
            ["sh", "-c", DOCUMENTED],
            env=environment,
            capture_output=True,
            check=True,
            timeout=PATIENCE,
        )
        return done.stdout

    def test_A4_E3_E5_request_of_the_document_and_its_repeat(self):
        before = int(time.time())
        body = self.send()
        after = int(time.time())
        start = b'{"message":"Success","data":[{"id":"contact_1","external_id":"user_8821",'
        self.assertEqual(body[: len(start)], start)
        contact = json.loads(body)["data"][0]
        self.assertEqual(list(contact), FIELDS)
        created = contact["created_at"]
        self.assertTrue(before <= created <= after)
        self.assertEqual(
            contact,
            {
                "id": "contact_1",
                "external_id": "user_8821",
                "name": "Sam Rivera",
                "email": "sam@acme.com",
                "phonenumber": None,
                "stripe_accounts": [],
                "custom_attributes": {"plan": "pro", "ltv": 540},
                "created_at": created,
                "updated_at": created,
            },
        )
        time.sleep(1.1)
        self.assertEqual(self.send(), body)


class StatusTable(TestCase):
    def test_C2_no_array_or_an_empty_one(self):
        for body in (b"", b"{}", b"[]", b'{"users":[]}', b'{"users":{}}', b"not JSON"):
            self.assertEqual(self.post(body).outcome, (400, "Invalid request data"), body)

    def test_C2_more_than_1000(self):
        entries = [{"external_id": f"many_{i}"} for i in range(1001)]
        self.assertEqual(
            self.post({"users": entries}).outcome, (400, "Maximum 1000 contacts per request")
        )
        answer = self.post({"users": entries[:1000]})
        self.assertEqual(answer.status, 200)
        self.assertEqual(
            [contact["external_id"] for contact in answer.json["data"]],
            [entry["external_id"] for entry in entries[:1000]],
        )

    def test_A3_issues(self):
        answer = self.post({"users": [ONE["users"][0], {"email": 1}]})
        self.assertEqual(answer.outcome, (400, "Invalid request data"))
        self.assertEqual([issue["field"] for issue in answer.json["issues"]], ["users[1].email"])

    def test_B1_no_key(self):
        for headers in ({}, {"Authorization": ""}, {"Authorization": "  "}):
            answer = self.request("POST", path_of(123), json.dumps(ONE), headers)
            self.assertEqual(answer.outcome, (401, "No API key provided."), headers)
            self.assertEqual(answer.headers["WWW-Authenticate"], "Bearer")

    def test_B1_invalid_key(self):
        key = self.server.key
        for value in ("Bearer", "Basic x", f"Bearer {key}x", f"Bearer {key} x", key):
            answer = self.request(
                "POST", path_of(123), json.dumps(ONE), {"Authorization": value}
            )
            self.assertEqual(answer.outcome, (401, "Invalid API key."), value)
            self.assertEqual(answer.headers["WWW-Authenticate"], "Bearer")

    def test_B3_unknown_chatbot(self):
        for chatbot in (124, 0, -1, "12x", 9223372036854775808, "", "%20123", "123%20"):
            self.assertEqual(
                self.post(ONE, chatbot=chatbot).outcome, (404, "Resource not found"), chatbot
            )

    def test_A1_key_then_chatbot_then_body(self):
        bad = b"not JSON"
        self.assertEqual(self.post(bad, chatbot=999, key="oc_test_x").status, 401)
        self.assertEqual(self.post(bad, chatbot=999).status, 404)
        self.assertEqual(self.post(bad).status, 400)

    def test_C7_payload_too_large(self):
        self.assertEqual(self.post(b" " * (BODY_LIMIT + 1)).outcome, (413, "Payload too large"))


@needs_shared_store
class Scope(TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for chatbot, workspace in ((124, 1), (200, 2)):
            cls.run_on_store(
                cls, "chatbot", "add", str(chatbot), "--workspace", str(workspace), check=True
            )

    def test_B3_chatbot_of_another_workspace(self):
        other = self.add_key("--workspace", "2")
        self.assertEqual(self.post(ONE, chatbot=200, key=other).status, 200)
        self.assertEqual(self.post(ONE, chatbot=123, key=other).status, 404)
        self.assertEqual(self.post(ONE, chatbot=200).status, 404)

    def test_B3_key_for_one_chatbot(self):
        scoped = self.add_key("--workspace", "1", "--chatbot", "123")
        self.assertEqual(self.post(ONE, chatbot=123, key=scoped).status, 200)
        self.assertEqual(self.post(ONE, chatbot=124, key=scoped).status, 404)
        self.assertEqual(self.post(ONE, chatbot=124).status, 200)

    def test_B1_revoked_key(self):
        for by_standard_input in (False, True):
            key = self.add_key("--workspace", "1")
            self.assertEqual(self.post(ONE, key=key).status, 200)
            if by_standard_input:
                revoked = self.run_on_store("key", "revoke", "-", input=key + "\n")
            else:
                revoked = self.run_on_store("key", "revoke", key)
            self.assertEqual((revoked.returncode, revoked.stdout), (0, ""), revoked.stderr)
            self.assertEqual(self.post(ONE, key=key).outcome, (401, "Invalid API key."))

    def test_B1_expired_key(self):
        past, future = int(time.time()) - 1, int(time.time()) + 3600
        live = self.add_key("--workspace", "1", "--expires", str(future))
        expired = self.add_key("--workspace", "1", "--expires", str(past))
        self.assertEqual(self.post(ONE, key=live).status, 200)
        self.assertEqual(self.post(ONE, key=expired).outcome, (401, "Invalid API key."))

    def test_B3_archived_chatbot_and_its_return(self):
        for command, status in (("archive", 404), ("restore", 200)):
            done = self.run_on_store("chatbot", command, "124")
            self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)
            self.assertEqual(self.post(ONE, chatbot=124).status, status)
            self.assertEqual(self.post(ONE, chatbot=123).status, 200)


class Unchanged(TestCase):
    """What goes in by HTTP comes out by HTTP."""

    def test_C6_numbers(self):
        numbers = ["9007199254740993", "12345678901234567890", "0.30000000000000004", "1.10"]
        attributes = ",".join(f'"n{i}":{number}' for i, number in enumerate(numbers))
        body = f'{{"users":[{{"external_id":"n","custom_attributes":{{{attributes}}}}}]}}'
        answer = self.post(body.encode())
        for i, number in enumerate(numbers):
            self.assertIn(f'"n{i}":{number}', answer.body.decode().replace(" ", ""))

    def test_C5_characters(self):
        name = "\U0001f469\u200d\U0001f680 e\u0301 \U0010ffff \u0001 \" \\ /"
        body = json.dumps({"users": [{"external_id": "c", "name": name}]}, ensure_ascii=False)
        answer = self.post(body.encode())
        self.assertEqual(answer.contact["name"], name)
        self.assertIn("\U0001f469\u200d\U0001f680 e\u0301 \U0010ffff".encode(), answer.body)

    def test_E9_idempotency_key_is_passed_on(self):
        body = {"users": [{"name": "no id"}]}
        first = self.post(body, Idempotency_Key="k1").contact
        self.assertEqual(self.post(body, Idempotency_Key="k1").contact, first)
        self.assertNotEqual(self.post(body, Idempotency_Key="k2").contact["id"], first["id"])
        self.assertNotEqual(self.post(body).contact["id"], first["id"])

    def test_D_keep_clear_and_set(self):
        def send(**fields):
            return self.post({"users": [{"external_id": "d", **fields}]}).contact

        self.assertEqual(send(name="a", email="b")["name"], "a")
        self.assertEqual(send(name=None)["email"], "b")
        self.assertEqual(send()["name"], None)


class Merging(TestCase):
    def send(self, attributes, query="", server=None, external_id="m"):
        server = server or self.server
        body = {"users": [{"external_id": external_id, "custom_attributes": attributes}]}
        headers = {"Authorization": f"Bearer {self.server.key}"}
        return self.request("POST", path_of(123) + query, json.dumps(body), headers, server)

    def test_D2_a_request_may_ask_for_merging(self):
        self.assertEqual(self.send({"a": 1, "b": 2}).status, 200)
        merged = self.send({"b": None, "c": 3}, "?custom_attributes=merge")
        self.assertEqual(merged.contact["custom_attributes"], {"a": 1, "c": 3})
        merged = self.send({"d": 4}, "?x=%3F&&custom_attributes=merge&custom_attributes=merge&")
        self.assertEqual(merged.contact["custom_attributes"], {"a": 1, "c": 3, "d": 4})
        replaced = self.send({"e": 5}, "?custom_attributes=replace")
        self.assertEqual(replaced.contact["custom_attributes"], {"e": 5})
        replaced = self.send({"f": 6}, "?merge&custom_attribute=merge")
        self.assertEqual(replaced.contact["custom_attributes"], {"f": 6})

    def test_D2_what_does_not_exist_is_a_400(self):
        for query in (
            "custom_attributes",
            "custom_attributes=",
            "custom_attributes=Merge",
            "custom_attributes=merge2",
            "custom_attributes=merge&custom_attributes=replace",
            "x&custom_attributes=append&y",
        ):
            answer = self.send({}, "?" + query)
            self.assertEqual(answer.outcome, (400, "Invalid request data"), query)

    @needs_shared_store
    def test_D2_the_server_may_merge_unless_asked_otherwise(self):
        server = self.start("--custom-attributes", "merge")
        self.send({"a": 1}, server=server, external_id="of a server that merges")
        both = self.send({"b": 2}, server=server, external_id="of a server that merges")
        self.assertEqual(both.contact["custom_attributes"], {"a": 1, "b": 2})
        one = self.send({"c": 3}, "?custom_attributes=replace", server, "of a server that merges")
        self.assertEqual(one.contact["custom_attributes"], {"c": 3})


class DryRun(TestCase):
    def send(self, query, name="x"):
        body = json.dumps({"users": [{"external_id": "dry", "name": name}]})
        headers = {"Authorization": f"Bearer {self.server.key}"}
        return self.request("POST", path_of(123) + query, body, headers)

    def test_A6_nothing_is_stored(self):
        for _ in range(2):
            self.assertIsNone(self.send("?dry_run=true").contact["id"])
        for same in ("dry%5Frun=true", "%64ry_ru%6e=%74ru%65"):  # RFC 3986, 6.2.2.2
            self.assertIsNone(self.send("?" + same).contact["id"], same)
        stored = self.send("?dry_run=false").contact
        self.assertEqual(stored["id"], "contact_1")
        tried = self.send("?custom_attributes=merge&dry_run=true", "y").contact
        self.assertEqual((tried["id"], tried["name"]), ("contact_1", "y"))
        self.assertEqual(self.send("").contact["name"], "x")

    def test_A6_what_does_not_exist_is_a_400(self):
        for query in (
            "dry_run",
            "dry_run=",
            "dry_run=1",
            "dry_run=True",
            "dry_run=true&dry_run=false",
            "dry_run=false&dry_run=true",
            "dry_run=no&dry_run=true",
        ):
            answer = self.send("?" + query)
            self.assertEqual(answer.outcome, (400, "Invalid request data"), query)


@needs_shared_store
class BusyStore(TestCase):
    def test_E11_busy_past_the_deadline(self):
        self.assertEqual(self.post(ONE).status, 200)
        hurried = Server(self.store, "--timeout", "10", key=self.server.key)
        self.addCleanup(hurried.stop)
        with self.store.locked():
            answer = self.post(
                {"users": [{"external_id": "one", "name": "waits"}]}, server=hurried
            )
            self.assertEqual(answer.outcome, (503, "Service unavailable"))
            self.assertEqual(answer.headers["Retry-After"], "1")
            self.assertEqual(self.request("GET", "/healthz", server=hurried).status, 200)
        self.assertEqual(self.post(ONE).contact["name"], None)
