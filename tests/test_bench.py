"""The benchmarks measure what they say: fresh processes, fair turns, ratios of pairs, latency from when it was due."""

import contextlib
import dataclasses
import json
import re
import socket
import sys
import threading
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import boto3
import pytest

sys.path.append(str(Path(__file__).parent.parent / "bench"))  # last: its modules have everyday names

import measuring
import performance
from csv_to_model import log_loss
from load import hammer, http_request, pace
from many_classes import when_reached
from measuring import Bar, Failed, Run, Spread, Table, number, pairwise, percentile, spend, told
from plot import draw
from servers import Server
from serving import as_boto3_sends


def a_run(**figures):
    """Make a run of two contenders."""
    return Run("show", {"rounds": 2}, quick=False, versions={"commit": "abc"}, figures=figures)


def test_spread_is_median_least_and_greatest():
    """What is told of several rounds is their median with the extremes, not their mean."""
    assert Spread.of([9.0, 1.0, 2.0]) == (2.0, 1.0, 9.0)


def test_ratios_are_formed_round_by_round():
    """Each ratio compares two neighbours of one round, so a slow hour that met both does not count."""
    run = a_run(
        understudy=[{"wall": 1.0, "core": 0.5}, {"wall": 10.0, "core": 2.0}], peer=[{"wall": 2.0}, {"wall": 20.0}]
    )
    assert run.ratios("wall", "peer", "understudy") == [2.0, 2.0]
    assert run.ratios("wall", "peer", "understudy", "core") == [4.0, 10.0]
    assert run.ratios("wall", "nobody", "understudy") == []


def test_rounds_without_a_partner_are_left_out():
    """Where one contender has fewer rounds, only whole pairs are compared."""
    assert pairwise([2.0, 4.0, 6.0], [1.0, 1.0]) == [2.0, 4.0]


def test_percentile_is_a_value_that_occurred():
    """A percentile is by nearest rank: of a hundred values the 99th is the last but one, of one it is that one."""
    assert percentile([*range(1, 101)], 0.99) == 99
    assert percentile([*range(1, 101)], 0.5) == 50
    assert percentile([7.0], 0.99) == percentile([7.0], 0.0) == 7.0


def test_contenders_take_turns():
    """The order is A B C A B C, and figures of one round stand at one place."""
    order, run = [], a_run()
    turns = {name: lambda name=name: order.append(name) or {"wall": float(len(order))} for name in "abc"}
    run.take_turns(2, turns)
    assert order == [*"abcabc"]
    assert run.all_of("b", "wall") == [2.0, 5.0]
    assert len(run.loads) == 2


def test_a_peer_that_fails_is_out_and_the_reason_is_told():
    """A peer that fails in any round leaves no figures, only its last words; the others go on."""
    run, left = a_run(), [{"wall": 1.0}]

    def fail():
        if left:
            return left.pop()
        raise Failed("no such option")

    run.take_turns(3, {"peer": fail, "other": lambda: {"wall": 1.0}})
    assert run.absent == {"peer": "no such option"}
    assert "peer" not in run.figures
    assert len(run.figures["other"]) == 3
    assert measuring.absences(run, {"peer": "A peer"}) == ["A peer: not measured, no such option"]


def test_understudy_that_fails_ends_the_benchmark():
    """Without our own figures there is nothing to compare with, so the benchmark ends and says why."""

    def fail():
        raise Failed("disk full")

    with pytest.raises(SystemExit, match="disk full"):
        a_run().take_turns(1, {"understudy": fail})


def test_a_process_is_charged_with_its_own_time():
    """Wall clock holds what a process slept, processor time does not; what it printed is there."""
    spent = spend(sys.executable, "-S", "-c", 'import time; time.sleep(0.3); print("words {\\"n\\": 1}")')
    assert 0.3 <= spent.wall < 5
    assert spent.cpu < spent.wall
    assert spent.document == {"n": 1}
    assert spent.figures.keys() == {"wall", "cpu", "peak_mib"}


def test_a_process_is_not_charged_with_our_memory():
    """Peak memory is the process's own, however large the benchmark has grown that starts it."""
    ballast = bytearray(300 << 20)
    assert spend(sys.executable, "-S", "-c", "pass").peak_mib < 60
    assert len(ballast) == 300 << 20


def test_a_process_that_fails_says_its_last_words():
    """A command that ends with another code than 0 raises what it said last."""
    with pytest.raises(Failed, match="ValueError: enough"):
        spend(sys.executable, "-S", "-c", 'raise ValueError("enough")')


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234.5, "1,234"), (123.4, "123"), (12.34, "12.3"), (1.234, "1.23"), (0.1234, "0.123"), (0.01234, "0.0123")],
)
def test_numbers_have_about_three_digits(value, text):
    """A figure is written with the digits that it deserves."""
    assert number(value) == text


