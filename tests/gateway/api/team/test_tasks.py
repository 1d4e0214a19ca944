"""Tasks, and the three ways in which they are completed."""

from __future__ import annotations

import pytest

from tests.gateway.api.team.conftest import CHATS, POSTS, TEAM


@pytest.fixture
def make(ada, bob, direct):
    def make(**members):
        body = {"subject": "Ship", "assignees": [{"id": "101"}, {"id": "102"}]} | members
        return ada.json("POST", f"{CHATS}/{direct}/tasks", body)

    return make


def test_a_task_is_made_changed_and_deleted(ada, bob, direct, make):
    events = bob.subscribe(POSTS)
    task = make(dueDate="2030-01-02T03:04:05Z")
    one = f"{TEAM}/tasks/{task['id']}"
    assert (task["status"], task["color"], task["dueDate"]) == ("Pending", "Black", "2030-01-02T03:04:05Z")
    assert task["assignees"][1] == {"id": bob.extension.id, "status": "Pending"}
    assert events.take()[0]["body"]["attachments"] == [{"id": task["id"], "type": "Task", "title": "Ship"}]
    (changed,) = bob.json("PATCH", one, {"subject": "Ship it", "assignees": [{"id": "101"}]})["records"]
    assert (changed["subject"], len(changed["assignees"]), changed["dueDate"]) == ("Ship it", 1, task["dueDate"])
    tasks = f"{CHATS}/{direct}/tasks"
    assert ada.json("GET", tasks, assigneeId=ada.extension.id)["records"] == [ada.json("GET", one)]
    assert ada.json("GET", tasks, assigneeId=bob.extension.id)["records"] == []
    assert ada.json("GET", tasks, status="Completed")["records"] == []
    ada.json("DELETE", one)
    assert ada.refused("GET", one) == (404, "CMN-102")


@pytest.mark.parametrize(
    ("condition", "steps"),
    [
        ("Simple", [({}, "Completed"), ({"status": "Incomplete"}, "Pending")]),
        ("AllAssignees", [({"assignees": [{"id": "101"}]}, "Pending"), ({"assignees": [{"id": "102"}]}, "Completed")]),
        (
            "Percentage",
            [({"completenessPercentage": 40}, "InProgress"), ({"completenessPercentage": 100}, "Completed")],
        ),
    ],
)
def test_a_task_is_completed(ada, make, condition, steps):
    one = f"{TEAM}/tasks/{make(completenessCondition=condition)['id']}"
    for body, status in steps:
        assert ada.json("POST", f"{one}/complete", body) is None
        assert ada.json("GET", one)["status"] == status


@pytest.mark.parametrize("body", [{"subject": "x"}, {"assignees": []}, {"subject": "x", "assignees": [{"id": "1"}]}])
def test_a_wrong_task_is_400(ada, direct, body):
    assert ada.refused("POST", f"{CHATS}/{direct}/tasks", body) == (400, "CMN-101")
