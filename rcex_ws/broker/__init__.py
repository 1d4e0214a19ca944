"""What connects several servers to one service: topics as logs, membership, signals. In the process, or over Redis.

Used by rtm/, which uses nothing else of Redis; imports nothing of websocket/ and connection/ but the schedule.

interface.py   what a broker does
"""
