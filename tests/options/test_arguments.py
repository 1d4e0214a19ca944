"""The options of a client are checked once, by their types."""

from __future__ import annotations

import dataclasses
import inspect
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from rcex_ws import WebSocketExtension
from rcex_ws.callback.settings import WebSocketOptions, WebSocketSettings
from rcex_ws.errors import ConfigurationError, UnknownName
from rcex_ws.gateway import GatewayOptions
from rcex_ws.options import Count, Credential, Seconds, WebSocketUrl, check_fields, options_of
from rcex_ws.slack import RTMClient
from rcex_ws.slack.settings import SlackSettings
from rcex_ws.testing.fake_slack import FakeSlackOptions
from rcex_ws.wsg.settings import WsgSettings

ROOT = Path(__file__).parents[1]


@dataclass
class Options:
    timeout: Seconds = 1.0
    keepalive: Seconds | None = None
    number: Count = 1
    flag: bool = True

    def __post_init__(self) -> None:
        check_fields(self)


@pytest.mark.parametrize("value", [None, 1, 0.5])
def test_seconds_or_none(value: float | None) -> None:
    assert Options(keepalive=value).keepalive == value


@pytest.mark.parametrize("value", [0, -1.0, float("nan"), True, "10"])
def test_what_is_no_time_is_named(value: float) -> None:
    with pytest.raises(ConfigurationError, match=r"^keepalive: expected None or seconds above 0"):
        Options(keepalive=value)
    with pytest.raises(ConfigurationError, match=r"^timeout: expected seconds above 0"):
        Options(timeout=value)


def test_none_is_no_time_where_there_must_be_one() -> None:
    with pytest.raises(ConfigurationError, match=r"^timeout: "):
        Options(timeout=None)  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True)
class KettleSettings:
    key: Credential = field(kw_only=False)
    boil_time: Seconds = 60.0
    labels: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        check_fields(self)


class Kettle:
    """A client whose options stand in a dataclass."""

    @options_of(KettleSettings)
    def __init__(self, settings: KettleSettings) -> None:
        self.settings = settings


def test_a_constructor_has_the_signature_of_its_dataclass() -> None:
    parameters = inspect.signature(Kettle).parameters
    assert parameters == inspect.signature(KettleSettings).parameters
    assert (parameters["key"].kind, parameters["boil_time"].kind) == (
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.KEYWORD_ONLY,
    )
    assert parameters["boil_time"].default == 60.0
    assert list(inspect.signature(Kettle.__init__).parameters) == ["self", *parameters]


def test_a_constructor_has_the_types_of_its_dataclass() -> None:
    fields = get_type_hints(KettleSettings, include_extras=True)
    assert get_type_hints(Kettle.__init__, include_extras=True) == {**fields, "return": type(None)}
    assert Kettle.__init__.__qualname__ == "Kettle.__init__"
    assert Kettle.__init__.__module__ == __name__


def test_a_constructor_takes_the_fields_and_gets_the_dataclass() -> None:
    assert Kettle("k").settings == Kettle(key="k").settings == KettleSettings("k")
    assert Kettle("k", boil_time=2, labels=["a"]).settings == KettleSettings("k", boil_time=2, labels=["a"])
    assert Kettle("k").settings.labels is not Kettle("k").settings.labels


def test_a_constructor_refuses_what_its_dataclass_refuses() -> None:
    with pytest.raises(ConfigurationError, match=r"^boil_time: expected seconds above 0, got float -1\.0$"):
        Kettle("k", boil_time=-1.0)
    with pytest.raises(ConfigurationError, match=r"^key: expected a text of printable ASCII, got str \(not shown\)"):
        Kettle("a\nb")
    with pytest.raises(UnknownName, match=r"^boilTime: this argument is called boil_time here$"):
        Kettle("k", boilTime=1)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("args", "kwargs", "why"),
    [
        ((), {}, r"missing a required argument: 'key'"),
        (("k",), {"nonsense": 1}, r"got an unexpected keyword argument 'nonsense'"),
        (("k",), {"key": "k"}, r"multiple values for argument 'key'"),
    ],
)
def test_a_wrong_call_names_the_class_that_was_called(args: Any, kwargs: Any, why: str) -> None:
    with pytest.raises(TypeError, match=rf"^Kettle\.__init__\(\) {why}$") as caught:
        Kettle(*args, **kwargs)
    assert not isinstance(caught.value, ConfigurationError)


