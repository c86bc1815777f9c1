"""Many connections, a flood, and coming and going: nobody starves, and nothing is left behind."""

from __future__ import annotations

import gc
import threading
import time
import tracemalloc
from itertools import pairwise

from mqctl.hub.events import SessionClosed
from tests.hub.client import Client


def test_a_flood_starves_nobody(hub):
    """While two publishers send as fast as they can, a pair of clients passes messages within a moment each."""
    over = threading.Event()
    reader, writer, floods = hub.client(), hub.client(), [hub.client(), hub.client()]
    reader.subscribe("/topic/a")
    batch = floods[0].encoded("SEND", {"destination": "/topic/flood"}, b"x" * 50) * 2000

    def flood(client):
        while not over.is_set():
            client.raw(batch)

    threads = [threading.Thread(target=flood, args=(client,)) for client in floods]
    for thread in threads:
        thread.start()
    hub.until(lambda stats: stats.published > 10_000)
    slowest_s = 0.0
    for n in range(50):
        begun = time.monotonic()
        writer.publish("/topic/a", b"%d" % n)
        assert reader.bodies(1) == [b"%d" % n]
        slowest_s = max(slowest_s, time.monotonic() - begun)
    over.set()
    for thread in threads:
        thread.join()
    assert slowest_s < 2.0


def test_one_read_of_many_requests_is_shared_out(hub):
    """A single read of thousands of requests does not keep another connection waiting until all are done."""
    flood, other = hub.client(), hub.client()
    seen = []

    def watch(it):
        seen.append(it.exchange.broker.stats().published)
        if seen[-1] < 5000:
            it.exchange.loop.call_soon(watch, it)

    hub.thread.ask(watch)
    flood.raw(flood.encoded("SEND", {"destination": "/topic/a"}, b"") * 5000)
    flood.between()
    other.publish("/topic/a", b"x")
    assert max(after - before for before, after in pairwise(seen)) <= 2 * 256


def test_500_connections_at_once(hub):
    """All get in, all get the message, all get out, in any order."""
    clients = [hub.client(connect=False) for _ in range(500)]
    for client in clients:
        client.send("CONNECT", {"accept-version": "1.2", "host": "hub"})
    for client in clients:
        client.expect("CONNECTED")
        client.send("SUBSCRIBE", {"destination": "/topic/a", "id": "s", "receipt": "r"})
    for client in clients:
        client.expect("RECEIPT")
    hub.client().publish("/topic/a", b"hello")
    for client in reversed(clients):
        assert client.bodies(1) == [b"hello"]
        client.close()
    hub.until(lambda stats: stats.sessions == 1)


def test_nothing_is_left_behind(hub):
    """After 1,000 rounds the broker, the ports, the timers and the memory are what they were after 50."""

    def rounds(count):
        for n in range(count):
            with Client(hub.endpoint, ("1.0", "1.1", "1.2")[n % 3], headers={"heart-beat": "1000,1000"}) as client:
                client.subscribe(f"/topic/t{n}", ack="client" if n % 2 else "auto")
                client.subscribe(f"/queue/q{n}", "q")
                client.publish(f"/topic/t{n}", b"x" * 1000)
                client.publish(f"/queue/q{n}", b"x")
                if n % 4 == 0:
                    client.raw(b"GARBAGE\n\n\0")
        hub.until(lambda stats: stats.sessions == 0)
        return measure()

    def measure():
        gc.collect()
        ports = hub.thread.ask(lambda it: len(it._ports))
        kinds = ("StompPort", "ServerSession", "Message", "Subscriber", "Account", "TimerHandle")
        objects = dict.fromkeys(kinds, 0)
        for each in gc.get_objects():
            if type(each).__name__ in objects:
                objects[type(each).__name__] += 1
        return ports, objects, tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        rounds(50)
        settle(hub)
        ports, objects, before_bytes = measure()
        rounds(1000)
        settle(hub)
        ports_after, objects_after, after_bytes = measure()
    finally:
        tracemalloc.stop()
    stats = hub.stats
    assert (stats.subscriptions, stats.queues, stats.waiting, stats.in_flight, stats.memory_bytes) == (0, 0, 0, 0, 0)
    assert (ports, ports_after) == (0, 0)
    # A loop may keep some cancelled timers for a while.
    assert objects_after.pop("TimerHandle") <= objects.pop("TimerHandle") + 200
    assert objects_after == objects
    events_bytes = 2000 * 700  # what the test itself keeps of every round
    routes_bytes = 1000 * 1000
    assert after_bytes - before_bytes < events_bytes + routes_bytes


def settle(hub):
    """Wait until all connections that were made are closed."""
    made = hub.thread.ask(lambda it: it._serial)
    hub.events.wait(SessionClosed, made)
