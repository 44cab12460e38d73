"""A statement as data: its sides as they were typed, its domain, its text, and its hash."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import sympy as sp

from theory.claims.replay import digest
from theory.claims.replay.terms import Term, add, literal, mul, number, power
from theory.claims.statement import Domain, Statement, read_statement
from theory.errors import UnsupportedFormula
from theory.exact.parsing import ALIASES, relation_syntax
from theory.exact.verdict import Verdict

__all__ = [
    "claim_of",
    "claim_on",
    "claim_text",
    "question_on",
    "question_text",
    "recorded",
    "term_of",
    "text_of",
]


def claim_of(
    statement: Any, assume: Mapping[Any, str] | None = None, domain: Any = None
) -> dict[str, Any]:
    """The claim that a statement makes, as JSON can hold it.

    Returns
    -------
    dict
        ``operator`` (one of ``== != >= >``), ``left`` and ``right`` as terms, ``ranges`` (open
        intervals of the names), ``closed`` (ends that belong to the domain) and ``relations``
        (operators and terms that are compared with zero).

    Examples
    --------
    >>> claim = claim_of("x/x <= 1", {"x": "positive"})
    >>> claim["operator"], claim["left"], claim["right"], claim["ranges"]
    ('>=', 1, ['*', 'x', ['^', 'x', -1]], {'x': [0, None]})
    """
    return claim_on(statement, read_statement(statement, assume, domain))


def claim_on(statement: Any, question: Statement) -> dict[str, Any]:
    """The claim of a statement that has been read."""
    left, right = term_of(question.left), term_of(question.right)
    domain = _with_zeros({*question.symbols, *question.named}, question.domain)
    if isinstance(statement, str):
        operator, sources = relation_syntax(statement)
        sides = [_typed(*source) for source in sources]
        left, right = sides[0], sides[1] if len(sides) == 2 else 0
        if operator in ("<", "<="):
            left, right = right, left
    return {
        "operator": question.operator,
        "left": left,
        "right": right,
        "closed": [[s.name, term_of(e)] for s, e in domain.closed],
        **_domain({*question.symbols, *question.named}, domain),
    }


def _with_zeros(symbols: Iterable[sp.Symbol], domain: Domain) -> Domain:
    """The domain where zero belongs to symbols that only SymPy knows to be nonnegative."""
    ends = [
        (s, sp.S.Zero)
        for s in sorted(symbols, key=lambda s: s.name)
        if s.is_zero is None
        and (s.is_nonnegative or s.is_nonpositive)
        and s not in domain.ranges
        and (s, sp.S.Zero) not in domain.closed
    ]
    return replace(domain, closed=(*domain.closed, *ends))


def question_on(
    ask: str, symbols: Iterable[sp.Symbol], domain: Domain, **entries: Any
) -> dict[str, Any]:
    """The claim that answers a question yes, for the questions that `replay` knows.

    Parameters
    ----------
    ask : str
        ``conserved``, ``monotone``, ``convex`` or ``mirror_potential``.
    symbols : iterable of sympy.Symbol
        All that the entries contain.
    domain : Domain
    entries : text, expression of SymPy, or sequence of these
        What the question is about; texts are kept, expressions become terms.

    Raises
    ------
    UnsupportedFormula
        For what a claim cannot say.
    """
    data = {
        name: [_entry(e) for e in value] if isinstance(value, tuple | list) else _entry(value)
        for name, value in entries.items()
    }
    return {"ask": ask, **data, **_domain(set(symbols), domain)}


def _entry(value: Any) -> Any:
    if value in (sp.oo, -sp.oo):
        return ["oo", 1 if value == sp.oo else -1]
    return value if isinstance(value, str) else term_of(value)


def recorded(
    verdict: Verdict,
    claim: Callable[[], dict[str, Any]],
    hints: Callable[[], dict[str, Any]] = dict,
) -> Verdict:
    """The verdict with its claim, the hash of that, and hints for a certificate.

    As it was, for what a claim cannot say.
    """
    try:
        made, further = claim(), hints()
    except UnsupportedFormula:
        return verdict
    record = {"claim": made, "sha256": digest(made), "verdict": str(verdict.status)}
    record |= {"witness": verdict.witness} if verdict.witness else {}
    return replace(verdict, record=record | ({"hints": further} if further else {}))


def _domain(symbols: set[sp.Symbol], domain: Domain) -> dict[str, Any]:
    symbols = symbols | {s for s, _ in domain.closed} | set(domain.ranges)
    symbols = symbols.union(*(e.free_symbols for _, e in domain.relations))
    if len({s.name for s in symbols}) < len(symbols):
        raise UnsupportedFormula("Two symbols of one name are one name in a claim.")
    ranges = {}
    for s in sorted(symbols, key=lambda s: s.name):
        # zero is in the domain of a symbol that only SymPy knows to be nonnegative
        end = s.is_zero is None and (s.is_nonnegative or s.is_nonpositive)
        left_out = end and s not in domain.ranges and (s, sp.S.Zero) not in domain.closed
        if left_out or not _is_stated(s):
            raise UnsupportedFormula(f"A claim cannot say what is assumed of {s}.")
        lower, upper = domain.ranges.get(s, (-sp.oo, sp.oo))
        if lower == -sp.oo and s.is_nonnegative:
            lower = sp.S.Zero
        if upper is sp.oo and s.is_nonpositive:
            upper = sp.S.Zero
        ends = [None if e.is_infinite else term_of(e) for e in (lower, upper)]
        kind = "even" if s.is_even else "odd" if s.is_odd else "integer"
        ranges[s.name] = [*ends, kind] if s.is_integer else ends
    return {"ranges": ranges, "relations": [[o, term_of(e)] for o, e in domain.relations]}


def _is_stated(s: sp.Symbol) -> bool:
    """Whether a sign and being an integer are all that is assumed of a real symbol."""
    kinds = ("integer", "even", "odd", "positive", "negative", "nonnegative", "nonpositive")
    known = {kind: True for kind in kinds if getattr(s, f"is_{kind}")}
    return bool(sp.Symbol(s.name, real=True, **known) == s)


def _typed(code: str, node: ast.expr) -> Term:
    """The term of a syntax tree that the parser has accepted."""
    match node:
        case ast.Constant(value=int() as value):
            return value
        case ast.Constant():
            return literal(Fraction(ast.get_source_segment(code, node) or ""))
        case ast.Name(id=name):
            return name
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return mul(-1, _typed(code, operand))
        case ast.UnaryOp(operand=operand):
            return _typed(code, operand)
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            return add(_typed(code, left), _typed(code, right))
        case ast.BinOp(op=ast.Sub(), left=left, right=right):
            return add(_typed(code, left), mul(-1, _typed(code, right)))
        case ast.BinOp(op=ast.Mult(), left=left, right=right):
            return mul(_typed(code, left), _typed(code, right))
        case ast.BinOp(op=ast.Div(), left=left, right=right):
            return mul(_typed(code, left), power(_typed(code, right), -1))
        case ast.BinOp(left=left, right=right):
            return power(_typed(code, left), _typed(code, right))
        case ast.Call(func=ast.Name(id=name), args=args):
            return [ALIASES.get(name, name), *(_typed(code, a) for a in args)]
    raise UnsupportedFormula(f"No term for {ast.unparse(node)}.")


_NAMES = {sp.Add: "+", sp.Mul: "*", sp.Pow: "^"}
_MADE = {"+": add, "*": mul, "^": power}


def term_of(e: sp.Expr) -> Term:
    """The term of an expression of SymPy.

    Examples
    --------
    >>> x = sp.Symbol("x")
    >>> term_of(sp.sqrt(x) / 2 + sp.pi)
    ['+', ['*', '1/2', ['^', 'x', '1/2']], 'pi']
    """
    if not isinstance(e, sp.Expr) or (e.is_Symbol and e.name in ("pi", "E")):
        raise UnsupportedFormula(f"{e} is not a term of a claim.")
    if e.is_Rational:
        return literal(Fraction(int(e.p), int(e.q)))
    if e.is_Symbol:
        return e.name
    if e is sp.pi or e is sp.E:
        return str(e)
    op = _NAMES.get(e.func, e.func.__name__)
    if op not in _MADE and getattr(sp, op, None) is not e.func:
        raise UnsupportedFormula(f"{op} is no function of a claim.")
    args = [term_of(a) for a in (e.as_ordered_terms() if e.is_Add else e.args)]
    return _MADE[op](*args) if op in _MADE else [op, *args]


def text_of(t: Term) -> str:
    """The text of a term; it reads as the same term.

    Examples
    --------
    >>> text_of(["*", "1/2", ["^", ["+", "x", -1], 2]])
    '(1/2)*((x + (-1))**2)'
    """
    q = number(t)
    if q is not None:
        return _number_text(q)
    if not isinstance(t, list):
        return str(t)
    op, args = t[0], t[1:]
    if op in _MADE:
        parts = [_bracketed(a) for a in args]
        return {"+": " + ", "*": "*", "^": "**"}[op].join(parts)
    return f"{op}({', '.join(text_of(a) for a in args)})"


def _number_text(q: Fraction) -> str:
    """A number in the sizes that the parser takes: a long one as a sum of decimals."""
    if max(abs(q.numerator), q.denominator) < 10**40:
        return str(q)
    shift = next((k for k in range(900) if 10**k % q.denominator == 0), None)
    if shift is None:
        return str(q)
    digits, pieces = str(abs(q.numerator) * 10**shift // q.denominator), []
    for end in range(len(digits), 0, -40):
        piece = digits[max(end - 40, 0) : end].lstrip("0")
        if piece:
            pieces.append(f"{piece}e{len(digits) - end - shift}")
    return f"{'-' if q < 0 else ''}({' + '.join(pieces)})"


def _bracketed(t: Term) -> str:
    q = number(t)
    simple = q is not None and q >= 0 and q.denominator == 1
    bare = simple or (q is None and (isinstance(t, str) or t[0] not in _MADE))
    return text_of(t) if bare else f"({text_of(t)})"


def claim_text(claim: Mapping[str, Any]) -> tuple[str, dict[str, str], str]:
    """Statement, assumptions and domain as texts, which read as the same claim.

    Examples
    --------
    >>> from theory.claims.replay import digest
    >>> text = claim_text(claim_of("x/x <= 1", {"x": "positive"}))
    >>> text
    ('1 >= x*(x**(-1))', {'x': 'positive'}, '')
    >>> digest(claim_of(*text)) == digest(claim_of("x/x <= 1", {"x": "positive"}))
    True
    """
    statement = f"{text_of(claim['left'])} {claim['operator']} {text_of(claim['right'])}"
    return statement, *_domain_text(claim)


def question_text(claim: Mapping[str, Any]) -> tuple[str, dict[str, str], str]:
    """A question answered yes as a sentence, with assumptions and domain as texts.

    Examples
    --------
    >>> x = sp.Symbol("x", positive=True)
    >>> whole = Domain({})
    >>> question_text(question_on("convex", [x], whole, function=x * sp.log(x), variables=[x]))
    ('x*log(x) is convex in x', {'x': 'positive'}, '')
    """
    names = {k: ", ".join(v) for k, v in claim.items() if k in ("parameters", "variables")}
    depths = dict(_DEPTHS)
    if claim["ask"] in ("passes", "drift"):
        depths["start"] = 3
    texts = {k: _entry_text(v, depths[k]) for k, v in claim.items() if k in depths}
    match claim["ask"]:
        case "conserved":
            start = f", where {texts['restriction']} start at zero" if claim["restriction"] else ""
            sentence = (
                f"{texts['law']} is conserved along x = {texts['components']} in "
                f"{names['parameters']} with the rates {texts['rates']}{start}"
            )
        case "mirror_potential":
            sentence = (
                f"{texts['potential']} is a mirror potential in {names['variables']} of x = "
                f"{texts['component']} in {names['parameters']} with the rates {texts['rates']} "
                f"from {texts['start']}"
            )
        case "legendre":
            sentence = (
                f"the mirror potential of x = {texts['component']} in {names['parameters']} with "
                f"the rates {texts['rates']} from {texts['start']} is of Legendre type"
            )
        case "limit":
            side = {"+": " from above", "-": " from below"}.get(claim["direction"], "")
            sentence = (
                f"{texts['function']} tends to {texts['value']} as {names['variables']} tends to "
                f"{texts['to']}{side}"
            )
        case "integral":
            sentence = (
                f"the integral of {texts['function']} over {names['variables']} from "
                f"{texts['lower']} to {texts['upper']} is {texts['value']}"
            )
        case "loss_decreases":
            sentence = (
                f"the sum of the losses {texts['loss']} of samples with the derivative "
                f"{texts['slope']} in {names['variables']} never increases"
            )
        case "decreases":
            sentence = f"{texts['law']} never increases along {_flow_text(texts, names)}"
        case "passes":
            box = " and ".join(f"{text_of(t)} {o} 0" for o, t in claim["box"])
            sentence = f"{box} at t = {texts['end']} along {_flow_text(texts, names)}"
        case "drift":
            sentence = (
                f"{texts['law']} moves by at most {texts['bound']} up to t = {texts['end']} along "
                f"{_flow_text(texts, names)}"
            )
        case "monotone":
            kind = "monotone" if claim["direction"] == "any" else claim["direction"]
            sentence = f"{texts['function']} is {kind} in {names['variables']}"
        case _:
            sentence = f"{texts['function']} is {claim['ask']} in {names['variables']}"
    return sentence, *_domain_text(claim)


def _entry_text(value: Any, depth: int) -> str:
    """A term or an infinity, or a list of these, or of lists."""
    if depth == 0:
        infinite = isinstance(value, list) and value[0] == "oo"
        return text_of(value) if not infinite else "oo" if value[1] > 0 else "-oo"
    inner = [_entry_text(e, depth - 1) for e in value]
    return ", ".join(inner if depth == 1 else (f"[{e}]" for e in inner))


def _flow_text(texts: Mapping[str, str], names: Mapping[str, str]) -> str:
    start = f" from {texts['start']}" if "start" in texts else ""
    return (
        f"the flow of x = {texts['component']} in {names['parameters']} with the rates "
        f"{texts['rates']}, for the data {texts['matrix']} and the derivatives "
        f"{texts['slopes']} of the losses in {names['variables']}{start}"
    )


_DEPTHS = {
    **dict.fromkeys(("bound", "component", "end", "function", "law", "loss", "lower"), 0),
    **dict.fromkeys(("potential", "slope", "to", "upper", "value"), 0),
    **dict.fromkeys(("components", "rates", "restriction", "slopes", "start"), 1),
    "matrix": 2,
}


def _domain_text(claim: Mapping[str, Any]) -> tuple[dict[str, str], str]:
    assume, bounds = {}, []
    for name, (lower, upper, *whole) in claim["ranges"].items():
        closed = [end for x, end in claim.get("closed", ()) if x == name]
        if whole:
            words = whole[0]
            if [lower, upper, *closed] == [0, None]:
                words = f"positive {words}"
            else:
                ends = [(">", lower), ("<", upper)]
                bounds += [
                    f"{name} {o}{'=' * (e in closed)} {text_of(e)}"
                    for o, e in ends
                    if e is not None
                ]
        elif [lower, upper] == [None, None]:
            words = "real"
        elif [lower, upper] == [0, None] and 0 not in closed:
            words = "positive"
        elif [lower, upper] == [None, 0] and 0 not in closed:
            words = "negative"
        else:
            left = "[" if lower is not None and lower in closed else "("
            right = "]" if upper is not None and upper in closed else ")"
            a = "-oo" if lower is None else text_of(lower)
            b = "oo" if upper is None else text_of(upper)
            words = f"{left}{a}, {b}{right}"
        assume[name] = words
    relations = [f"{text_of(t)} {o} 0" for o, t in claim["relations"]]
    return assume, " & ".join([*bounds, *relations])
