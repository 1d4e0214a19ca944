"""The seed file: what it puts into a gateway, and what is refused with its line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rcex_ws.errors import ConfigurationError
from rcex_ws.gateway import GatewayOptions
from rcex_ws.gateway.core import GatewayCore
from rcex_ws.gateway.seed import apply_seed, read_seed

WHOLE = """\
[[users]]
extension = "201"
name = "Grace Hopper"
email = "grace@example.com"
phone_numbers = ["+16505550201", "+16505550299"]
jwt = "grace"
password = "secret"
admin = true

[[users]]
extension = "202"
name = "Alan"
type = "Department"
id = "777"

[[apps]]
client_id = "bot"
client_secret = "hush"
name = "A bot"
permissions = ["ReadMessages"]
redirect_uris = ["http://localhost:5000/back"]

[[contacts]]
owner = "201"
first_name = "Charles"
business_phone = "+442071234567"

[[messages]]
owner = "201"
other = "+442071234567"
text = "Is it done?"
"""


def seeded(text: str, tmp_path: Path) -> GatewayCore:
    path = tmp_path / "account.toml"
    path.write_text(text)
    core = GatewayCore(GatewayOptions(), lambda: 0.0)
    apply_seed(core, read_seed(path))
    return core


def test_it_says_who_is_there(tmp_path: Path) -> None:
    core = seeded(WHOLE, tmp_path)
    grace, alan = core.people.extensions
    assert (grace.number, grace.jwt, grace.is_admin, grace.kind) == ("201", "grace", True, "User")
    assert core.people.by_phone("16505550299") is grace
    assert core.people.by_password("grace@example.com", "secret") is grace
    assert (alan.id, alan.kind, alan.phone_number, alan.is_admin) == ("777", "Department", "", False)
    app = core.apps.first
    assert (app.client_id, app.client_secret, app.scope) == ("bot", "hush", ["ReadMessages"])
    assert [one.facts for one in core.contacts.of(grace)] == [
        {"firstName": "Charles", "businessPhone": "+442071234567"}
    ]


def test_texts_are_there_already(tmp_path: Path) -> None:
    core = seeded(WHOLE, tmp_path)
    (message,) = core.messages.of(core.people.first.id)
    body = message.body("")
    assert (body["subject"], body["readStatus"], body["direction"]) == ("Is it done?", "Unread", "Inbound")
    assert body["from"] == {"phoneNumber": "+442071234567"}
    assert body["to"] == [{"phoneNumber": "+16505550201", "name": "Grace Hopper"}]


def test_the_one_in_the_documentation_is_good(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/gateway.md").read_text()
    (block,) = re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    core = seeded(block, tmp_path)
    assert [one.kind for one in core.people.extensions] == ["User", "Department"]
    assert core.apps.first.may("SMS")
    assert not core.apps.first.may("Faxes")


def test_what_it_does_not_name_stays(tmp_path: Path) -> None:
    core = seeded('[[contacts]]\nowner = "102"\nfirst_name = "Eve"\n', tmp_path)
    assert [one.number for one in core.people.extensions] == ["101", "102"]
    assert core.apps.first.permissions is None


USER = '[[users]]\nextension = "201"\nname = "Grace"\n'
OTHER = '[[users]]\nextension = "202"\nname = "Alan"\n'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[[users]]\nname = \n", r"is not TOML: .*line 2"),
        (f'{USER}\n[[users]]\nname = "Alan"\n', r"line 5: users\[1\]: object missing required field `extension`"),
        (f"{USER}phone_numbers = 5\n", r"line 4: users\[0\].phone_numbers: expected `array`, got `int`"),
        (f"{USER}phone_numbers = [5]\n", r"line 4: users\[0\].phone_numbers\[0\]: expected `str`, got `int`"),
        (f'{USER}phone_numbers = ["12-3"]\n', r"line 4: .*expected numbers such as .*, not '12-3'"),
        (f'{USER}jtw = "x"\n', r"line 4: users\[0\].jtw: there is no such key"),
        ('\n[user]\nname = "x"\n', r"line 2: user: there is no such key"),
        ("users = 5\n", r"line 1: users: expected `array`, got `int`"),
        ('[[users]]\nextension = "one"\nname = "Grace"\n', r"line 2: .*an extension number such as \"101\", not 'one'"),
        ('[[users]]\nextension = "1"\nname = " "\n', r"line 3: users\[0\].name: expected a name"),
        (f'{USER}id = "x"\n', r"line 4: users\[0\].id: expected up to 15 digits"),
        (f'{USER}id = "\u0663"\n', r"line 4: users\[0\].id: expected up to 15 digits"),
        (
            f'{USER}phone_numbers = ["+16505550101"]\n{OTHER}phone_numbers = ["+16505550101"]\n',
            r"line 8: users\[1\].phone_numbers: .* is another user's already",
        ),
        (f"{USER}{USER}", r"line 5: users\[1\].extension: it is there already"),
        ('[[apps]]\nclient_id = "a"\npermissions = ["ReadMesages"]\n', r"line 3: .*no 'ReadMesages'; there are A2P"),
        (f'{USER}[[contacts]]\nowner = "101"\n', r"line 5: .*expected the extension number of a user, not '101'"),
        ('[[messages]]\nowner = "109"\nother = "+1650"\ntext = "x"\n', r"line 2: .*number of a user, not '109'"),
        ('[[messages]]\nowner = "101"\nother = "me"\ntext = "x"\n', r"line 3: .*expected a number such as"),
        ('[[messages]]\nowner = "101"\nother = "1"\ntext = "x"\ndirection = "In"\n', r"line 5: .*invalid enum value"),
    ],
)
def test_a_mistake_is_refused_with_its_line(text: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=rf"^seed: .*account\.toml.*{why}"):
        seeded(text, tmp_path)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"^seed: cannot read .*No such file"):
        read_seed(tmp_path / "missing.toml")
    (tmp_path / "bad.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match="is not UTF-8"):
        read_seed(tmp_path / "bad.toml")
