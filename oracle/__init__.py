"""An oracle, written apart from the library's own code, that judges what no test of ours would think of.

It shares nothing with `rcex_ws` but its public names: the server side is written by hand from the RFCs, and a verdict
is made from two journals, of what the server saw and of what the client was told.
"""
