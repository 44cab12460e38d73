"""The text of a formula: what is refused before Python's parser sees it, and where it went wrong.

`ast.parse` is used for precedence only. It sees nothing but numbers, names, operators, parentheses
and commas, of bounded length and nesting.
"""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple, NoReturn

import sympy as sp

from theory.errors import FormulaError
from theory.exact._formula_functions import ALIASES, CONSTANTS, TABLE

MAX_CHARS = 4000
MAX_DEPTH = 60
MAX_NODES = 600

_RESERVED = frozenset({"I", "oo", "zoo", "nan", "inf", "S", "N", "O", "Q"})
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}")
_TOKEN = re.compile(
    r"(?P<space>[ \t]+)"
    r"|(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<relation>==|!=|>=|<=|=|<|>)"
    r"|(?P<operator>\*\*|//|[-+*/^(),])"
)


def snippet(text: str) -> str:
    """Text for a message: printable ASCII, in quotes, at most 60 characters."""
    shown = text[:80].encode("unicode_escape").decode("ascii").replace("\\\\", "\\")
    if len(shown) > 60 or len(text) > 80:
        shown = shown[:57] + "..."
    return f'"{shown}"'


def fail(text: str, message: str, at: int = 0) -> NoReturn:
    if 0 < at < len(text):
        message += f", at {snippet(text[at:])}"
    raise FormulaError(f"{message} in {snippet(text)}.")


class Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int


def tokenize(text: str) -> list[Token]:
    if not isinstance(text, str):
        raise FormulaError(f"Expected a formula as text but got {type(text).__name__}.")
    if len(text) > MAX_CHARS:
        fail(text[:100], f"Expected at most {MAX_CHARS} characters but got {len(text)}")
    if not text.strip(" \t"):
        raise FormulaError("Expected a formula but got an empty text.")
    if not text.isascii():
        at = next(i for i, c in enumerate(text) if not c.isascii())
        fail(text, f"Write {snippet(text[at])} in ASCII, for example alpha, **, sqrt(x)", at)
    tokens: list[Token] = []
    depth = deepest = signs = powers = position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            _bad_character(text, position)
        token = Token(str(match.lastgroup), match.group(), position, match.end())
        position = token.end
        if token.kind == "space":
            continue
        previous = tokens[-1] if tokens else None
        tokens.append(token)
        if token.kind == "name":
            if previous is not None and previous.kind == "number" and previous.end == token.start:
                joined = previous.text + token.text
                if re.match(r"[jJ]\b", token.text):
                    fail(text, f"{snippet(joined)} is complex; formulas are real", token.start)
                hint = f"write {previous.text}*{token.text[:20]}"
                if token.text.startswith("_") or previous.text == "0":
                    hint = "write plain decimal digits"
                fail(
                    text,
                    f"Expected a number or a product but got {snippet(joined)}; {hint}",
                    previous.start,
                )
            _check_spelling(token.text, text, token.start)
        if token.text == "//":
            fail(text, "Write / for division; // is not allowed", token.start)
        if token.text == "(":
            depth += 1
            deepest = max(deepest, depth)
        elif token.text == ")":
            depth -= 1
            if depth < 0:
                fail(text, "A closing parenthesis has no opening one", token.start)
        # Python's parser recurses on runs of signs and on towers of powers
        signs = signs + 1 if token.text in "+-" else 0
        powers += token.text in ("**", "^")
        if max(deepest, signs) > MAX_DEPTH or powers > 8 * MAX_DEPTH:
            fail(text, f"The formula is nested deeper than {MAX_DEPTH} levels", token.start)
    if depth > 0:
        fail(text, "A parenthesis is not closed")
    return tokens


def _bad_character(text: str, at: int) -> NoReturn:
    character = text[at]
    if character in "'\"`":
        fail(text, "Quotes are not allowed in a formula", at)
    if character in "[]{}":
        fail(text, f"Use parentheses instead of {character}", at)
    if character in "&|~":
        fail(text, "A formula has no logical operators", at)
    if character == ".":
        fail(text, "A dot is allowed inside of a number only", at)
    fail(text, f"The character {snippet(character)} is not allowed in a formula", at)


