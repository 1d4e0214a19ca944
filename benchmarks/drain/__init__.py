"""A server that speaks just enough RingCentral to be measured against, and does as little as possible for it.

It must never be the bottleneck: answers are bytes made in advance, a burst is written in large pieces. Run it by
`python -m benchmarks.drain`; it prints its address. Besides the API's own paths it knows what `answers.py` lists.
"""
