"""What the reader of a refused formula sees: the reason, the place, and the way out, in full."""

from __future__ import annotations

import re

import flint
import pytest
import sympy as sp

from tests.exact.test_parsing import label
from theory.errors import FormulaError, UnknownName
from theory.exact._formula_text import snippet
from theory.exact.parsing import (
    FUNCTIONS,
    _guarded,
    names_in,
    parse,
    parse_assignments,
    partial_operations,
)
from theory.exact.parsing import parse_relation as relation

x, y, w = sp.symbols("x y w", real=True)
u, alpha = sp.symbols("u alpha", positive=True)
SYMBOLS = {s.name: s for s in (x, y, w, u, alpha)}
ROOTS = "sqrt(2) + sqrt(3) - sqrt(5 + 2*sqrt(6))"
NESTED = "The formula is nested deeper than 60 levels"

# text -> the message before the final 'in "text".'
REFUSED = {
    # sizes
    "x + E**(10**5)": 'Expected exponents of at most 64, at "E**(10**5)"',
    "x + exp(10**5*log(2))": 'The exponential is too large, at "exp(10**5*log(2))"',
    "x + 3**(10**9/log(3))": 'The exponential is too large, at "3**(10**9/log(3))"',
    "x + softplus(10**5)": 'The exponential is too large, at "softplus(10**5)"',
    "x + sinh(1000)": 'Expected numbers of at most 1e300 in absolute value, at "sinh(1000)"',
    "x + gamma(200)": 'Cannot prove that this number is real and finite, at "gamma(200)"',
    "x + (1e-160)**(2)": 'The power has more than 512 bits, at "(1e-160)**(2)"',
    # numbers
    "1.5j*x": '"1.5j" is complex; formulas are real, at "j*x"',
    "2J": '"2J" is complex; formulas are real, at "J"',
    "x + 2x": 'Expected a number or a product but got "2x"; write 2*x, at "2x"',
    "2jet": 'Expected a number or a product but got "2jet"; write 2*jet',
    "x + 0x41": 'Expected a number or a product but got "0x41"; write plain decimal digits, '
    'at "0x41"',
    "7_000": 'Expected a number or a product but got "7_000"; write plain decimal digits',
    "x + 1e301": 'Expected a decimal between 1e-300 and 1e300, at "1e301"',
    "x + 1e-301": 'Expected a decimal between 1e-300 and 1e300, at "1e-301"',
    # syntax
    "x // y": 'Write / for division; // is not allowed, at "// y"',
    "x + )": 'A closing parenthesis has no opening one, at ")"',
    "x + (y": "A parenthesis is not closed",
    "x + 'a'": "Quotes are not allowed in a formula, at \"'a'\"",
    'x + "a"': 'Quotes are not allowed in a formula, at ""a""',
    "x + `a`": 'Quotes are not allowed in a formula, at "`a`"',
    "x + [1]": 'Use parentheses instead of [, at "[1]"',
    "x + {1}": 'Use parentheses instead of {, at "{1}"',
    "(x]": 'Use parentheses instead of ], at "]"',
    "(x}": 'Use parentheses instead of }, at "}"',
    "x & y": 'A formula has no logical operators, at "& y"',
    "x | y": 'A formula has no logical operators, at "| y"',
    "x + ~y": 'A formula has no logical operators, at "~y"',
    "~y": "A formula has no logical operators",
    "x.y": 'A dot is allowed inside of a number only, at ".y"',
    "x; y": 'The character ";" is not allowed in a formula, at "; y"',
    "x + \N{GREEK SMALL LETTER ALPHA}": r'Write "\u03b1" in ASCII, for example alpha, **, sqrt(x), '
    r'at "\u03b1"',
    "x +": 'Expected an operator or a value near "x +"',
    "x*y + 3*y u": 'Expected an operator or a value near " 3*y u"',
    "x = 1": 'Expected a formula but got a relation with =, at "= 1"',
    "1 <= x": 'Expected a formula but got a relation with <=, at "<= x"',
    "y + (1, 2)": 'A comma may separate the arguments of a function only, at "(1, 2)"',
    "x + sin(*y)": 'Starred is not allowed in a formula, at "*y"',
    # names
    "x + lambda": 'lambda is reserved; write lam, at "lambda"',
    "x and y": 'and is a reserved word and cannot be a name, at "and y"',
    "x + _y": 'Expected a name that starts with a letter but got "_y", at "_y"',
    "x + y__z": 'A name must not contain two underscores in a row: "y__z", at "y__z"',
    "1 + " + "a" * 33: f'Expected a name of at most 32 characters but got "{"a" * 33}", '
    f'at "{"a" * 33}"',
    "x + gamma": "gamma is a function: write gamma(...), or rename the symbol",
    "x + arcsin": "arcsin is a function: write arcsin(...), or rename the symbol",
    "x + S": "S is reserved; it cannot be used as a name",
    "x + I": "I is the imaginary unit, and formulas are real; it cannot be used as a name",
    "x + oo": "oo is not a finite number; it cannot be used as a name",
    "x + zoo": "zoo is not a finite number; it cannot be used as a name",
    "x + nan": "nan is not a finite number; it cannot be used as a name",
    "x + inf": "inf is not a finite number; it cannot be used as a name",
    # calls
    "x(y) + 1": 'x is not a function; write x*(...) for a product, at "x(y)"',
    "1 + pi(2)": 'pi is not a function; write pi*(...) for a product, at "pi(2)"',
    "1 + sin(x)(y)": "Only a function of the table can be called; write * for a product, "
    'at "sin(x)(y)"',
    "x + sin()": 'Expected 1 argument of sin, at "sin()"',
    "x + min(y)": 'Expected 2 to 8 arguments of min, at "min(y)"',
    "x + log()": 'Expected 1 to 2 arguments of log, at "log()"',
    "x + LambertW(u, 1)": 'Expected the branch 0 or -1 of LambertW, at "LambertW(u, 1)"',
    "x + log(u, 1)": 'The logarithm has no base 1, at "log(u, 1)"',
    "x + log(2, -3)": 'Expected a positive base of the logarithm, at "log(2, -3)"',
    "x + log(u, -3)": 'Expected a positive base of the logarithm, at "log(u, -3)"',
    "x + log(u, 0)": 'Expected a positive base of the logarithm, at "log(u, 0)"',
    # values
    "1 + x/0": 'Division by zero, at "0"',
    "1 + x/(y - y)": 'Division by zero, at "y - y"',
    "x + 0**-2": 'Division by zero, at "0**-2"',
    "x + 0**0": '0**0 is undefined, at "0**0"',
    "x + (-8)**(1/3)": "This power of a negative number is not real; write cbrt(x), or "
    'sign(x)*abs(x)**(1/3), at "(-8)**(1/3)"',
    "x + sqrt(-2)": "This power of a negative number is not real; write cbrt(x), or "
    'sign(x)*abs(x)**(1/3), at "sqrt(-2)"',
    "1 + (-2)**x": "A power of a negative number with a real exponent is not real, "
    'at "(-2)**x"',
    "x + log(0)": 'Cannot prove that this number is real and finite, at "log(0)"',
    "x + atanh(2)": 'Cannot prove that this number is real and finite, at "atanh(2)"',
    "x + y**65": 'Expected exponents of at most 64, at "y**65"',
    "x + y**(u + 65)": 'Expected exponents of at most 64, at "y**(u + 65)"',
    "x + E**65": 'Expected exponents of at most 64, at "E**65"',
    "x + E**(21*pi)": 'Expected exponents of at most 64, at "E**(21*pi)"',
    "x + y**(1/65)": 'Expected roots of at most order 64, at "y**(1/65)"',
    "x + 256**64": 'The power has more than 512 bits, at "256**64"',
    "x + exp(1000)": 'The exponential is too large, at "exp(1000)"',
    "x + exp(1000 + y)": 'The exponential is too large, at "exp(1000 + y)"',
    "x + sigmoid(-1000)": 'The exponential is too large, at "sigmoid(-1000)"',
    "x + softplus(1000)": 'The exponential is too large, at "softplus(1000)"',
    "x + 1e200*1e200": 'Expected numbers of at most 1e300 in absolute value, at "1e200*1e200"',
    "x + 1e-200*1e-200": "Expected numbers of at least 1e-300 in absolute value, or zero, "
    'at "1e-200*1e-200"',
    "x + 0.1e-300": "Expected numbers of at least 1e-300 in absolute value, or zero, "
    'at "0.1e-300"',
    "x + (u**8)**9": 'Expected exponents of at most 64, at "(u**8)**9"',
    "x + u**40*u**40": 'Expected exponents of at most 64, at "u**40*u**40"',
    "1 + u**(999*log(3)/log(u))": 'The exponential is too large, at "u**(999*log(3)/log(u))"',
    "1 + log(0, u)": 'Expected a finite real value, at "log(0, u)"',
    "x*sin(y*acosh(1 + 1/10**30))": "SymPy takes the number "
    "acosh(1000000000000000000000000000001/1000000000000000000000000000000) for zero; "
    'simplify it, at "sin(y*acosh(1 + 1/10**30))"',
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), REFUSED.items(), ids=label)
def test_message_of_a_refused_formula(text: str, message: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse(text, SYMBOLS)
    assert str(caught.value) == f"{message} in {snippet(text)}."


# the text itself is too long to be shown whole
LONG = {
    "x+" + "9" * 155: f'Expected an integer of at most 512 bits, at {snippet("9" * 155)}',
    "x+0." + "1" * 41: 'Expected a decimal of at most 40 digits, at "0.' + "1" * 41 + '"',
    "(" * 61 + "x" + ")" * 61: f'{NESTED}, at "(x' + ")" * 55 + '..."',
    "-" * 61 + "x": f'{NESTED}, at "-x"',
    "+".join(["x"] * 301): "Expected at most 600 operations and values",
    f"1 + max(x*0 + {ROOTS[:17]}, sqrt(5 + 2*sqrt(6)))": "Cannot decide which of the numbers is "
    'larger, at "max(x*0 + sqrt(2) + sqrt(3), sqrt(5 + 2*sqrt(6)))"',
    f"1 + sign({ROOTS})": "Cannot decide whether this number is zero; simplify it, "
    f'at "{ROOTS}"',
    "1 + sin(sinh(log(y)*exp(10**8*x)))": "The argument of sinh is too large for a value that may "
    "be not real; declare the symbols in it as positive, "
    'at "sinh(log(y)*exp(10**8*x))"',
    "x" * 4001: "Expected at most 4000 characters but got 4001",
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), LONG.items(), ids=label)
def test_message_of_a_long_formula(text: str, message: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse(text, SYMBOLS)
    assert str(caught.value) == f"{message} in {snippet(text)}."


@pytest.mark.parametrize("text", ["", " ", "\t "])
def test_message_of_an_empty_formula(text: str) -> None:
    with pytest.raises(FormulaError, match=r"^Expected a formula but got an empty text\.$"):
        parse(text, SYMBOLS)


def test_unknown_names_come_with_the_known_ones_and_a_near_one() -> None:
    with pytest.raises(UnknownName) as caught:
        parse("alhpa + x", SYMBOLS)
    assert str(caught.value) == (
        'Unknown name alhpa in "alhpa + x"; declared are: alpha, u, w, x, y. Did you mean alpha?'
    )
    with pytest.raises(UnknownName, match=r'Unknown name q in "q"; declared are: x\.$'):
        parse("q", {"x": x})
    with pytest.raises(UnknownName, match=r'Unknown name q in "q"; declared are: none\.$'):
        parse("q", {})
    with pytest.raises(UnknownName, match=r"Did you mean pi\?$"):
        parse("ppi", {"x": x})


def test_at_most_twenty_known_names_are_listed() -> None:
    many = {f"k{i:02}": sp.Symbol(f"k{i:02}", real=True) for i in range(30)}
    with pytest.raises(UnknownName) as caught:
        parse("zz", many)
    assert str(caught.value) == (
        f'Unknown name zz in "zz"; declared are: {", ".join(sorted(many)[:20])}.'
    )


def test_unknown_functions_come_with_the_known_ones_and_a_near_one() -> None:
    with pytest.raises(UnknownName) as caught:
        parse("x + sinus(y)", SYMBOLS)
    assert str(caught.value) == (
        f'Unknown function "sinus" in "x + sinus(y)"; known are: {", ".join(FUNCTIONS)}. '
        "Did you mean sin?"
    )
    with pytest.raises(UnknownName, match=r"known are: Abs, .*, tanh\.$"):
        parse("qqqq(x)", SYMBOLS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("u", 'Expected name=formula, such as u=alpha, but got "u"'),
        ("u=1, w == 2", 'Expected name=formula, such as u=alpha, but got "w == 2"'),
        ("u=1, w + 1=2", 'Expected name=formula, such as u=alpha, but got "w + 1=2"'),
        ("u=1,", "Expected name=formula, such as u=alpha, but got an empty entry"),
        ("2=u", "Expected a name before '=' but got \"2\""),
        ("u=", "Expected a value after u="),
        ("u=1, u=2", "The name u is assigned twice"),
        ("sin=1", "sin is a function: write sin(...), or rename the symbol"),
    ],
)
def test_message_of_a_refused_assignment(text: str, message: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse_assignments(text, SYMBOLS)
    assert str(caught.value) == f'{message} in "{text}".'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x == y == u", 'Expected one relation but got several, at "== u"'),
        ("x =< y", 'Expected one relation but got several, at "< y"'),
        ("x <", "A side of the relation is empty"),
        ("< x", "A side of the relation is empty"),
        ("sin(x < y)", 'A relation cannot stand inside of parentheses, at "< y)"'),
        ("x < 1 + z(1)", None),
    ],
)
def test_message_of_a_refused_relation(text: str, message: str | None) -> None:
    with pytest.raises(FormulaError) as caught:
        relation(text, SYMBOLS)
    if message is not None:
        assert str(caught.value) == f'{message} in "{text}".'
    else:
        assert str(caught.value).startswith('Unknown function "z"')


