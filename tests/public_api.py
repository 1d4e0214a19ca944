"""What users can import, with its signatures, as lines of text; `make generate` writes them to public_api.txt.

Read from the sources by griffe, without an import, so that it is the same on every Python and with any extras.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path

import griffe

ROOT = Path(__file__).parents[1]
LISTING = Path(__file__).with_name("public_api.txt")
WIDTH = 120

#: Packages that hold what the others are built of: they may change with every version.
INTERNAL = ("connection", "files", "gateway.api", "options", "serving", "websocket")
#: Modules that users import from, beside the packages.
MODULES = {"rcex_ws.wsg.filters", "rcex_ws.wsg.views"}
#: The fixtures: pytest finds them without an import.
FIXTURES = "rcex_ws.testing.pytest_plugin"
#: Methods that Python calls, and not a user's program.
SILENT = {"__delattr__", "__getattr__", "__hash__", "__init__", "__init_subclass__", "__post_init__", "__reduce__"}
SILENT |= {"__repr__", "__setattr__", "__slots__", "__str__"}


class PublicAPI:
    """The listing of one tree of sources."""

    def __init__(self, root: Path = ROOT) -> None:
        self._package = griffe.load("rcex_ws", search_paths=[root], try_relative_path=False, allow_inspection=False)
        self._home: dict[str, str] = {}  # where a name was listed first

    @cached_property
    def text(self) -> str:
        """Everything public, package by package."""
        parts = ("\n".join([f"# {module.path}", *self._names(module), ""]) for module in self._modules())
        return "\n".join(parts)

    def _modules(self) -> Iterator[griffe.Module]:
        found = [self._package, *_below(self._package)]
        public = [one for one in found if one.exports and (one.is_init_module or one.path in MODULES)]
        inner = tuple(f"rcex_ws.{name}." for name in INTERNAL)
        yield from (one for one in public if not f"{one.path}.".startswith(inner))
        yield self._package.modules_collection[FIXTURES]

    def _names(self, module: griffe.Module) -> Iterator[str]:
        if module.path == FIXTURES:
            functions = (one for one in module.functions.values() if not one.is_private)
            yield from (f"fixture {one.name}: {one.returns}" for one in functions)
            return
        for name in module.exports or ():
            shown, found = f"{module.path}.{name}", module[str(name)]
            target = found.target_path if found.is_alias else found.path
            try:
                found = found.final_target if found.is_alias else found
            except griffe.AliasResolutionError:
                yield f"{shown} = {target}"  # of another library
                continue
            first = self._home.setdefault(found.path, shown)
            yield from [f"{shown} = {first}"] if first != shown else self._lines(shown, found)

    def _lines(self, shown: str, found: griffe.Object | griffe.Alias) -> Iterable[str]:
        if found.is_class:
            yield from self._of_class(shown, found)
        elif found.is_function:
            kind = "async def" if "async" in found.labels else "def"
            for one in found.overloads or [found]:
                yield from _call(f"{kind} {shown}", one.parameters, one.returns)
        elif "property" in found.labels:
            yield f"{shown}: {found.annotation}{' (read-only)' if 'writable' not in found.labels else ''}"
        else:
            in_init = "instance-attribute" in found.labels and "class-attribute" not in found.labels
            value = None if in_init else found.value
            yield shown + (f": {found.annotation}" if found.annotation else "") + (f" = {value}" if value else "")

    def _of_class(self, shown: str, found: griffe.Object | griffe.Alias) -> Iterator[str]:
        bases = ", ".join(str(base) for base in found.bases)
        yield f"class {shown}({bases})" if bases else f"class {shown}"
        if (init := found.all_members.get("__init__")) is not None:
            yield from _indented(_call("__init__", self._settings(init) or init.parameters, None))
        for name, member in sorted(found.all_members.items()):
            private = name.startswith("_") and (not name.endswith("__") or name in SILENT)
            if not private and not member.is_module:
                yield from _indented(self._lines(name, member.final_target if member.is_alias else member))

    def _settings(self, init: griffe.Object | griffe.Alias) -> griffe.Parameters | None:
        """Return the keyword arguments that `@options_of(Settings)` makes of a class."""
        for decorator in init.decorators:
            if decorator.callable_path.rpartition(".")[2] == "options_of":
                (settings,) = decorator.value.arguments
                target = self._package.modules_collection[settings.canonical_path]
                return target.final_target.parameters if target.is_alias else target.parameters
        return None


def _below(module: griffe.Module) -> Iterator[griffe.Module]:
    for one in sorted((one for one in module.modules.values() if not one.is_alias), key=lambda one: one.path):
        yield one
        yield from _below(one)


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"    {line}" for line in lines)


def _call(head: str, parameters: griffe.Parameters, returns: object) -> list[str]:
    """Return a signature in one line, or with a line for each parameter."""
    kinds = griffe.ParameterKind
    own = [one for one in parameters if one.name not in {"self", "cls"}]
    shown: list[str] = []
    for one in own:
        if one.kind is kinds.keyword_only and not any(told.startswith("*") for told in shown):
            shown.append("*")
        star = {kinds.var_positional: "*", kinds.var_keyword: "**"}.get(one.kind, "")
        default = "" if one.default is None or star else f" = {one.default}"
        shown.append(star + one.name + (f": {one.annotation}" if one.annotation else "") + default)
    if before := sum(one.kind is kinds.positional_only for one in own):
        shown.insert(before, "/")
    end = ")" if returns is None else f") -> {returns}"
    line = f"{head}({', '.join(shown)}{end}"
    return [line] if len(line) <= WIDTH else [f"{head}(", *(f"    {one}," for one in shown), end]


if __name__ == "__main__":
    LISTING.write_text(PublicAPI().text)
