"""``theory check``: the statements of papers, each run against what is derived."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

from theory.errors import DataError

__all__ = ["run_checks"]


def _folder() -> Path:
    """proofs_checks beside the package, or in the current directory."""
    candidates = (Path(__file__).resolve().parent.parent, Path.cwd())
    for base in candidates:
        if (base / "proofs_checks").is_dir():
            return base / "proofs_checks"
    raise DataError(
        "There is no folder proofs_checks beside the package or in the current directory; run this "
        "command in a checkout of the repository."
    )


def _load(path: Path) -> Any:
    name = f"proofs_checks.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # dataclasses look their module up by name
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def run_checks(prefix: str = "") -> list[dict[str, Any]]:
    """Every statement of the files that begin with a prefix, with its result.

    Raises
    ------
    DataError
        When no file matches.
    """
    folder = _folder()
    # modules of one paper may share helpers beside them
    if str(folder.parent) not in sys.path:
        sys.path.insert(0, str(folder.parent))
    paths = sorted(
        p
        for p in folder.glob("*.py")
        if p.stem.startswith(prefix) and not p.stem.startswith(("_", "test_", "conftest"))
    )
    modules = [(path.stem, _load(path)) for path in paths]
    modules = [(stem, module) for stem, module in modules if hasattr(module, "statements")]
    if not modules:
        known = ", ".join(sorted(p.stem for p in folder.glob("*.py"))) or "none"
        raise DataError(f"No file of proofs_checks begins with {prefix!r}; there are: {known}.")
    rows = []
    for stem, module in modules:
        for statement in module.statements():
            ok, text = _outcome(statement)
            rows.append(
                {
                    "paper": stem,
                    "name": str(statement.name),
                    "source": str(statement.source),
                    "ok": ok,
                    "result": text,
                }
            )
    return rows


def _outcome(statement: Any) -> tuple[bool, str]:
    """Run one check; a check that raises has failed, and the others still run."""
    try:
        answer = statement.check()
    except Exception as error:
        return False, f"FAILED: {type(error).__name__}: {error}"
    if isinstance(answer, tuple):
        expected, got, ok = answer
        return bool(ok), "ok" if ok else f"FAILED: expected {expected} but got {got}"
    # a statement that holds on numbers only is a success of its check, not a proof
    return bool(getattr(answer, "ok", None) or getattr(answer, "proved", False)), str(answer)