def test_a_median_is_told_with_its_spread():
    """Rounds that differ are told with their extremes, equal ones without; none are told as nothing."""
    assert told([1.0, 2.0, 4.0]) == "2.00 (1.00 to 4.00)"
    assert told([2.0, 2.0001]) == "2.00"
    assert told([0.4, 0.6], 0) == "0 (0 to 1)"
    assert told([]) == ""


def test_a_table_is_markdown():
    """Names stand to the left, figures to the right, sentences below."""
    table = Table("Costs", ("who", "s"), [["we", "1"], ["they", "2"]], ["One round."])
    assert table.markdown == ("**Costs**\n\n| who | s |\n| --- | --: |\n| we | 1 |\n| they | 2 |\n\n- One round.\n")


def test_a_run_is_kept_and_found_again(tmp_path, monkeypatch, capsys):
    """The last run of a benchmark is read back as it was kept; quick ones are kept apart."""
    monkeypatch.setattr(measuring, "RESULTS", tmp_path / "results")
    run = a_run(understudy=[{"wall": 1.23456789}])
    for each in (run, dataclasses.replace(run, at="later")):
        measuring.conclude(each, [Table("Costs", ("who",), [["we"]])])
    assert measuring.latest("show", quick=True) is None
    found = measuring.latest("show")
    assert found.at == "later"
    assert found.figures == {"understudy": [{"wall": 1.23457}]}
    assert capsys.readouterr().out.count("**Costs**") == 2
    assert len((tmp_path / "results" / "show.jsonl").read_text().splitlines()) == 2


def test_sections_are_filled_between_their_markers():
    """What stands between markers is replaced, all else stays; to do it again changes nothing."""
    page = "# A\n\n<!-- one -->\nold\n<!-- /one -->\n\nkept\n\n<!-- two -->\n<!-- /two -->\n"
    filled = performance.fill(page, {"one": "new\n", "two": "2"})
    assert "old" not in filled
    assert "kept" in filled
    assert filled == performance.fill(filled, {"one": "new", "two": "2"})
    with pytest.raises(KeyError):
        performance.fill(page, {"one": "new"})


def test_what_was_never_run_is_said_to_be_so():
    """A benchmark without results says that it is not measured yet, and so do the nanoseconds."""
    assert performance.section(performance.BENCHMARKS[0], None) == performance.UNMEASURED
    assert performance.nanoseconds(None) == performance.machine([]) == performance.UNMEASURED


def test_the_page_has_a_place_for_every_benchmark():
    """Every benchmark's tables have their markers in docs/performance.md."""
    page = performance.PAGE.read_text()
    for name in ("machine", "nanoseconds", *(each.NAME for each in performance.BENCHMARKS)):
        assert f"<!-- {name} -->\n" in page
        assert f"<!-- /{name} -->\n" in page


def test_nanoseconds_stand_next_to_their_floors():
    """Every stage has its share of the whole, and how many times its floor it takes where one is known."""
    stages = [{"stage": "tokenise", "ns": 75, "floor": 50, "floor_is": "one read"}, {"stage": "learn", "ns": 25}]
    text = performance.nanoseconds({"at": "today", "rows": 1000, "measured": "By hand.", "stages": stages})
    assert "| tokenise | 75 | 75 | 50 | 1.5 | one read |" in text
    assert "| learn | 25 | 25 |  |  |  |" in text
    assert "| all | 100 | 100 |" in text


def test_the_plot_is_one_bar_for_each_peer():
    """The plot is well-formed SVG with a bar and a figure for each peer, whatever its size, and without any, too."""
    bars = [
        Bar("CSV & model", "a <peer>", [2.0, 3.0, 2.5]),
        Bar("CSV & model", "b", [0.01]),
        Bar("Other", "c", [400.0]),
    ]
    tree = ET.fromstring(draw(bars))
    assert len(tree.findall("{*}rect")) == 3
    texts = [text.text for text in tree.findall("{*}text")]
    assert {"CSV & model", "a <peer>", "2.50", "0.0100", "400"} <= set(texts)
    assert ET.fromstring(draw([])).findall("{*}rect") == []


def test_the_time_to_a_loss_is_that_of_the_first_point_there():
    """A curve reaches a loss at the first point that is no higher, or never."""
    curve = [[1.0, 0.9, 0.1], [2.0, 0.5, 0.2], [3.0, 0.6, 0.2], [4.0, 0.4, 0.3]]
    assert when_reached(curve, 0.5) == 2.0
    assert when_reached(curve, 0.3) is None


def test_log_loss_takes_nothing_for_certain():
    """The log loss is the mean over all rows; a score that was certain and wrong costs much, not everything."""
    assert log_loss([True, False], [0.5, 0.5]) == pytest.approx(0.6931, abs=1e-4)
    assert log_loss([True], [0.0]) == pytest.approx(16.118, abs=1e-3)


