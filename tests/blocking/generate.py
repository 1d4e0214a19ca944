"""Write the modules of `rcex_ws.blocking` that repeat the async classes: `python -m tests.blocking.generate`.

Each public method becomes one of the same name, arguments and documentation that calls the async one in the loop. What
a method needs beyond that is written by hand, in a subclass of what is generated. A test compares what is checked in
with what the code gives.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

from tests.blocking.sources import ATTRIBUTES, BLOCKING_TYPES, ORIGINS, RENAMED, SOURCES, Source

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "rcex_ws/blocking"

_WORDS = (
    ("another event loop, thread or process", "another process"),
    ("called from another event loop or thread", "called in a forked process"),
    (r"\basync (with|for|def)\b", r"\1"),
    (r"\bawait ", ""),
    (r"(A|a) function, sync or async, called", r"\1 function, called"),
    (r"\bsync or async, called", "called"),
    *((rf"\b{old}\b", new) for old, new in RENAMED.items()),
)


def blocking_words(text: str) -> str:
    """Return documentation as it is right for the blocking classes."""
    for pattern, by in _WORDS:
        text = re.sub(pattern, by, text)
    return text


def generate(source: Source) -> str:
    """Return the text of one module, before its layout is seen to."""
    writer = _Writer(source)
    body = "\n".join(writer.lines())
    head = (
        f'"""Generated from `{source.module}.{source.name}` by `python -m tests.blocking.generate`."""\n\n'
        f"from __future__ import annotations\n\n{writer.imports()}\n\n__all__ = [{source.becomes!r}]\n\n\n"
    )
    return head + body + "\n"


class _Writer:
    def __init__(self, source: Source) -> None:
        self._source = source
        module = importlib.import_module(source.module)
        self._tree = ast.parse(inspect.getsource(module))
        self._class = next(node for node in self._tree.body if getattr(node, "name", "") == source.name)
        self._used: dict[str, set[str]] = {}
        self._modules: set[str] = set()
        self._origins = self._find_origins()

    def imports(self) -> str:
        plain = [f"import {module}" for module, names in self._used.items() if not names]
        chosen = [f"from {module} import {', '.join(sorted(names))}" for module, names in self._used.items() if names]
        return "\n".join(plain + chosen)

    def lines(self) -> list[str]:
        source = self._source
        if source.base is None:
            self._use("rcex_ws.blocking.facade", "Facade")
            base = f"Facade[{self._inner()}]"
        else:
            self._use(f"rcex_ws.blocking.{source.base[0]}", source.base[1])
            base = source.base[1]
        of = f", of={self._inner()}" if source.of else ""
        lines = [f"class {source.becomes}({base}{of}):"]
        lines += _docstring(_first_line(self._class), "    ")
        for name, kind in source.attributes.items():
            self._use_names(kind)
            lines += self._attribute(name, kind)
        for node in self._class.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                if node.name in ("__init__", "from_sdk") and source.name == "RingCentral":
                    lines += self._constructor(node)
                elif not node.name.startswith("_") and node.name not in source.omit:
                    lines += self._method(node)
        return lines

    def _inner(self) -> str:
        package, _, name = self._source.inner.rpartition(".")
        self._used.setdefault(package, set())
        return f"{package}.{name}"

    def _constructor(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
        self._use("rcex_ws.options", "checked")
        self._use_names(*_annotations(node))
        passed = _passed(node.args)
        if node.name == "__init__":
            head = ["", "    @checked", f"    def __init__({ast.unparse(node.args)}) -> None:"]
            return [*head, f"        super().__init__({self._inner()}({passed}))"]
        self._use("typing", "Self")
        return [
            *("", "    @classmethod", "    @checked", f"    def {node.name}({ast.unparse(node.args)}) -> Self:"),
            *_docstring(ast.get_docstring(node) or "", "        "),
            "        client = cls.__new__(cls)",
            f"        client._inner = {self._inner()}.{node.name}({passed})",
            "        return client",
        ]

    def _attribute(self, name: str, kind: str) -> list[str]:
        assert isinstance(self._class, ast.ClassDef)
        _, _, attributes = (ast.get_docstring(self._class) or "").partition("\nAttributes:\n")
        about = re.search(rf"^    {name}: (.*)", attributes, re.MULTILINE)
        text = about[1] if about else ATTRIBUTES[name]
        text = text[0].upper() + text[1:].rstrip(".") + "."
        lines = ["", "    @property", f"    def {name}(self) -> {kind}:", *_docstring(text, "        ")]
        lines.append(f"        return self._inner.{name}")
        if name in self._source.writable:
            lines += ["", f"    @{name}.setter", f"    def {name}(self, {name}: {kind}) -> None:"]
            lines.append(f"        self._inner.{name} = {name}")
        return lines

    def _method(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
        name = RENAMED.get(node.name, node.name)
        decorators = [ast.unparse(one) for one in node.decorator_list]
        returns = ast.unparse(node.returns) if node.returns is not None else "None"
        self._use_names(*_annotations(node))
        lines = [""]
        for one in decorators:
            if one in ("checked", "keywords_only"):
                self._use("rcex_ws.options", one)
            if one != "asynccontextmanager":
                lines.append(f"    @{one}")
        if any(one.endswith(".setter") for one in decorators):
            self._use("rcex_ws.blocking.loop_thread", "run_sync")
            lines += [f"    def {name}({ast.unparse(node.args)}) -> None:"]
            return [*lines, f"        run_sync(lambda: setattr(self._inner, {name!r}, {name}))"]
        called = f"self._inner.{node.name}" + ("" if "property" in decorators else f"({_passed(node.args)})")
        called = self._with_functions(node, called)
        result, body = self._body(node, returns, called, managed="asynccontextmanager" in decorators)
        self._use_names(result)
        if "asynccontextmanager" in decorators:
            self._use("contextlib", "contextmanager")
            lines.append("    @contextmanager")
        lines.append(f"    def {name}({ast.unparse(node.args)}) -> {result}:")
        return [*lines, *_docstring(ast.get_docstring(node) or "", "        "), *body]

    def _body(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef, returns: str, called: str, *, managed: bool
    ) -> tuple[str, list[str]]:
        if managed:
            self._use("rcex_ws.blocking.loop_thread", "in_loop")
            self._use("rcex_ws.blocking.streamed", "StreamedResponse")
            return "Generator[StreamedResponse]", [
                f"        with in_loop({called}) as answer:",
                "            yield StreamedResponse(answer)",
            ]
        if found := re.fullmatch(r"AsyncIterator\[(.*)\]", returns):
            self._use("rcex_ws.blocking.iteration", "Iteration")
            self._use("rcex_ws.blocking.loop_thread", "run_sync")
            return f"Iterator[{found[1]}]", [f"        return Iteration(run_sync(lambda: {called}))"]
        coroutine = re.fullmatch(r"(?:Coroutine\[Any, Any, |Awaitable\[)(.*)\]", returns)
        result = coroutine[1] if coroutine else returns
        if result == "PathBuilder":
            return result, [f"        return PathBuilder({called}, self)"]
        how = "run" if coroutine or isinstance(node, ast.AsyncFunctionDef) else "run_sync"
        self._use("rcex_ws.blocking.loop_thread", how)
        if set(BLOCKING_TYPES) & _names(result):
            self._use("rcex_ws.blocking.facade", "facade_of")
            if how == "run_sync":
                return result, [
                    f"        found: {result} = run_sync(lambda: facade_of({called}))",
                    "        return found",
                ]
            made = [
                "",
                f"        async def call() -> {result}:",
                f"            made: {result} = facade_of(await {called})",
            ]
            return result, [*made, "            return made", "", "        return run(call)"]
        if result == "Callable[[], None]":  # what undoes it
            return result, [f"        undo = {how}(lambda: {called})", "        return lambda: run_sync(undo)"]
        prefix = "" if result == "None" else "return "
        return result, [f"        {prefix}{how}(lambda: {called})"]

    def _with_functions(self, node: ast.FunctionDef | ast.AsyncFunctionDef, called: str) -> str:
        for name in ("callback", "predicate"):
            if any(one.arg == name for one in (*node.args.args, *node.args.kwonlyargs)):
                self._use("rcex_ws.blocking.callbacks", "in_thread")
                called = re.sub(rf"\b{name}\b", f"in_thread('{name}', {name}, self._executor)", called)
        if "subscription_info" in called:
            self._use("rcex_ws.blocking.facade", "inner_of")
            called = called.replace("subscription_info", "inner_of(subscription_info)")
        return called

    def _use(self, module: str, name: str) -> None:
        if module != f"rcex_ws.blocking.{self._source.to}":
            self._used.setdefault(module, set()).add(name)

    def _use_names(self, *annotations: str) -> None:
        for annotation in annotations:
            for name in _names(annotation):
                if name in BLOCKING_TYPES:
                    self._use(f"rcex_ws.blocking.{BLOCKING_TYPES[name]}", name)
                elif name in ("Iterator", "Generator"):
                    self._use("collections.abc", name)
                elif name in self._modules:
                    self._used.setdefault(name, set())
                elif origin := ORIGINS.get(name) or self._origins.get(name):
                    self._use(origin, name)

    def _find_origins(self) -> dict[str, str]:
        origins: dict[str, str] = {}
        for node in ast.walk(self._tree):
            if isinstance(node, ast.ImportFrom):
                origins |= {one.asname or one.name: node.module or "" for one in node.names}
            elif isinstance(node, ast.Import):
                self._modules |= {one.name for one in node.names}
        for top in self._tree.body:
            for target in top.targets if isinstance(top, ast.Assign) else [getattr(top, "target", top)]:
                name = target.id if isinstance(target, ast.Name) else getattr(target, "name", None)
                if isinstance(name, str):
                    origins[name] = self._source.module
        return origins


def _annotations(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """Return what the new signature names, but for the result."""
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    arguments += [one for one in (node.args.vararg, node.args.kwarg) if one is not None]
    nodes = [one.annotation for one in arguments] + [*node.args.defaults, *node.args.kw_defaults]
    return [ast.unparse(one) for one in nodes if one is not None]


def _names(annotation: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(annotation)) if isinstance(node, ast.Name)}


def _passed(arguments: ast.arguments) -> str:
    passed = [one.arg for one in (*arguments.posonlyargs, *arguments.args)][1:]
    passed += [f"{one.arg}={one.arg}" for one in arguments.kwonlyargs]
    return ", ".join(passed + ([] if arguments.kwarg is None else [f"**{arguments.kwarg.arg}"]))


def _first_line(node: ast.stmt) -> str:
    assert isinstance(node, ast.ClassDef)
    return (ast.get_docstring(node) or "").partition("\n")[0]


def _docstring(text: str, indent: str) -> list[str]:
    lines = blocking_words(text).split("\n")
    lines = [f'{indent}"""{lines[0]}', *(f"{indent}{line}" if line else "" for line in lines[1:])]
    return [*lines[:-1], f'{lines[-1]}"""'] if len(lines) == 1 else [*lines, f'{indent}"""']


def main() -> None:
    """Write all modules."""
    ruff = str(Path(sys.executable).with_name("ruff"))
    for source in SOURCES:
        path = FOLDER / f"{source.to}.py"
        path.write_text(generate(source))
    for source in SOURCES:  # once all are there, or ruff takes them for foreign
        path = FOLDER / f"{source.to}.py"
        subprocess.run([ruff, "check", "--quiet", "--fix", "--select", "I,F401", path], cwd=ROOT, check=True)
        subprocess.run([ruff, "format", "--quiet", path], cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
