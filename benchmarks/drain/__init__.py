"""A server that speaks just enough RingCentral, and Slack RTM, to be measured against, and does little for it.

It must never be the bottleneck: answers are bytes made in advance, a burst is written in large pieces. Run it by
`python -m benchmarks.drain`; it prints its address. Besides the APIs' own paths it knows what `answers.py` and
`slack.py` list.
"""
