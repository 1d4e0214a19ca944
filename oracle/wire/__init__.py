"""The server side of HTTP/1.1 and RFC 6455, by hand, over any trio stream; and streams that fail on command.

It is an implementation of its own on purpose: what the library's peer-side code gets wrong, this does not repeat.

One connection, from the first byte to an open WebSocket:

    stream = FaultyStream(accepted)                 # a trio.SocketStream, or one end of `memory_pair()`
    http = HTTPConnection(stream)
    while (request := await http.read_request()) is not None:
        if request.is_upgrade:
            peer = await http.upgrade(request)      # or first=text_frame("hello") to share the segment with the 101
            break
        await http.respond(200, b'{"ok": true}', headers=[("Content-Type", "application/json")])

    await peer.send_text("hello")
    async for message in peer:                      # pings are answered; a close frame is answered and ends it
        ...
    await peer.aclose(1001, "going away")

In memory, under a mock clock:

    client_end, server_end = memory_pair()          # client_end goes to the library, as if it were a TCP stream
    stream = FaultyStream(server_end)

Faults are ordered on the `FaultyStream`, at any time, by any task:

    stream.reset()                  # RST: the client's next read or write fails
    await stream.send_eof()         # FIN
    stream.freeze_inbound()         # half-open: what the client sends is taken, and nobody reads it
    stream.freeze_outbound()        # what is sent to the client is held; drop=True: lost
    await stream.thaw()             # both again, first with what was held
    stream.slow(outbound=(3, 0.01)) # three bytes, then a pause of 10 ms
    stream.cut_after(17)            # RST, or FIN, when so many more bytes were sent

The sans-I/O parts (`FrameParser`, `Assembler`, `frame`, `fragments`) stand alone, for frames that are wrong on purpose.
"""

from oracle.wire.http import BadRequest, HTTPConnection, Request, response
from oracle.wire.memory import MemoryStream, memory_pair
from oracle.wire.peer import Peer
from oracle.wire.stream import FaultyStream
from oracle.wire.websocket import (
    Assembler,
    Frame,
    FrameParser,
    Message,
    Opcode,
    ProtocolViolation,
    accept_key,
    close_frame,
    close_payload,
    fragments,
    frame,
    parse_close,
    text_frame,
)

__all__ = [
    "Assembler",
    "BadRequest",
    "FaultyStream",
    "Frame",
    "FrameParser",
    "HTTPConnection",
    "MemoryStream",
    "Message",
    "Opcode",
    "Peer",
    "ProtocolViolation",
    "Request",
    "accept_key",
    "close_frame",
    "close_payload",
    "fragments",
    "frame",
    "memory_pair",
    "parse_close",
    "response",
    "text_frame",
]
