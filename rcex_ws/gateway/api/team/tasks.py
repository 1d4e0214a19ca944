"""Tasks: made, changed and completed in a chat."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from rcex_ws.gateway.account.team.items import TeamItem
from rcex_ws.gateway.api.operation import Ask, Json
from rcex_ws.gateway.api.team.area import MemberRefs, PageOfTeam, TeamArea, find_persons, own_chat, own_item, page_of
from rcex_ws.gateway.api.team.posts import writable_chat
from rcex_ws.gateway.notices.team import post_in

__all__ = ["Color", "area"]

_ONE = "/tasks/{taskId}"
_Subject = Annotated[str, Meta(min_length=1, max_length=250)]
_TaskStatus = Literal["Pending", "InProgress", "Completed"]
_Condition = Literal["Simple", "AllAssignees", "Percentage"]
_Percentage = Annotated[int, Meta(ge=0, le=100)]
_Section = Annotated[str, Meta(max_length=100)]
_Details = Annotated[str, Meta(max_length=102_400)]
_Attachments = Annotated[list[dict[str, Any]], Meta(max_length=25)]
Color = Literal["Black", "Red", "Orange", "Yellow", "Green", "Blue", "Purple", "Magenta"]

area = TeamArea()


class TaskQuery(PageOfTeam, rename="camel"):
    """Which tasks to list."""

    status: list[_TaskStatus] = field(default_factory=list[_TaskStatus])
    creator_id: list[str] = field(default_factory=list[str])
    assignee_id: list[str] = field(default_factory=list[str])


class TaskDetails(Struct, rename="camel", kw_only=True):
    """What a task may have."""

    start_date: datetime | UnsetType = UNSET
    due_date: datetime | UnsetType = UNSET
    section: _Section | UnsetType = UNSET
    description: _Details | UnsetType = UNSET
    recurrence: dict[str, Any] | UnsetType = UNSET
    attachments: _Attachments | UnsetType = UNSET


class NewTask(TaskDetails, rename="camel", kw_only=True):
    """A task to make."""

    subject: _Subject
    assignees: MemberRefs
    completeness_condition: _Condition = "Simple"
    color: Color = "Black"


class TaskChange(TaskDetails, rename="camel", kw_only=True):
    """What to change of a task."""

    subject: _Subject | UnsetType = UNSET
    assignees: MemberRefs | UnsetType = UNSET
    completeness_condition: _Condition | UnsetType = UNSET
    color: Color | UnsetType = UNSET


class TaskCompletion(Struct, rename="camel", kw_only=True):
    """How far a task is: as a whole, by these assignees, or by a percentage."""

    status: Literal["Incomplete", "Complete"] | None = None
    assignees: MemberRefs = []
    completeness_percentage: _Percentage | None = None


@area.get("/chats/{chatId}/tasks")
def list_tasks(ask: Ask[TaskQuery, None]) -> Json:
    """List the tasks in a chat, newest first."""
    query = ask.query
    found = [
        task
        for task in ask.core.team.items.of("Task", own_chat(ask).id)
        if (not query.status or task.status in query.status)
        and (not query.creator_id or task.creator_id in query.creator_id)
        and (not query.assignee_id or any(one["id"] in query.assignee_id for one in task.facts["assignees"]))
    ]
    page, navigation = page_of(found, query)
    return {"records": [_task_body(task) for task in page], "navigation": navigation}


@area.post("/chats/{chatId}/tasks")
def create_task(ask: Ask[None, NewTask]) -> Json:
    """Make a task, which is posted in its chat."""
    chat = writable_chat(ask)
    task = ask.core.team.items.add("Task", chat.id, ask.caller.id, _facts(ask), status="Pending")
    attached = {"id": task.id, "type": "Task", "title": task.facts["subject"]}
    post_in(ask.core, chat, ask.caller.id, attachments=[attached])
    return _task_body(task)


@area.get(_ONE)
def read_task(ask: Ask[None, None]) -> Json:
    """Read a task."""
    return _task_body(own_item(ask, "Task", "taskId"))


@area.patch(_ONE)
def change_task(ask: Ask[None, TaskChange]) -> Json:
    """Change a task; the answer is a list of it alone, as at RingCentral."""
    task = own_item(ask, "Task", "taskId")
    task.facts |= _facts(ask)
    ask.core.team.items.note_change(task, ask.caller.id)
    return {"records": [_task_body(task)]}


@area.post(f"{_ONE}/complete")
def complete_task(ask: Ask[None, TaskCompletion]) -> None:
    """Say how far a task is."""
    task, body = own_item(ask, "Task", "taskId"), ask.body
    done = body.status != "Incomplete"
    if task.facts["completenessCondition"] == "AllAssignees":
        named = find_persons(ask, body.assignees)
        assignees = [one | _status_of(done) if one["id"] in named else one for one in task.facts["assignees"]]
        task.facts |= {"assignees": assignees}
        task.status = "Completed" if all(one["status"] == "Completed" for one in assignees) else "Pending"
    elif task.facts["completenessCondition"] == "Percentage" and body.completeness_percentage is not None:
        reached = body.completeness_percentage
        task.facts |= {"completenessPercentage": reached}
        task.status = "Completed" if reached == 100 else "InProgress" if reached else "Pending"
    else:
        task.status = _status_of(done)["status"]
    ask.core.team.items.note_change(task, ask.caller.id)


@area.delete(_ONE)
def delete_task(ask: Ask[None, None]) -> None:
    """Delete a task."""
    ask.core.team.items.delete(own_item(ask, "Task", "taskId"))


def _status_of(done: bool) -> dict[str, str]:
    return {"status": "Completed" if done else "Pending"}


def _facts(ask: Ask[None, NewTask] | Ask[None, TaskChange]) -> dict[str, Any]:
    """Return the members of a task that a body sets."""
    facts: dict[str, Any] = msgspec.to_builtins(ask.body)
    if not isinstance(ask.body.assignees, UnsetType):
        ids = dict.fromkeys(find_persons(ask, ask.body.assignees))
        facts["assignees"] = [{"id": one, "status": "Pending"} for one in ids]
    return facts


def _task_body(task: TeamItem) -> dict[str, Any]:
    return {
        "id": task.id,
        "creationTime": task.created,
        "lastModifiedTime": task.changed,
        "type": "Task",
        "creator": {"id": task.creator_id},
        "chatIds": [task.chat_id],
        "status": task.status,
        **task.facts,
    }
