"""Team messaging: `/team-messaging/v1/...`, and the same things under the older `/restapi/v1.0/glip/...`.

area.py      the decorators, which serve a path under both, paging, and which chat a request is about
chats.py     chats, conversations, everyone's chat, favorites
teams.py     teams and their members
groups.py    the older form of chats
posts.py     posts and threads
persons.py   persons and the company
files.py     files
notes.py, tasks.py, calendar.py, cards.py
"""

from collections.abc import Iterable

from rcex_ws.gateway.api.operation import RestOperation
from rcex_ws.gateway.api.team import calendar, cards, chats, files, groups, notes, persons, posts, tasks, teams

__all__ = ["AREAS"]

AREAS: tuple[Iterable[RestOperation], ...] = (
    chats.area,
    teams.area,
    groups.area,
    posts.area,
    persons.area,
    files.area,
    notes.area,
    tasks.area,
    calendar.area,
    cards.area,
)
"""The operations of team messaging."""
