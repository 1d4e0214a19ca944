"""A local Slack server with the RTM API and the Web API methods that bots call, and with faults on command.

Used by tests of any RTM client; needs no extra. It may use the HTTP server of `rcex_ws.gateway` and the WebSocket
layer, but no client: a bug in a client must not be hidden by the same bug in its server.
"""

from rcex_ws.testing.fake_slack.options import FakeSlackOptions
from rcex_ws.testing.fake_slack.records import Accepted, ClientClose, HttpCall, Received
from rcex_ws.testing.fake_slack.server import FakeSlack
from rcex_ws.testing.fake_slack.workspace import Workspace

__all__ = ["Accepted", "ClientClose", "FakeSlack", "FakeSlackOptions", "HttpCall", "Received", "Workspace"]
