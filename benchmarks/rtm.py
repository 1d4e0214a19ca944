"""RTM: events to all clients and to users over Redis, beside bare `websockets` and python-socketio; and connections."""

from __future__ import annotations

import resource
from collections.abc import Iterable

from benchmarks.common.files import allow_many_files
from benchmarks.common.options import Options, parse
from benchmarks.common.process import LOOPS, RTM_AUDIENCE, RTM_BARE, RTM_NODES, SOCKET_IO, Field, field
from benchmarks.common.redis_server import RedisServer, redis_server
from benchmarks.common.report import CPU, Metric, Report
from benchmarks.common.services import Service
from benchmarks.common.turns import Samples

#: Bytes of an event.
SIZES = (100, 1000)
#: Clients that get what is sent to all; users, each with a client.
MANY = 1000
#: As many clients as there may be, and how many come before their memory is counted.
MOST, FIRST = 10_000, 200
#: Files that a process needs for other things.
SPARE_FILES = 500
#: Events per second that each server publishes when it has time.
PACE = 250
#: Events that each server publishes as fast as it can.
BURST = 2000

SESSIONS, WAIT = ", sessions", ", wait=True"
KIB = Metric("kib", "KiB each", lambda sample: sample["bytes"] / sample["count"] / 1024, 1)
BYTES = Metric("bytes", "bytes each", lambda sample: sample["bytes"] / sample["count"])
P50 = Metric("p50_ms", "ms, median", lambda sample: sample["p50"] / 1e6, 1)
P99 = Metric("p99_ms", "ms, 99th percentile", lambda sample: sample["p99"] / 1e6, 1)
REDIS = Metric("redis_cpu_us", "µs of Redis each", lambda sample: 1e6 * sample["redis_cpu"] / sample["count"], 1)

#: Who is measured, and the process of whom; and in the same way who is beside it.
OURS = {f"rcex_ws {loop}": f"{RTM_NODES[0]} {loop}" for loop in LOOPS}
BARE = {f"websockets {loop}": f"{RTM_BARE} {loop}" for loop in LOOPS}
PAIRS = {f"rcex_ws {loop}": [f"{name} {loop}" for name in RTM_NODES] for loop in LOOPS}
PEERS = {f"python-socketio {loop}": [f"{name} {loop}" for name in SOCKET_IO] for loop in ("asyncio", "uvloop")}


def main() -> None:
    """Run it."""
    options = parse(__doc__, rounds=5, seconds=0.5)
    allow_many_files()
    many = 20 if options.quick else MANY
    most = 50 if options.quick else min(MOST, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - SPARE_FILES)
    emitted = _emit(many, options)
    connected, heard = _connect(most, options)
    with redis_server() as redis:
        published, stored, absent = ({}, {}, ["redis-server"]) if redis is None else _publish(redis, many, options)
    report = Report("rtm", options, emitted | connected | heard | published | stored, absent)
    report.show(CPU, cases=_cases(emitted))
    report.show(KIB, CPU, cases=_cases(connected))
    report.show(P50, P99, CPU, cases=_cases(heard))
    report.show(CPU, P50, P99, REDIS, cases=_cases(published))
    report.show(CPU, BYTES, cases=_cases(stored))
    _compare(report, emitted, connected, heard, published)
    report.finish()


def _cases(samples: Samples) -> list[str]:
    return [case for case, _ in samples]


def _emit(clients: int, options: Options) -> Samples:
    """Let each send events to all of its clients, and in the same run with clients that want to resume."""
    beside = {label: name for label, name in BARE.items() if not label.endswith("trio")}  # `broadcast` waits there
    samples: Samples = {}
    with field(RTM_AUDIENCE, *OURS.values(), *beside.values()) as run:
        audience = run.contenders[RTM_AUDIENCE]
        services = {label: Service(label, [run.contenders[name]], audience) for label, name in (OURS | beside).items()}
        for label, name in OURS.items():
            group = f"{label}{SESSIONS}"
            services[group] = Service(group, [run.contenders[name]], audience, sessions=True)
        for service in services.values():
            service.gather(clients)
        for size in SIZES:
            for label, service in _in_turn(services, options.rounds):
                service.emit(2, size)  # what others had in the caches of the CPU meanwhile is gone
                sample = service.emit(2 if options.quick else 50, size)
                samples.setdefault((f"emit {size} B to {clients:,} clients", label), []).append(sample)
    return samples