def test_an_argument_too_many_is_told_the_keywords() -> None:
    with pytest.raises(TypeError, match=r"^Kettle\(\) takes no further positional argument; .*: boil_time=, labels=$"):
        Kettle("k", 60.0)  # type: ignore[misc]


@pytest.mark.parametrize("by_name", [False, True])
def test_a_secret_is_hidden_in_all_frames_of_the_constructor(by_name: bool) -> None:
    def make(key: str) -> Kettle:
        return Kettle(key=key) if by_name else Kettle(key)

    assert repr(make("hunter2").settings) == "KettleSettings(key='***', boil_time=60.0, labels=[])"
    with pytest.raises(ConfigurationError) as caught:
        make("a\nhunter2")
    frames = [entry.frame.f_locals for entry in caught.traceback][2:]  # without those of the caller
    assert len(frames) >= 4
    assert not [one for one in frames if "hunter2" in repr(one)]


@pytest.mark.parametrize(
    ("documented", "settings"),
    [
        (WebSocketExtension, WsgSettings),
        (RTMClient, SlackSettings),
        (GatewayOptions, GatewayOptions),
        (FakeSlackOptions, FakeSlackOptions),
    ],
)
def test_the_docstring_tells_of_every_option(documented: type, settings: Any) -> None:
    assert names_in(documented) == [one.name for one in dataclasses.fields(settings)]


def test_the_two_lists_of_the_callback_client_agree() -> None:
    """Type checkers need both: one for `**options`, the other for what is made of them."""
    options = get_type_hints(WebSocketOptions, include_extras=True)
    assert names_in(WebSocketOptions) == list(options)
    assert {"url": WebSocketUrl, "keepalive": Seconds | None, **options} == get_type_hints(
        WebSocketSettings, include_extras=True
    )


# An ignore that nothing needs is an error in strict mode.
TYPED = """
from collections.abc import Callable
from typing import assert_type
from rcex_ws import WebSocketExtension
from rcex_ws.slack import RTMClient

extension = WebSocketExtension(rest_over_websocket=True, open_timeout=3, on_gap=print)
assert_type(extension, WebSocketExtension)
WebSocketExtension(True)  # type: ignore[call-arg]
WebSocketExtension(nonsense=1)  # type: ignore[call-arg]
WebSocketExtension(open_timeout="3")  # type: ignore[arg-type]
client = RTMClient("token", monitor="replies", data_store=None)
assert_type(client, RTMClient)
RTMClient(token="token")
RTMClient()  # type: ignore[call-arg]
RTMClient("token", monitor="nonsense")  # type: ignore[arg-type]

assert_type(client.on("message", lambda: None), Callable[[], None])
assert_type(extension.on("error", print), Callable[[], None])
extension.on("error", lambda: None)  # type: ignore[arg-type, misc]

@extension.on("error")
def count(error: Exception) -> int:
    return 1

assert_type(count(ValueError()), int)
"""


def test_type_checkers_see_each_option_and_what_on_returns(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    (tmp_path / "typed.py").write_text(TYPED)
    command = (
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--config-file=",
        f"--cache-dir={tmp_path}",
        tmp_path / "typed.py",
    )
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=50, check=False)
    assert ended.stdout == "Success: no issues found in 1 source file\n", ended.stdout + ended.stderr


def names_in(documented: type) -> list[str]:
    """Return the names that the docstring of a class has under Args or Attributes, whichever comes first."""
    section = re.search(r"\n(?:Args|Attributes):\n(.*?)(?=\n\w+:\n|\Z)", inspect.getdoc(documented) or "", re.DOTALL)
    assert section
    return re.findall(r"^    (\w+): \S", section[1], re.MULTILINE)
