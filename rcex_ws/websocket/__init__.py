"""ONE WebSocket over one byte stream, client and server side. Knows no reconnecting and no protocol above RFC 6455.

Used by `connection` and the protocol folders as a client, by `gateway` and `testing` as a server, and by `rest` for its
choice of proxy. May use `options` and the modules at the top of the package, but no other folder.

Both sides
    frames.py           the frames that an application sends and receives
    codec.py            bytes to messages and back; pure, as is head.py, which finds the end of a frame
    loop_connection.py  what both sides do on an asyncio or uvloop transport, in the loop's callbacks

Client
    opener.py                the entrance: loads client.py when the first WebSocket is opened
    endpoint.py              where to connect
    client.py                opens one WebSocket, on any event loop
    socket.py                the interface of an open WebSocket
    loop_socket.py           its implementation for asyncio and uvloop
    stream_socket.py         its implementation for trio streams
    handshake.py             the opening handshake; pure
    dial.py                  the route to a server; dial_asyncio.py and dial_trio.py connect: TCP, proxy, TLS
    eyeballs.py              happy eyeballs: connects to the first address of a host that answers
    proxies.py               chooses the proxy for a server, also for REST; pure
    tunnel.py, socks.py      HTTP CONNECT, without I/O; SOCKS, using python-socks

Server
    listen.py             accepts clients, TCP or TLS; listen_trio.py for trio, also over in-memory streams
    peer.py               the interface of a client's WebSocket, and broadcasting
    server_peer.py        its implementation on a transport; server_connection.py opens and closes it
    server_handshake.py   the opening handshake and its limits; pure
    peer_writer.py        writes to one client; outgoing.py is its buffer, pure
    stream_transport.py   a trio stream with the interface of an asyncio transport
    asgi_peer.py          a WebSocket that an ASGI server has accepted
"""
