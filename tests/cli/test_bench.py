"""`mqctl bench`: counts are exact, planted faults are found, and whatever ends a run leaves no process behind."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from mqctl.broker.values import Limits
from mqctl.errors import ExitCode
from mqctl.hub.config import HubConfig
from mqctl.hub.thread import HubThread
from mqctl.target import Endpoint
from mqctl.testing.link import Link
from tests.cli.commands import Result, Running
from tests.cli.conftest import put
from tests.cli.terminal import LEAVE, Terminal

pytestmark = pytest.mark.timeout(90)

TWO = ("--workers", "2")
CALM = ("--in-flight", "1")
"""One message at a time: no machine is so slow that the generator becomes the limit."""

MEASURED = (ExitCode.OK, ExitCode.INCONCLUSIVE)
"""A machine that does other things too may send late, which bench must not hide."""


@contextmanager
def hub(**settings) -> Iterator[HubThread]:
    with HubThread(HubConfig(stomp=(Endpoint("127.0.0.1", 0),), drain_s=0, **settings)) as running:
        yield running


def report(result: Result) -> dict:
    assert result.out, result.err
    return json.loads(result.out)


def children(pid: int) -> list[int]:
    return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def workers(running: Running) -> list[int]:
    command_lines = {pid: Path(f"/proc/{pid}/cmdline").read_text() for pid in children(running.process.pid)}
    return [pid for pid, line in command_lines.items() if "spawn_main" in line]


def gone(pids: list[int]) -> bool:
    """Whether processes end within a moment."""
    deadline = time.monotonic() + 5
    while any(alive(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("confirm", ["broker", "none"])
def test_every_message_to_every_subscriber_is_in_the_books(mqctl, confirm):
    asked = ("--publishers", "2", "--subscribers", "3", "--count", "301", "--confirm", confirm)
    done = mqctl("bench", *asked, *CALM, *TWO, "--json")
    assert done.code == ExitCode.OK, done.err
    told = report(done)
    assert told["books"] == {
        "attempted": 301, "confirmed": 301, "rejected": 0, "unknown": 0, "expected": 903, "delivered": 903, "lost": 0,
        "recovered": 0, "duplicated": 0, "unexpected": 0, "out_of_order": 0,
    }  # fmt: skip
    assert [each["attempted"] for each in told["publishers"]] == [151, 150]
    assert told["latency_due_to_received"]["samples"] == 903
    assert told["latency_sent_to_confirmed"]["samples"] == (301 if confirm == "broker" else 0)
    assert (told["verdict"], told["findings"]) == ("pass", [])


def test_subscribers_of_a_queue_share_and_what_is_not_ours_is_counted_apart(mqctl, broker):
    put(broker, "/queue/bench", b"not ours", b"nor this")
    done = mqctl(
        "bench", "/queue/bench", "--subscribers", "3", "--publishers", "2", "--count", "200", "--ack", "individual",
        "--persistent", "--json", *CALM, *TWO,
    )  # fmt: skip
    assert done.code == ExitCode.OK, done.err
    books = report(done)["books"]
    assert (books["expected"], books["delivered"], books["unexpected"], books["duplicated"]) == (200, 200, 2, 0)


def test_an_open_loop_sends_what_was_asked_for_after_its_warm_up(mqctl):
    done = mqctl("bench", "--rate", "200", "--duration", "2s", "--warmup", "500ms", "--json", "--size", "1KiB")
    assert done.code in MEASURED, done.err
    told = report(done)
    assert told["books"]["attempted"] == 500
    assert told["latency_due_to_received"]["samples"] == told["generator"]["sends"] == 400
    assert sum(told["sent_each_second"]) == pytest.approx(400, abs=20)
    assert told["sent_per_s"] == pytest.approx(200, rel=0.05)
    assert told["delivered_least_per_s"] <= 200
    assert (told["load"]["loop"], told["load"]["size"]) == ("open", 1024)


def test_members_of_the_report_have_their_units_in_their_names(mqctl):
    told = report(mqctl("bench", "--count", "20", *CALM, "--json"))
    assert list(told) == [
        "schema", "verdict", "findings", "environment", "load", "books", "publishers", "sent_per_s", "delivered_per_s",
        "delivered_least_per_s", "sent_each_second", "delivered_each_second", "longest_stall_ms",
        "latency_due_to_received", "latency_sent_to_received", "latency_sent_to_confirmed",
        "deliveries_without_latency", "generator",
    ]  # fmt: skip
    latency = told["latency_due_to_received"]
    assert list(latency) == ["samples", *(f"p{n}_ms" for n in (50, 90, 95, 99, 999, 9999)), "max_ms"]
    assert latency["p50_ms"] <= latency["max_ms"]
    assert latency["p90_ms"] is None


def test_text_says_the_same(mqctl):
    done = mqctl("bench", "some.topic", "--count", "100", *CALM)
    assert done.code == ExitCode.OK
    titles = [line.split(" ")[0] for line in done.lines]
    assert titles == [
        "verdict", "broker", "load", "published", "delivered", "besides", "throughput", "generator", "latency",
        "in", "due", "sent", "sent",
    ]  # fmt: skip
    assert "attempted 100, confirmed 100, rejected 0, unknown 0" in done.lines[3]
    assert "closed loop" in done.lines[8]
    assert "some.topic" in done.lines[1]


def test_a_broker_that_drops_messages_is_found_out(mqctl):
    with hub(broker_limits=Limits(backlog_messages=5)) as losing:
        done = mqctl(
            "bench", "--url", losing.url, "--count", "3000", "--confirm", "none", "--ack", "individual",
            "--prefetch", "1", "--drain", "500ms", "--json",
        )  # fmt: skip
    assert done.code == ExitCode.WRONG, done.err
    told = report(done)
    books = told["books"]
    assert books["lost"] > 0
    assert books["lost"] + books["delivered"] == books["expected"] == 3000
    assert told["verdict"] == "fail"
    assert f"mqctl: fail: {books['lost']:,} of 3,000 expected deliveries never came" in done.err


def test_a_known_delay_is_what_is_measured(mqctl):
    with hub() as running, Link(running.endpoint) as link:
        link.up.delay(0.02)
        link.down.delay(0.05)
        done = mqctl(
            "bench", "--url", f"stomp://{link.endpoint}", "--rate", "100", "--duration", "2s", "--json", *TWO
        )  # fmt: skip
    assert done.code in MEASURED, done.err
    told = report(done)
    for name in ("latency_due_to_received", "latency_sent_to_received", "latency_sent_to_confirmed"):
        assert 70 <= told[name]["p50_ms"] < 90, name


def test_a_stall_is_told_and_the_messages_that_were_due_meanwhile_waited_for_it(start):
    with hub() as running, Link(running.endpoint) as link:
        bench = start("bench", "--url", f"stomp://{link.endpoint}", "--rate", "200", "--duration", "4s", "--json")
        bench.said("delivered")
        link.stall()
        bench.said("delivered")
        link.resume()
        told = report(bench.end())
    assert told["longest_stall_ms"] > 500
    assert told["latency_due_to_received"]["p95_ms"] > 200
    assert told["books"]["lost"] == 0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--size", "51"], "a message takes 52 bytes to 256 MiB, not 51"),
        (["--size", "huge"], "not a size: 'huge'"),
        (["--rate", "0"], "--rate is above 0 and at most 10,000,000, not 0"),
        (["--rate", "1e9"], "--rate is above 0 and at most 10,000,000"),
        (["--count", "1", "--duration", "1s"], "--count and --duration exclude each other"),
        (["--duration", "0s"], "--duration is above 0"),
        (["--duration", "5"], "'5' has no unit"),
        (["--confirm", "maybe"], "--confirm takes none, socket, broker, not 'maybe'"),
        (["--ack", "never"], "--ack takes auto, client, individual, not 'never'"),
        (["--workers", "3"], "--workers 3 for 2 publishers and subscribers leaves some without work"),
        (["--url", "mem://x", "--workers", "2"], "mem:// is a broker inside one process, so it takes --workers 1"),
        (["--remote", "2"], "--remote 2 is more than the publishers and more than the subscribers: 1"),
        (["--remote", "1", "--workers", "1"], "--workers are of this machine, --remote of others: choose one"),
        (["--as", "me"], "--as names a worker, so it needs --join"),
        (["topic", "--join", "stomp://127.0.0.1:1"], "--join takes no TOPIC: whoever leads the run says what to do"),
        (["--join", "stomp://127.0.0.1:1", "--rate", "5"], "--join takes no --rate: whoever leads the run says what"),
        (["--join", "stomp://127.0.0.1:1", "-x", "1"], "--join takes no --publishers"),
        (["--join", "stomp://127.0.0.1:1", "--json"], "--join takes no --json"),
        (["--wait", "60s"], "--wait is for the workers of --remote"),
        (["--control", "c"], "--control is for --join and --remote"),
        (["--rate", "5", "--in-flight", "100"], "--in-flight is for a closed loop: with --rate no message waits"),
        (["--rate", "nan"], "--rate is above 0 and at most 10,000,000, not nan"),
        (["--publishers", "0"], "0 is not in the range 1<=x<=1000"),
        (["--count", "x"], "'x' is no whole number"),
        (["--control", "/queue/x"], "--control is a topic of levels, not '/queue/x'"),
        (["--control", "a.*"], "--control is a topic of levels, not 'a.*'"),
        (["a.*"], "cannot publish to a wildcard: 'a.*'"),
    ],
    ids=str,
)
def test_a_wrong_call_is_named(mqctl, options, says):
    code, out, err = mqctl("bench", *options)
    assert (code, out) == (ExitCode.USAGE, b"")
    assert says in err
    assert "Traceback" not in err


def test_what_the_transport_does_not_have_is_refused(mqctl):
    code, out, err = mqctl("bench", "--qos", "1", "--count", "1")
    assert (code, out) == (ExitCode.REFUSED, b"")
    assert err == "mqctl: STOMP has no qualities of service\n  hint: it belongs to MQTT\n"


@pytest.mark.parametrize(("files", "members"), [(64, 200), (12, 2)], ids=["connections", "processes"])
def test_more_than_the_system_allows_is_told_with_what_to_do(mqctl, files, members):
    limit = partial(resource.setrlimit, resource.RLIMIT_NOFILE, (files, files))
    code, out, err = mqctl("bench", "-x", str(members), "-y", str(members), "--workers", "4", preexec_fn=limit)
    assert (code, out) == (ExitCode.USAGE, b"")
    assert err.startswith("mqctl: the system allows no more open files\n  hint: take fewer --publishers")
    assert "ulimit -n" in err


def test_nobody_there(mqctl, home):
    code, out, err = mqctl("bench", "--url", "stomp://127.0.0.1:1", "--count", "1", env=home)
    assert (code, out) == (ExitCode.CONNECTION, b"")
    assert "nobody listens at 127.0.0.1:1" in err


def test_more_than_the_broker_takes_is_told_in_its_words(mqctl):
    with hub() as running:
        done = mqctl("bench", "--url", running.url, "--size", "20MiB", "--count", "1", "--drain", "100ms", "--json")
    assert done.code == ExitCode.CONNECTION
    assert "frame larger than 16777216 bytes" in done.err
    assert report(done)["books"]["unknown"] == 1


def test_a_broker_that_goes_away_ends_the_run_with_what_is_known(start):
    with hub() as running:
        bench = start("bench", "--url", running.url, "--rate", "200", "--drain", "100ms", "--json")
        bench.said("delivered")
    done = bench.end()
    assert done.code in (ExitCode.CONNECTION, ExitCode.WRONG)
    told = report(done)
    assert any("connection lost" in finding for finding in told["findings"])
    books = told["books"]
    assert books["attempted"] == books["confirmed"] + books["rejected"] + books["unknown"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_all_at_once_and_the_report_still_comes(start, number):
    bench = start("bench", "--rate", "200", "--duration", "1m", "--json", *TWO)
    bench.said("delivered")
    ours = workers(bench)
    assert len(ours) == 2
    before = time.monotonic()
    done = bench.end(number)
    assert time.monotonic() - before < 8  # of a minute
    assert done.code == ExitCode.INTERRUPTED
    told = report(done)
    assert told["books"]["attempted"] > 100
    assert told["sent_per_s"] == pytest.approx(200, rel=0.3)
    assert "it was ended before its time" in told["findings"]
    assert gone(ours)


def test_a_signal_to_all_processes_is_heard_by_their_leader_alone(start):
    """So does `timeout 5 mqctl bench`: a worker that heard it would have no time to tell its books."""
    bench = start("bench", "--rate", "200", "--duration", "1m", "--json", *TWO)
    bench.said("delivered")
    for pid in workers(bench):
        os.kill(pid, signal.SIGTERM)
    done = bench.end(signal.SIGTERM)
    assert done.code == ExitCode.INTERRUPTED
    assert report(done)["books"]["attempted"] > 100
    assert "killed" not in done.err


def test_a_time_limit_ends_a_run_likewise(mqctl):
    done = mqctl("bench", "--rate", "200", "--duration", "1m", "--timeout", "2s", "--json")
    assert done.code == ExitCode.TIMEOUT
    assert report(done)["books"]["attempted"] > 0


def test_a_time_limit_before_the_begin_is_told(mqctl):
    code, out, err = mqctl("bench", "--timeout", "1ms")
    assert (code, out, err) == (ExitCode.TIMEOUT, b"", "mqctl: --timeout was over before the run began\n")


def test_a_worker_that_dies_is_told_and_the_run_proves_nothing(start):
    bench = start("bench", "--rate", "200", "--duration", "1m", *TWO)
    bench.said("delivered")
    ours = workers(bench)
    os.kill(ours[0], signal.SIGKILL)
    done = bench.end()
    assert done.code == ExitCode.INCONCLUSIVE
    assert "mqctl: worker 1 was killed by SIGKILL\n" in done.err
    assert "mqctl: inconclusive: worker 1 was killed by SIGKILL, and what it did is not in the books\n" in done.err
    assert done.lines[0] == "verdict     inconclusive"
    assert int(re.search(r"delivered (\d+)/s", done.lines[6])[1]) > 100
    assert gone(ours)


def test_a_worker_that_does_not_answer_is_told_and_what_it_got_is_no_pass(start):
    """Without its books there is nothing expected, and so nothing lost."""
    bench = start("bench", "--rate", "200", "--duration", "2s", "--drain", "200ms", *TWO)
    bench.said("delivered")
    ours = workers(bench)
    os.kill(ours[1], signal.SIGSTOP)
    done = bench.end()
    assert done.code == ExitCode.INCONCLUSIVE
    assert "mqctl: inconclusive: worker 2 did not answer, and what it did is not in the books\n" in done.err
    assert gone(ours)


def test_workers_do_not_outlive_their_leader(start):
    bench = start("bench", "--rate", "200", "--duration", "1m", *TWO)
    bench.said("delivered")
    ours = workers(bench)
    bench.end(signal.SIGKILL)
    assert gone(ours)


def test_quiet_leaves_the_findings_alone(mqctl):
    done = mqctl("bench", "--rate", "100", "--duration", "1500ms", "--quiet")
    assert "delivered" not in done.err
    assert done.lines


def test_workers_join_over_the_broker(start, broker):
    joined = [start("bench", "--join", broker, "--as", name) for name in ("east", "west")]
    for each in joined:
        each.said("waits for a run at mqctl.bench")
    lead = start("bench", "--remote", "2", "-x", "2", "-y", "2", "--count", "100", "--wait", "20s", "--json", *CALM)
    done = lead.end()
    assert done.code == ExitCode.OK, done.err
    told = report(done)
    assert told["books"]["delivered"] == 200
    assert set(told["generator"]["cpu_share_by_worker"]) == {"east", "west"}
    # They are on one machine here, and say so, so that latencies can be told.
    assert told["latency_due_to_received"]["samples"] == 200
    for each in joined:
        code, out, err = each.end()
        assert (code, out) == (ExitCode.OK, b"")
        assert "joined the run" in err
        assert "is over" in err


def test_a_name_is_one_workers(start, broker, mqctl):
    """Under one name two would do the same part, and every message would come twice."""
    joined = [start("bench", "--join", broker, "--as", "me", "--control", "one.name") for _ in range(2)]
    for each in joined:
        each.said("waits for a run")
    lead = start("bench", "--remote", "2", "-x", "2", "--count", "20", "--control", "one.name", *CALM)
    lead.said("worker me joined, 1 to come")
    other = start("bench", "--join", broker, "--as", "you", "--control", "one.name")
    assert lead.end().code == ExitCode.OK
    codes = {each.end().code: "".join(each.err) for each in (*joined, other)}
    assert set(codes) == {ExitCode.OK, ExitCode.USAGE}
    assert "mqctl: another worker of that run has this name: me\n  hint: give each its own: --as NAME" in codes[2]


def test_a_worker_waits_no_longer_than_it_was_told(mqctl, broker):
    code, out, err = mqctl("bench", "--join", broker, "--as", "me", "--control", "no.run", "--timeout", "200ms")
    assert (code, out) == (ExitCode.TIMEOUT, b"")
    assert err.endswith("mqctl: no run was called within 200ms\n")


def test_too_few_workers_are_told(mqctl):
    code, out, err = mqctl("bench", "--remote", "1", "--wait", "200ms", "--control", "nobody.here")
    assert (code, out) == (ExitCode.TIMEOUT, b"")
    assert err == "mqctl: 0 of 1 workers joined within 0.2 s\n  hint: start each by: mqctl bench --join URL --as NAME\n"


def test_what_ends_a_run_ends_it_for_those_who_joined(start, mqctl, broker):
    join = start("bench", "--join", broker, "--as", "me", "--control", "c.d")
    join.said("waits for a run at c.d")
    done = mqctl("bench", "--remote", "1", "--qos", "1", "--control", "c.d")
    assert done.code == join.end().code == ExitCode.REFUSED


def test_a_worker_whose_broker_goes_away_ends(start):
    with hub() as running:
        join = start("bench", "--join", running.url, "--as", "me", "--reconnect", "never")
        join.said("waits for a run")
        lead = start("bench", "--url", running.url, "--remote", "1", "--rate", "100", "--reconnect", "never")
        lead.said("delivered")
    assert join.end().code == ExitCode.CONNECTION
    assert lead.end().code == ExitCode.CONNECTION


@pytest.fixture
def terminal(env) -> Iterator[Callable[..., Terminal]]:
    begun: list[Terminal] = []

    def terminal(*args: str, width: int = 100, **more) -> Terminal:
        begun.append(Terminal(args, {**env, **more}, width, 40))
        return begun[-1]

    yield terminal
    for each in begun:
        each.close()


def test_on_a_terminal_there_are_charts_and_then_a_table(terminal):
    shown = terminal("bench", "--rate", "200", "--duration", "3s")
    shown.shows("sent per second", "delivered per second", "p50 in ms", "p99 in ms", "max")
    assert shown.end() in MEASURED
    assert b"due to received" in shown.raw.rpartition(LEAVE)[2]
    assert b"confirmed 600" in shown.raw.rpartition(LEAVE)[2]


@pytest.mark.parametrize("width", [48, 60])
def test_on_a_narrow_terminal_no_number_is_cut_off(terminal, width):
    shown = terminal("bench", "--rate", "100", "--duration", "1s", width=width)
    assert shown.end() in MEASURED
    report = shown.raw.rpartition(LEAVE)[2].decode()
    table = report.partition("in ms")[2].partition("mqctl:")[0]
    assert "…" not in table
    assert [line.split()[0] for line in table.splitlines() if line.strip().startswith(("p", "max"))] == [
        "p50", "p90", "p95", "p99", "p99.9", "p99.99", "max",
    ]  # fmt: skip


def test_q_ends_a_run_as_ctrl_c_does(terminal):
    shown = terminal("bench", "--rate", "200", "--duration", "1m", LC_ALL="C")
    shown.shows("q quit", "max")
    shown.type(b"q")
    assert shown.end() == ExitCode.INTERRUPTED
    assert b"it was ended before its time" in shown.raw.rpartition(LEAVE)[2]
    assert shown.raw.isascii()


def test_ctrl_c_on_a_terminal_reaches_the_workers_through_their_leader_only(terminal):
    """The terminal sends it to every process in front; a worker that heard it would have no time to tell its books."""
    shown = terminal("bench", "--rate", "200", "--duration", "1m", "--workers", "2")
    shown.shows("max")
    shown.type(b"\x03")
    assert shown.end() == ExitCode.INTERRUPTED
    end = shown.raw.rpartition(LEAVE)[2]
    assert b"killed" not in end
    assert b"ended by itself" not in end
    assert b"due to received" in end
    assert b"attempted 0" not in end
