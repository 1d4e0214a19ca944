"""Feedme: copies of a server's data, moved by actions and deltas and checked by a hash. The client and the server.

Stands on connection/ and websocket/. The protocol, its three dialects and what differs from the original packages is
described in docs/feedme.md.

client.py           `FeedmeClient`: checks arguments; core.py: the state behind it, one owner
feed.py             `Feed`, which the application holds; changes.py: its changes as an iterator
subscriber.py       what one feed object desires, and was told last
server_feed.py      one feed of the server, as the client sees it, shared by any number of feed objects
session.py          the retries of one `connect`; conversation.py: one connection
actions.py          actions, and how each one settles
events.py, timers.py, reopening.py, settings.py   the queue of events, timers, when to reopen, options
transport.py        the interface for transports of the application; transport_socket.py: how they are used
messages.py         pure: the messages of both sides
deltas.py, operations.py, values.py, canonical.py, digest.py   pure: feed data, its changes and its hash
errors.py           the errors, with the codes of the original
"""
