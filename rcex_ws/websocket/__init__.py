"""ONE WebSocket over one byte stream: knows no reconnecting and no protocol above RFC 6455.

Both sides
    frames.py           what is written on a WebSocket, as an application sees it
    codec.py            bytes in, messages out, and the other way; pure, as is head.py, where a frame ends
    loop_connection.py  one WebSocket on a transport of asyncio or uvloop, where the loop calls us

The client
    opener.py                the entrance: loads client.py when the first WebSocket is opened
    endpoint.py              where to connect
    client.py                opens one WebSocket, on any loop
    socket.py                what an open one can do, whichever loop it lives on
    loop_socket.py           one on asyncio or uvloop
    stream_socket.py         one on a byte stream of trio
    handshake.py             the opening handshake; pure
    dial.py                  the way to a server; dial_asyncio.py and dial_trio.py go it: TCP, proxy, TLS
    eyeballs.py              the first of a host's addresses that answers
    proxies.py               which proxy leads to a server, for REST as well; pure
    tunnel.py, socks.py      HTTP CONNECT, without I/O; SOCKS, by python-socks

The server
    listen.py             who waits for clients, TCP or TLS; listen_trio.py on trio, also on a stream in memory
    peer.py               a client's WebSocket as what serves it sees it, and how to send to many
    server_peer.py        one on a transport; server_connection.py how it begins and ends
    server_handshake.py   the opening handshake within its limits; pure
    peer_writer.py        what is written to one client; outgoing.py what waits for that, pure
    stream_transport.py   a stream of trio that looks like a transport
    asgi_peer.py          a WebSocket that another server, of ASGI, has opened
"""
