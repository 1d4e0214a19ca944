"""RTM: events to users, wherever they are connected, and calls of functions of the server.

Provisional until 1.0. docs/rtm.md describes the protocol, and what differs from the original packages.

frames.py       pure: the frames of both sides
resumption.py   pure: how a client goes on after a loss
errors.py       the errors
server/         `RtmServer`
"""
