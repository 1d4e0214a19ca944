"""An oracle for `rcex_ws.slack.RTMClient`: a Slack of its own on real sockets, a random bot, a judge of both journals.

    python -m oracle.slack.soak --seed 1 --seconds 20 --loop trio

prints a short verdict and ends with 1 when the client broke its word.
"""