def _connect(clients: int, options: Options) -> tuple[Samples, Samples]:
    """Let as many clients connect as there may be, to a server of their own; then send events to all, one by one."""
    connected: Samples = {}
    heard: Samples = {}
    services = [(label, name, False) for label, name in (OURS | BARE).items()]
    services += [(f"{label}{SESSIONS}", name, True) for label, name in OURS.items()]
    for label, name, sessions in services:
        with field(RTM_AUDIENCE, name) as run:
            service = Service(label, [run.contenders[name]], run.contenders[RTM_AUDIENCE], sessions=sessions)
            service.gather(min(FIRST, clients // 2))
            connected["a connection", label] = [service.gather(clients - service.clients)]
            case = f"emit {SIZES[0]} B to {clients:,} clients, one by one"
            heard[case, label] = [service.emit(1, SIZES[0]) for _ in range(options.rounds)]
    return connected, heard


def _publish(redis: RedisServer, users: int, options: Options) -> tuple[Samples, Samples, list[str]]:
    """Let two servers of each service publish to users, and count what that costs them and Redis."""
    samples: Samples = {}
    stored: Samples = {}
    count = 20 if options.quick else BURST
    paced = max(5, round(PACE * options.seconds))
    cases = (
        (f"publish to {users:,} users, as fast as it goes", {"count": count, "pace": 0}),
        (f"publish to {users:,} users, {PACE} per second and server", {"count": paced, "pace": PACE}),
    )
    with field(RTM_AUDIENCE, *(name for names in (PAIRS | PEERS).values() for name in names)) as run:
        services = _services(run, redis)
        for label, service in services.items():
            before = redis.used()
            sample = service.gather(users)
            stored["Redis: a user with a connection", label] = [_of_redis(redis, before, sample)]
            for case in ("Redis: the first two events of a user", "Redis: two events more"):
                before = redis.used()
                sample = service.publish(count=users, size=SIZES[0], pace=0)
                stored[case, label] = [_of_redis(redis, before, sample)]
        for case, how in cases:
            for label, service in _in_turn(services, options.rounds):
                for ending, more in (("", {}), (WAIT, {"wait": True})) if label in PAIRS else (("", {}),):
                    before = redis.used()
                    sample = service.publish(size=SIZES[0], **how, **more)
                    sample["redis_cpu"] = redis.used()["cpu"] - before["cpu"]
                    samples.setdefault((case, f"{label}{ending}"), []).append(sample)
        return samples, stored, run.absent


def _services(run: Field, redis: RedisServer) -> dict[str, Service]:
    services: dict[str, Service] = {}
    for label, names in (PAIRS | PEERS).items():
        servers = [run.contenders[name] for name in names if name in run.contenders]
        if servers:
            dialect = "rtm" if label in PAIRS else "socket.io"
            services[label] = Service(label, servers, run.contenders[RTM_AUDIENCE], redis.url, dialect=dialect)
    return services


def _of_redis(redis: RedisServer, before: dict[str, float], sample: dict[str, float]) -> dict[str, float]:
    """Return what Redis has used, instead of the servers."""
    return {"count": sample["count"], **{what: used - before[what] for what, used in redis.used().items()}}


def _in_turn(services: dict[str, Service], rounds: int) -> Iterable[tuple[str, Service]]:
    """Give each service its turn in each round, in an order that rotates."""
    labels = list(services)
    for number in range(rounds):
        first = number % len(labels)
        for label in labels[first:] + labels[:first]:
            yield label, services[label]


def _compare(report: Report, emitted: Samples, connected: Samples, heard: Samples, published: Samples) -> None:
    for loop in LOOPS:
        ours, on_asyncio = f"rcex_ws {loop}", loop if loop != "trio" else "asyncio"
        for case in dict.fromkeys(_cases(emitted)):
            theirs = f"websockets {on_asyncio}"
            report.ratio(CPU, (case, ours), (case, theirs), at_most=0.7)
            report.ratio(CPU, (case, f"{ours}{SESSIONS}"), (case, theirs))
        for case in dict.fromkeys(_cases(connected)):
            for ending in ("", SESSIONS):
                report.ratio(KIB, (case, f"{ours}{ending}"), (case, f"websockets {loop}"), at_most=1.2)
            report.ratio(CPU, (case, ours), (case, f"websockets {loop}"))
        for case in dict.fromkeys(_cases(heard)):
            for metric in (P50, P99):
                report.ratio(metric, (case, ours), (case, f"websockets {on_asyncio}"))
        for number, case in enumerate(dict.fromkeys(_cases(published))):
            theirs = f"python-socketio {on_asyncio}"
            report.ratio(CPU, (case, ours), (case, theirs), at_most=None if number else 0.33)
            report.ratio(CPU, (case, f"{ours}{WAIT}"), (case, theirs))


if __name__ == "__main__":
    main()
