"""ONE WebSocket over one byte stream: knows no reconnecting and no protocol above RFC 6455.

frames.py    what is written on a WebSocket, as an application sees it
endpoint.py  where to connect
"""
