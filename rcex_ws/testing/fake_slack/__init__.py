"""A local Slack that speaks the RTM API, with faults on command; for tests of anything that is an RTM client.

It needs no extra: its HTTP is h11, which httpx brings along, and its WebSocket is the gateway's wire. It imports
nothing of the client, so that a mistake in one is not hidden by the same mistake in the other.
"""

from rcex_ws.testing.fake_slack.options import FakeSlackOptions
from rcex_ws.testing.fake_slack.records import Accepted, ClientClose, HttpCall, Received
from rcex_ws.testing.fake_slack.server import FakeSlack
from rcex_ws.testing.fake_slack.workspace import Workspace

__all__ = ["Accepted", "ClientClose", "FakeSlack", "FakeSlackOptions", "HttpCall", "Received", "Workspace"]
