"""An oracle of RTM: two servers, a Redis and some clients as processes of their own, and a network that fails.

Written from the docstrings of `rcex_ws.rtm` and of its server, apart from their code and tests. docs/oracle.md says how
to run it and what it asks for.
"""
