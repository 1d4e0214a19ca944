"""Team messaging of the account: chats, the posts in them, and what is attached to posts. No I/O.

messaging.py    `TeamMessaging`, which `GatewayCore` makes once: the whole, saved and loaded as one
chats.py        who is in which chat
posts.py        the posts, with threads and mentions
items.py        notes, tasks, calendar events, adaptive cards and files
"""