def test_a_name_that_cannot_be_one_is_shown_in_its_formula() -> None:
    with pytest.raises(FormulaError) as caught:
        names_in("x + gamma > 1")
    assert str(caught.value) == (
        'gamma is a function: write gamma(...), or rename the symbol in "x + gamma > 1".'
    )


@pytest.mark.parametrize(
    ("symbols", "message"),
    [
        (None, "Expected a mapping from names to symbols but got NoneType."),
        ([x], "Expected a mapping from names to symbols but got list."),
        ({"x": 3}, 'Expected names mapped to SymPy symbols but got "x" mapped to a int.'),
        ({3: x}, 'Expected names mapped to SymPy symbols but got "3" mapped to a Symbol.'),
    ],
)
def test_message_of_bad_symbols(symbols: object, message: str) -> None:
    for read in (parse, relation, parse_assignments):
        with pytest.raises(FormulaError) as caught:
            read("x=1", symbols)  # type: ignore[arg-type]
        assert str(caught.value) == message


def test_message_of_what_is_no_text() -> None:
    for read in (parse, relation, parse_assignments):
        with pytest.raises(FormulaError, match=r"^Expected a formula as text but got int\.$"):
            read(3, SYMBOLS)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("E", "E is a constant; rename the symbol"),
        ("pi", "pi is a constant; rename the symbol"),
        ("I", "I is the imaginary unit, and formulas are real; it cannot be used as a name"),
    ],
)
def test_message_of_a_symbol_with_a_taken_name(name: str, reason: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse(name, {name: sp.Symbol(name)})
    assert str(caught.value) == f'{reason} in "{name}".'
    with pytest.raises(FormulaError, match=r"sin is a function; rename the symbol, at"):
        parse("1 + sin(x)", {"x": x, "sin": sp.Symbol("sin")})


def test_any_other_exception_becomes_one_of_ours_and_the_precision_comes_back() -> None:
    before = flint.ctx.prec
    with pytest.raises(FormulaError) as caught:
        _guarded("x + y", lambda: 1 // 0)
    assert str(caught.value) == 'Cannot read "x + y" as a real formula (ZeroDivisionError).'
    assert _guarded("x", lambda: flint.ctx.prec) > 600
    assert flint.ctx.prec == before


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("x + y", '"x + y"'),
        ("x" * 60, '"' + "x" * 60 + '"'),
        ("x" * 61, '"' + "x" * 57 + '..."'),
        ("x" * 5000, '"' + "x" * 57 + '..."'),
        ("\N{GREEK SMALL LETTER ALPHA}\n", r'"\u03b1\n"'),
        ("a\\b", r'"a\b"'),
        # sixty characters of the text fit, and their escapes do not
        ("\n" * 31, '"' + r"\n" * 28 + '\\..."'),
    ],
)
def test_a_snippet_is_printable_and_short(text: str, shown: str) -> None:
    assert snippet(text) == shown
    assert shown.isprintable() and len(shown) <= 62


