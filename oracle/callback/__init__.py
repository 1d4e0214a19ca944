"""An oracle for the callback client, `rcex_ws.callback.WebSocketClient`: a server, a random handler, a judge.

    python -m oracle.callback.soak --seed 1 --seconds 20 --loop trio

prints a short verdict and ends with 1 when the client broke its word.
"""
