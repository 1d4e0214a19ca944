"""What other people do in team messaging, so that a bot can be tried with one login."""

from __future__ import annotations

from typing import Any

from rcex_ws.errors import ConfigurationError
from rcex_ws.gateway.commands.command import CommandSet, command
from rcex_ws.gateway.notices.team import join, post_in
from rcex_ws.options import Name

__all__ = ["TeamCommands"]

_LONGEST_TEXT = 10_000


class TeamCommands(CommandSet):
    """Posts of other people."""

    @command
    def receive_post(
        self, text: Name, chat_id: Name | None = None, from_extension: Name | None = None, to: Name | None = None
    ) -> dict[str, Any]:
        """Write a post as another user; return it as its readers get it.

        Args:
            text: the text; `![:Person](ID)` mentions somebody.
            chat_id: the chat, which its author joins if it is a team; by default the conversation of both.
            from_extension: number or id of the extension that writes, by default the second.
            to: number or id of the extension to write to if no chat is named, by default the first.

        Raises:
            ConfigurationError: there is no such extension or chat, its author cannot be in that chat, or the text is
                too long.
        """
        author, team = self._extension_named("from_extension", from_extension, 2), self.core.team
        if len(text) > _LONGEST_TEXT:
            raise ConfigurationError(f"text: a post has at most {_LONGEST_TEXT} characters")
        if chat_id is None:
            chat = team.chats.conversation([author.id, self._extension_named("to", to).id])
        else:
            found = team.chats.get(chat_id)
            if found is None:
                raise ConfigurationError(f"chat_id: there is no chat {chat_id[:100]!r}")
            chat = found
        if not team.chats.has_member(chat, author.id):
            if chat.type != "Team":
                raise ConfigurationError("chat_id: a conversation between others")
            join(self.core, chat, [author.id], author.id)
        return team.post_body(post_in(self.core, chat, author.id, text), self.core.server)