@pytest.mark.parametrize(
    ("text", "value"),
    [("max(1, 1, 2)", 2), ("min(3, 3, 2)", 2), ("max(2, 1, 2, 3, 1)", 3), ("min(1, 2, 1, 0)", 0)],
)
def test_equal_arguments_of_extremes_do_not_end_the_search(text: str, value: int) -> None:
    assert parse(text, {}) == value


def test_text_is_shown_when_something_else_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("theory.exact.parsing.syntax_tree", broken)
    for read, text in ((parse, "2*x"), (relation, "2 < x"), (partial_operations, "2 < x")):
        with pytest.raises(FormulaError, match=f"Cannot read {re.escape(snippet(text))} as "):
            read(text, SYMBOLS)
    with pytest.raises(FormulaError, match='Cannot read "2 == x"'):
        names_in("2 == x")
    with pytest.raises(FormulaError, match='Cannot read "u=x"'):
        parse_assignments("u=x", SYMBOLS)


def test_sigmoid_of_large_numbers() -> None:
    for text in ("sigmoid(10**5)", "sigmoid(-10**5)"):
        with pytest.raises(FormulaError, match="exponential is too large"):
            parse(text, {})
    parse("sigmoid(-x)", {"x": sp.Symbol("x", real=True)})


@pytest.mark.parametrize(
    ("length", "shown"),
    [(60, '"' + "+" * 60 + '"'), (61, "+" * 57 + "...")],
)
def test_long_text_is_cut(length: int, shown: str) -> None:
    assert shown in snippet("+" * length)
