"""The queue of one address: its order, and its bound while a delivery is under way."""

from __future__ import annotations

import json
from types import SimpleNamespace

import anyio
import httpx

from rcex_ws.gateway import webhooks
from rcex_ws.gateway.clock import Clock
from rcex_ws.gateway.journal import Journal
from rcex_ws.gateway.webhooks import HookTarget, WebhookSender


async def test_what_waits_for_an_address_that_is_given_up_is_called_dropped(monkeypatch):
    monkeypatch.setattr(webhooks, "_RETRY_DELAYS", ())
    clock = Clock(anyio.current_time)
    journal = Journal(clock)
    sender = WebhookSender(journal, clock)
    sender.transport = httpx.MockTransport(lambda request: httpx.Response(500))
    subscription = SimpleNamespace(id="s", hook=HookTarget("http://127.0.0.1/", None, 60))
    for number in range(3):
        sender.put(subscription, {"uuid": str(number)})
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sender.run)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    states = [entry["state"] for entry in journal.entries() if entry["kind"] == "webhook"]
    assert states == ["blacklisted", "dropped", "dropped"]


async def test_what_the_log_calls_dropped_is_what_does_not_arrive(monkeypatch):
    monkeypatch.setattr(webhooks, "_MOST_PENDING", 3)
    clock = Clock(anyio.current_time)
    journal = Journal(clock)
    sender, arrived, first, go_on, done = WebhookSender(journal, clock), [], anyio.Event(), anyio.Event(), anyio.Event()

    async def receive(request):
        first.set()
        await go_on.wait()
        arrived.append(json.loads(request.content)["uuid"])
        if arrived[-1] == "9":
            done.set()
        return httpx.Response(200)

    sender.transport = httpx.MockTransport(receive)
    subscription = SimpleNamespace(id="s", hook=HookTarget("http://127.0.0.1/", None, 60))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sender.run)
        await anyio.wait_all_tasks_blocked()
        sender.put(subscription, {"uuid": "0"})
        with anyio.fail_after(5):
            await first.wait()
            for number in range(1, 10):
                sender.put(subscription, {"uuid": str(number)})
            go_on.set()
            await done.wait()
        tasks.cancel_scope.cancel()
    entries = [entry for entry in journal.entries() if entry["kind"] == "webhook"]
    dropped = [entry["uuid"] for entry in entries if entry["state"] == "dropped"]
    assert arrived == ["0", "7", "8", "9"]
    assert dropped == ["1", "2", "3", "4", "5", "6"]