class Answering:
    """A server of a few lines: one thread for each connection, a fixed answer, perhaps a halt before some."""

    def __init__(self, answer=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", halt_at=0, halt=0.0):
        self._answer, self._halt_at, self._halt = answer, halt_at, halt
        self._asked, self._lock = 0, threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer_all, args=(connection,), daemon=True).start()

    def _answer_all(self, connection):
        with connection, contextlib.suppress(ConnectionError):  # who counted long enough hangs up in the middle
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or its two parts come 40 ms apart
            while connection.recv(65536):
                with self._lock:  # a halt stops everybody
                    self._asked += 1
                    if self._asked == self._halt_at:
                        time.sleep(self._halt)
                connection.sendall(self._answer[:20])
                connection.sendall(self._answer[20:])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.close()


REQUEST = http_request("POST", "/", {"Host": "here"}, b"{}")


def test_a_request_is_whole():
    """A request has its line, its headers, the length of its body, and the body."""
    assert REQUEST == (b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 2\r\n\r\n{}",)


def test_boto3_s_requests_are_its_own():
    """What is sent as boto3 does has its headers, an id of its own in each, and comes in two pieces, head and body."""
    ml = boto3.Session("id", "secret", region_name="us-east-1").client("machinelearning", endpoint_url="http://here:1")
    (head, body), (other, _) = as_boto3_sends([{"x": "1"}, {"x": "2"}], ml)
    assert head.startswith(b"POST / HTTP/1.1\r\nHost: here:1\r\nAccept-Encoding: identity\r\nX-Amz-Target: ")
    assert head.endswith(b"Content-Length: %d\r\n\r\n" % len(body))
    assert json.loads(body) == {"MLModelId": "answers", "Record": {"x": "1"}, "PredictEndpoint": "http://here:1"}
    ids = [re.search(b"\r\namz-sdk-invocation-id: (.*)\r\n", each)[1] for each in (head, other)]
    assert ids[0] != ids[1]


def test_request_in_pieces_is_one_request():
    """A request may be sent by several calls; it is answered once."""
    with Answering() as server:
        load = hammer(server.port, [(REQUEST[0][:20], REQUEST[0][20:])], 1, 0)
    assert (load.failed, len(load.latencies)) == (0, 1)


def test_a_closed_loop_counts_every_answer():
    """Every answer is timed, one that came in two parts counts once, and the rate is that of good ones."""
    with Answering() as server:
        load = hammer(server.port, [REQUEST], 4, 0.3)
    assert len(load.latencies) >= 4
    assert load.failed == 0
    assert load.rate == pytest.approx(len(load.latencies) / load.seconds)
    assert load.busy > 0


def test_an_answer_that_is_not_200_has_failed():
    """A refusal is no good answer, however fast it comes."""
    with Answering(b"HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n") as server:
        load = hammer(server.port, [REQUEST], 1, 0)
    assert load.failed == len(load.latencies) == 1
    assert load.rate == 0


def test_latency_counts_from_when_a_request_was_due():
    """A server that halts is charged with everyone who was due meanwhile, even where no connection was free."""
    with Answering(halt_at=20, halt=0.3) as server:
        load = pace(server.port, [REQUEST], 200, 0.5, connections=2)
    late = [seconds for seconds in load.latencies if seconds > 0.1]
    assert 99 <= len(load.latencies) <= 101
    assert len(late) >= 30  # those of 0.2 s at 200 a second, less what an unquiet machine may swallow
    assert max(load.latencies) >= 0.29


def test_a_server_is_started_weighed_and_ended(tmp_path):
    """The seconds to the first good answer are told; a server's processes are found, and none is left behind."""
    command = [sys.executable, "-m", "http.server", "--protocol", "HTTP/1.1", "--bind", "127.0.0.1"]
    server = Server(lambda port: [*command, port], tmp_path / "log", measuring.environment())
    try:
        assert 0 < server.start(lambda: [http_request("GET", "/", {"Host": "here"}, b"")]) < 60
        (process,) = server.processes()
        assert server.memory() > 1
        assert server.cpu() >= 0
    finally:
        server.stop()
    assert not Path(f"/proc/{process}").exists()
    assert server.processes() == []


def test_a_server_that_dies_says_its_last_words(tmp_path):
    """A server that ends before it ever answered is told with what it said last."""
    command = [sys.executable, "-S", "-c", 'raise SystemExit("no such model")']
    server = Server(lambda _: command, tmp_path / "log", measuring.environment())
    with pytest.raises(Failed, match="no such model"):
        server.start(lambda: [REQUEST])


def test_programs_of_peers_parse():
    """Programs for the peers' environment are Python, though what they import is not installed here."""
    for file in (measuring.BENCH / "peers").glob("*.py"):
        compile(file.read_text(), str(file), "exec")


def test_kept_results_are_one_document_a_line():
    """Every line of the results that are kept can be read."""
    for file in measuring.RESULTS.glob("*.jsonl"):
        for line in file.read_text().splitlines():
            assert Run(**json.loads(line)).benchmark == file.stem
