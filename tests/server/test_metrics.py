"""GET /metrics: the statistics in Prometheus' text format, version 0.0.4, and what they count."""

import http.client
import math
import re

from harness import PATIENCE, TestCase, path_of

SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="[^"\\\n]*",?)*)\})? ([0-9.e+-]+)')
ONE = {"users": [{"external_id": "one"}]}


class Metrics(TestCase):
    def read(self):
        """All samples, {(name, labels): value}, and the types, {name: type}."""
        client = http.client.HTTPConnection(
            self.server.host, self.server.port, timeout=PATIENCE
        )
        client.request("GET", "/metrics")
        response = client.getresponse()
        text = response.read().decode()
        client.close()
        self.assertEqual(response.status, 200)
        self.assertEqual(response.headers["Content-Type"], "text/plain; version=0.0.4")
        self.assertTrue(text.endswith("\n"))
        samples, types = {}, {}
        for line in text.splitlines():
            if line.startswith("# HELP "):
                self.assertRegex(line, r"^# HELP bb_contacts_[a-z_]+ [A-Z].*\.$")
                helped = line.split(" ")[2]
            elif line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                self.assertEqual(name, helped)
                self.assertNotIn(name, types, "a name's lines belong together")
                types[name] = kind
            else:
                match = SAMPLE.fullmatch(line)
                self.assertTrue(match, line)
                base = match[1]
                if types[name] == "histogram":
                    base = re.sub(r"_(bucket|sum|count)$", "", base)
                self.assertEqual(base, name, "a sample follows its TYPE")
                self.assertNotIn((match[1], match[2]), samples, "a sample appears once")
                samples[match[1], match[2]] = float(match[3])
        return samples, types

    def test_format_and_types(self):
        samples, types = self.read()
        for name, kind in types.items():
            self.assertEqual(kind == "counter", name.endswith("_total"), name)
        self.assertEqual(
            [name for name, kind in types.items() if kind == "histogram"],
            ["bb_contacts_request_duration_seconds", "bb_contacts_group_requests"],
        )
        self.assertEqual(samples["bb_contacts_queue_requests", None], 0)
        self.assertEqual(samples["bb_contacts_queue_bytes", None], 0)

    def test_histograms_are_cumulative(self):
        self.assertEqual(self.post(ONE).status, 200)
        samples, types = self.read()
        for name in [name for name, kind in types.items() if kind == "histogram"]:
            buckets = [
                (float(labels.removeprefix('le="').removesuffix('"')), value)
                for (sample, labels), value in samples.items()
                if sample == name + "_bucket"
            ]
            self.assertGreater(len(buckets), 10)
            self.assertEqual(buckets, sorted(buckets))
            self.assertEqual(len({bound for bound, _ in buckets}), len(buckets))
            counts = [count for _, count in buckets]
            self.assertEqual(counts, sorted(counts))
            self.assertEqual(buckets[-1], (math.inf, samples[name + "_count", None]))
            self.assertGreater(samples[name + "_sum", None], 0)
            self.assertGreater(samples[name + "_count", None], 0)

    def test_requests_and_contacts_are_counted(self):
        before, _ = self.read()
        created = {"users": [{"external_id": f"counted_{i}"} for i in range(3)]}
        updated = {"users": [{"external_id": "counted_0", "name": "x"}]}
        for _ in range(2):
            self.assertEqual(self.post(created).status, 200)
        self.assertEqual(self.post(updated).status, 200)
        self.assertEqual(self.post(b"{").status, 400)
        self.assertEqual(self.post(ONE, key="oc_test_unknown").status, 401)
        self.assertEqual(self.request("POST", path_of(123), b"{}").status, 401)
        self.assertEqual(self.post(ONE, chatbot=999).status, 404)
        after, _ = self.read()
        grown = {
            sample: after[sample] - before[sample]
            for sample in after
            if after[sample] != before[sample]
        }
        for (name, labels), count in (
            (("requests_total", 'status="SUCCESS",code="200"'), 3),
            (("requests_total", 'status="INVALID_DATA",code="400"'), 1),
            (("requests_total", 'status="INVALID_KEY",code="401"'), 1),
            (("requests_total", 'status="NO_KEY",code="401"'), 1),
            (("requests_total", 'status="NOT_FOUND",code="404"'), 1),
            (("contacts_total", 'outcome="created"'), 3),
            (("contacts_total", 'outcome="updated"'), 1),
            (("contacts_total", 'outcome="unchanged"'), 3),
            (("request_duration_seconds_count", None), 7),
            (("group_requests_sum", None), 3),
        ):
            self.assertEqual(grown.pop((f"bb_contacts_{name}", labels), 0), count, (name, labels))
        self.assertFalse([labels for _, labels in grown if labels and "status" in labels])

    def test_methods(self):
        answer = self.request("POST", "/metrics", b"{}")
        self.assertEqual(answer.outcome, (405, "Method not allowed"))
        self.assertEqual(answer.headers["Allow"], "GET, HEAD")
        client = http.client.HTTPConnection(
            self.server.host, self.server.port, timeout=PATIENCE
        )
        client.request("HEAD", "/metrics")
        response = client.getresponse()
        self.assertEqual((response.status, response.read()), (200, b""))
        self.assertGreater(int(response.headers["Content-Length"]), 1000)
        client.close()
