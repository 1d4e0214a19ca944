"""The data of the one account of a local RingCentral: one module per area, no I/O.

Each part is a class that `GatewayCore` makes once. It has what its area of the REST API needs, keeps what must survive
a restart in plain msgspec Structs, and gives it as JSON-ready data by `dump()`, which `load()` takes back. What clients
can add to without end stands on a `Shelf` (shelf.py), which drops the oldest; the call log counts its records itself.
"""