def _check_spelling(name: str, text: str, at: int = 0) -> None:
    if name == "lambda":
        fail(text, "lambda is reserved; write lam", at)
    if keyword.iskeyword(name):
        fail(text, f"{name} is a reserved word and cannot be a name", at)
    if _NAME.fullmatch(name) is None:
        if name.startswith("_"):
            fail(text, f"Expected a name that starts with a letter but got {snippet(name)}", at)
        fail(text, f"Expected a name of at most 32 characters but got {snippet(name)}", at)
    if "__" in name:
        fail(text, f"A name must not contain two underscores in a row: {snippet(name)}", at)


def check_name(name: str, text: str) -> None:
    """Refuse a name that cannot be a symbol."""
    _check_spelling(name, text)
    if name in TABLE or name in ALIASES:
        fail(text, f"{name} is a function: write {name}(...), or rename the symbol")
    if name in CONSTANTS:
        fail(text, f"{name} is a constant; rename the symbol")
    if name in _RESERVED:
        meaning = {"I": "is the imaginary unit, and formulas are real"}.get(name, "is reserved")
        if name in ("oo", "zoo", "nan", "inf"):
            meaning = "is not a finite number"
        fail(text, f"{name} {meaning}; it cannot be used as a name")


def checked_symbols(symbols: Mapping[str, sp.Symbol]) -> Mapping[str, sp.Symbol]:
    if not isinstance(symbols, Mapping):
        raise FormulaError(
            f"Expected a mapping from names to symbols but got {type(symbols).__name__}."
        )
    for name, symbol in symbols.items():
        if not isinstance(name, str) or not isinstance(symbol, sp.Symbol):
            raise FormulaError(
                f"Expected names mapped to SymPy symbols but got {snippet(str(name))} mapped to "
                f"a {type(symbol).__name__}."
            )
    return symbols


def no_relation(text: str, tokens: list[Token]) -> None:
    for token in tokens:
        if token.kind == "relation":
            fail(text, f"Expected a formula but got a relation with {token.text}", token.start)


def split_relation(text: str) -> tuple[str, list[tuple[int, int]]]:
    tokens = tokenize(text)
    relations = [t for t in tokens if t.kind == "relation"]
    if not relations:
        return "==", [(0, len(text))]
    if len(relations) > 1:
        fail(text, "Expected one relation but got several", relations[1].start)
    relation = relations[0]
    before = [t.text for t in tokens if t.end <= relation.start]
    if before.count("(") != before.count(")"):
        fail(text, "A relation cannot stand inside of parentheses", relation.start)
    operator = "==" if relation.text == "=" else relation.text
    return operator, [(0, relation.start), (relation.end, len(text))]


def split_commas(text: str) -> Iterator[list[Token]]:
    part: list[Token] = []
    depth = 0
    for token in tokenize(text):
        depth += (token.text == "(") - (token.text == ")")
        if token.text == "," and depth == 0:
            yield part
            part = []
        else:
            part.append(token)
    yield part


class Source(NamedTuple):
    """A syntax tree, with the text that its columns count in."""

    code: str
    tree: ast.expr


CHAINS: dict[type[ast.operator], int] = {ast.Add: 1, ast.Sub: 1, ast.Mult: 2, ast.Div: 2}


def syntax_tree(text: str, start: int, end: int) -> Source:
    code = text[start:end].replace("^", "**").replace("\t", " ").strip()
    if not code:
        fail(text, "A side of the relation is empty")
    try:
        tree = ast.parse(code, mode="eval").body
    except SyntaxError as error:
        at = (error.offset or 1) - 1
        where = f" near {snippet(code[max(at - 5, 0) :])}" if at < len(code) else " at the end"
        fail(text, f"Expected an operator or a value{where}")
    nodes = 0
    stack: list[tuple[ast.AST, int]] = [(tree, 1)]
    while stack:
        node, depth = stack.pop()
        nodes += 1
        if nodes > MAX_NODES:
            fail(text, f"Expected at most {MAX_NODES} operations and values")
        if depth > MAX_DEPTH:
            fail(text, f"The formula is nested deeper than {MAX_DEPTH} levels")
        kind = CHAINS.get(type(node.op), 0) if isinstance(node, ast.BinOp) else 0
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.operator | ast.unaryop | ast.expr_context):
                continue
            # a + b + c is one level, however long the chain
            same = isinstance(child, ast.BinOp) and CHAINS.get(type(child.op), 0) == kind > 0
            stack.append((child, depth + (not same)))
    return Source(code, tree)
