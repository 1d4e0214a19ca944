"""The page docs/architecture.md cannot go stale: its drawings match the code, and the names on it exist."""

from __future__ import annotations

import ast
import html
import importlib
import importlib.util
import re
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest

from rcex_ws.connection import State
from rcex_ws.wsg import SubscriptionState

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "rcex_ws"
DIAGRAMS = ROOT / "docs/diagrams"
PAGE = (ROOT / "docs/architecture.md").read_text()
PROSE = re.sub(r"^ *```.*?^ *```$", "", PAGE, flags=re.MULTILINE | re.DOTALL)
SPANS = sorted({" ".join(span.split()) for span in re.findall(r"`([^`]+)`", PROSE)})


def load_draw() -> ModuleType:
    spec = importlib.util.spec_from_file_location("draw", DIAGRAMS / "draw.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


draw = load_draw()


def drawn(name: str) -> tuple[set[str], set[tuple[str, str]]]:
    """Return the nodes and edges of a drawing as it is checked in."""
    svg = (DIAGRAMS / f"{name}.svg").read_text()
    titles = re.findall(r'<g id="(?:node|edge)\d+" class="(node|edge)">\s*<title>(.*?)</title>', svg)
    nodes = {html.unescape(title) for kind, title in titles if kind == "node"}
    edges = {tuple(html.unescape(title).split("->")) for kind, title in titles if kind == "edge"}
    return nodes, edges


@cache
def classes() -> dict[str, list[str]]:
    """Return the modules that define each public class of the package."""
    found: dict[str, list[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append(module)
    return found


def resolve(module: str, name: str) -> bool:
    """Return whether a module has a name, which may be that of a class's member."""
    item: object = importlib.import_module(module)
    for part in name.split("."):
        if not hasattr(item, part) and part not in getattr(item, "__annotations__", {}):
            return False
        item = getattr(item, part, None)
    return True


def resolve_dotted(name: str) -> bool:
    """Return whether `folder.module.Class.method`, without the package's name, is there."""
    parts = name.split(".")
    for length in range(len(parts) - 1, 0, -1):
        module = ".".join(["rcex_ws", *parts[:length]])
        path = ROOT / module.replace(".", "/")
        if path.with_suffix(".py").is_file():
            return resolve(module, ".".join(parts[length:]))
    return False


def exists(path: str) -> bool:
    return any((base / path).exists() for base in (PACKAGE, ROOT))


def test_the_layers_are_those_of_the_linter() -> None:
    layers = draw.layers()
    assert drawn("layers") == (set(layers), set(pairwise(layers)))


def test_the_states_of_a_client_are_those_of_the_code() -> None:
    assert drawn("client") == ({state.name for state in State}, draw.client_edges())


def test_the_states_of_a_subscription_are_those_of_the_code() -> None:
    nodes, edges = drawn("subscription")
    assert nodes == {state.name for state in SubscriptionState}
    assert edges == draw.subscription_edges()


@pytest.mark.parametrize("name", sorted(draw.GENERATED))
def test_a_generated_source_is_what_the_code_gives(name: str) -> None:
    assert (DIAGRAMS / f"{name}.dot").read_text() == draw.GENERATED[name](), "run docs/diagrams/draw.py"


@pytest.mark.parametrize("path", sorted(DIAGRAMS.glob("*.dot")), ids=lambda path: path.stem)
def test_a_drawing_is_made_from_its_source_and_shown(path: Path) -> None:
    assert draw.source_mark(path.read_text()) in path.with_suffix(".svg").read_text(), "run docs/diagrams/draw.py"
    assert f"](diagrams/{path.stem}.svg)" in PAGE + (ROOT / "docs/recovery.md").read_text()


def test_there_is_no_drawing_without_a_source() -> None:
    assert {path.stem for path in DIAGRAMS.glob("*.svg")} == {path.stem for path in DIAGRAMS.glob("*.dot")}


@pytest.mark.parametrize("name", ["inbound", "outbound", "recovery"])
def test_the_names_in_a_drawing_exist(name: str) -> None:
    nodes, _ = drawn(name)
    dotted = [node for node in nodes if "." in node]
    assert dotted
    assert [node for node in dotted if not resolve_dotted(node)] == []
    text = html.unescape((DIAGRAMS / f"{name}.dot").read_text())
    assert [path for path in re.findall(r"\b\w+/\w+\.py\b", text) if not exists(path)] == []
    shown = re.findall(r"\b([A-Z]\w*[a-z]\w*)\.(\w+)", re.sub(r'"[\w.]+"', "", text))
    assert [".".join(pair) for pair in shown if not known(".".join(pair))] == []


def test_every_event_in_the_drawing_of_the_recovery_is_one() -> None:
    text = (DIAGRAMS / "recovery.dot").read_text()
    events = {str(event) for event in importlib.import_module("rcex_ws.wsg").Events} - {"error"}
    assert {event for event in events if event not in text} == set()


def known(name: str) -> bool:
    """Return whether a class of the package, or a member of one, has this name."""
    return any(resolve(module, name) for module in classes().get(name.split(".")[0], []))


def test_every_file_named_on_the_page_exists() -> None:
    named = [
        span.partition(":")[0] for span in SPANS if re.fullmatch(r"[\w./]+(\.py|/)(: .*)?|[\w/]+\.(toml|md)", span)
    ]
    assert len(named) > 40
    assert [path for path in named if not exists(path)] == []


def test_every_name_given_with_its_file_exists() -> None:
    missing = []
    for span in SPANS:
        if match := re.fullmatch(r"([\w/]+)\.py: (.+)", span):
            module = "rcex_ws." + match[1].replace("/", ".")
            missing += [f"{module}.{name}" for name in match[2].split(", ") if not resolve(module, name)]
    assert missing == []


def test_every_class_named_on_the_page_exists() -> None:
    spans = [span for span in SPANS if re.fullmatch(r"_?[A-Z]\w*[a-z]\w*(\.\w+)?", span)]
    assert len(spans) > 40
    assert [span for span in spans if span != "NotImplementedError" and not known(span)] == []


def test_every_other_name_in_the_recipes_exists() -> None:
    _, _, recipes = re.sub(r"^```\{.*?^```$", "", PAGE, flags=re.MULTILINE | re.DOTALL).partition(
        "## How to add a fault"
    )
    code = " ".join(a or b for a, b in re.findall(r"```python\n(.*?)```|`([^`]+)`", recipes, re.DOTALL))
    source = "\n".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    names = set(re.findall(r"\b(?!test_)(?:_?[a-z]+_[a-z_]+|_?[A-Z]\w+)\b", code))
    examples = {"RepeatFault", "read_caller_id", "event_filter", "ID", "A", "Send"}
    assert {name for name in names - examples if not re.search(rf"\b{name}\b", source)} == set()


def test_there_are_a_dozen_changes_or_more() -> None:
    _, _, rest = PAGE.partition("## Where do I change ...?")
    rows = re.findall(r"^\| [A-Z].* \| `tests/.* \|$", rest, re.MULTILINE)
    assert len(rows) >= 12
