"""ONE WebSocket over one byte stream: knows no reconnecting and no protocol above RFC 6455.

frames.py    what is written on a WebSocket, as an application sees it
endpoint.py  where to connect
address.py   what stands in a WebSocket address
proxies.py   which proxy leads to a server, for REST as well
dial.py      the way to a server; dial_asyncio.py and dial_trio.py go it: TCP, proxy, TLS
eyeballs.py  the first of a host's addresses that answers
tunnel.py    HTTP CONNECT, without I/O
socks.py     SOCKS, by python-socks
peer.py      a client's WebSocket, as a server sees it
listen.py    who waits for clients: TCP, TLS
asgi_peer.py a client's WebSocket that another server has opened
"""
