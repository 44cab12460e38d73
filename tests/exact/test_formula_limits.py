"""The limits of a formula from both sides, and its numbers against mpmath."""

from __future__ import annotations

import mpmath
import pytest
import sympy as sp

from theory.errors import FormulaError
from theory.exact._formula_functions import enclose_number
from theory.exact.balls import precision
from theory.exact.parsing import (
    _expansion,
    names_in,
    parse,
    parse_assignments,
    parse_relation,
    partial_operations,
)

x, y = sp.symbols("x y", real=True)
u, v = sp.symbols("u v", positive=True)
q = sp.Symbol("q", nonpositive=True)
n = sp.Symbol("n", integer=True)
c = sp.Symbol("c")
SYMBOLS = {s.name: s for s in (x, y, u, v, q, n, c)}
R = sp.Rational

A, B = 2**400 - 1, 2**400 - 3  # three of them make exactly 1200 bits
NEAR_ONE = f"({A}/{B})*({A}/{B})*({A}/{B})"

# the last formula that is accepted, and the first one that is not
LIMITS = {
    "integer, 512 bits": (str(2**512 - 1), str(2**512)),
    "decimal, 40 digits": ("0." + "1" * 39, "0." + "1" * 40),
    "decimal, 40 digits without a zero": ("." + "1" * 40, "." + "1" * 41),
    "decimal exponent, upwards": ("1e300", "1e301"),
    "decimal exponent, upwards, as typed": ("0.1e300", "0.1e301"),
    "decimal exponent, downwards": ("1e-300", "1e-301"),
    "digits of a decimal exponent": ("1e00009", "1e000009"),
    "number, upwards": ("9.99e299", "1.01e300"),
    "number, downwards": ("1.01e-300", "0.99e-300"),
    "negative number, upwards": ("-9.99e299", "-1.01e300"),
    "negative number, downwards": ("-1.01e-300", "-0.99e-300"),
    "product of numbers": ("x*1e150*1e149*1e-280", "x*1e150*1e151*1e-280"),
    "quotient of numbers": ("1e150/1e-149", "1e150/1e-151"),
    "rational, 1200 bits": (NEAR_ONE, f"{NEAR_ONE}*({A}/{B})"),
    "rational, 1200 bits of the numerator": (
        NEAR_ONE,
        f"({2**401 - 1}/{B})*({A}/{B})*({A}/{B})",
    ),
    "rational, 1200 bits of the denominator": (
        NEAR_ONE,
        f"({A}/{2**401 - 1})*({A}/{B})*({A}/{B})",
    ),
    "rational coefficient, 1200 bits": (f"x*{NEAR_ONE}", f"x*{NEAR_ONE}*({A}/{B})"),
    "power, upwards": ("x**64", "x**65"),
    "power, downwards": ("x**-64", "x**-65"),
    "power of a number": ("2**64", "2**65"),
    "power, added to a symbol": ("u**(v + 64)", "u**(v + 65)"),
    "power, subtracted from a symbol": ("u**(v - 64)", "u**(v - 65)"),
    "power of a power": ("(u**8)**8", "(u**8)**9"),
    "powers in a product": ("u**32*u**32", "u**32*u**33"),
    "power of e by a number": ("E**64", "E**65"),
    "power of e by a real number": ("E**(64*pi/4)", "E**(83*pi/4)"),
    "root": ("u**(1/64)", "u**(1/65)"),
    "root of a root": ("sqrt(u**(1/32))", "sqrt(u**(1/33))"),
    "bits of a power": ("255**64", "256**64"),
    "bits of a power of a quotient": ("(1/255)**64", "(1/256)**64"),
    "bits of a negative power": ("255**-64", "256**-64"),
    "bits of a power of a power": ("((15*u)**8)**8", "((16*u)**13)**8"),
    "exponential, upwards": ("exp(689)", "exp(690)"),
    "exponential, downwards": ("exp(-689)", "exp(-690)"),
    "exponential of a sum": ("exp(x + 689)", "exp(x + 690)"),
    "exponential of a difference": ("exp(x - 689)", "exp(x - 690)"),
    "exponential of a logarithm": ("exp(64*log(u))", "exp(65*log(u))"),
    "softplus": ("softplus(689)", "softplus(691)"),
    "sigmoid": ("sigmoid(-689)", "sigmoid(-691)"),
    "power that is an exponential": ("u**(64*log(3)/log(u))", "u**(65*log(3)/log(u))"),
    "gamma": ("gamma(64)", "gamma(65)"),
    "gamma of a half": ("gamma(-63/2)", "gamma(-129/2)"),
    "loggamma": ("loggamma(64)", "loggamma(65)"),
    "characters": ("x" + " " * 3999, "x" + " " * 4000),
    "name": ("a" * 32, "a" * 33),
    "parentheses": ("(" * 60 + "x" + ")" * 60, "(" * 61 + "x" + ")" * 61),
    "signs": ("-" * 59 + "x", "-" * 60 + "x"),
    "calls": ("Abs(" * 59 + "u" + ")" * 59, "Abs(" * 60 + "u" + ")" * 60),
    "operations and values": ("-" + "+".join(["x"] * 300), "--" + "+".join(["x"] * 300)),
    "terms": ("+".join(["x"] * 300), "+".join(["x"] * 301)),
    "arguments": (f"max({','.join('xyuvnxyu')})", f"max({','.join('xyuvnxyuv')})"),
    "smallest number of arguments": ("log(u)", "log()"),
    "cancelling sum": ("1 + 1e-48 - 1", "sqrt(2) - sqrt(2 + 1e-49)"),
    "base of a logarithm": ("log(u, 1e-9)", "log(u, 0)"),
    "power of zero": ("0**(1/2)", "0**(-1/2)"),
    "power of a negative number": ("(-2)**n", "(-2)**x"),
    "power of a negative number by a number": ("(-2)**3", "(-2)**(1/3)"),
}


@pytest.mark.parametrize("name", LIMITS)
def test_the_limit_itself_is_accepted_and_the_next_one_refused(name: str) -> None:
    accepted, refused = LIMITS[name]
    names = {"a" * 32: x, "a" * 33: x} | SYMBOLS
    parse(accepted, names)
    with pytest.raises(FormulaError):
        parse(refused, names)


# formula in one number, and the same in mpmath
NUMBERS = {
    "sin(2)": lambda m: m.sin(2),
    "cos(2)": lambda m: m.cos(2),
    "tan(2)": lambda m: m.tan(2),
    "sec(2)": lambda m: m.sec(2),
    "csc(2)": lambda m: m.csc(2),
    "cot(2)": lambda m: m.cot(2),
    "sinh(-2)": lambda m: m.sinh(-2),
    "cosh(-2)": lambda m: m.cosh(-2),
    "tanh(-2)": lambda m: m.tanh(-2),
    "sech(-2)": lambda m: m.sech(-2),
    "csch(-2)": lambda m: m.csch(-2),
    "coth(-2)": lambda m: m.coth(-2),
    "asin(1/3)": lambda m: m.asin(m.mpf(1) / 3),
    "acos(1/3)": lambda m: m.acos(m.mpf(1) / 3),
    "atan(1/3)": lambda m: m.atan(m.mpf(1) / 3),
    "asinh(1/3)": lambda m: m.asinh(m.mpf(1) / 3),
    "acosh(3)": lambda m: m.acosh(3),
    "atanh(1/3)": lambda m: m.atanh(m.mpf(1) / 3),
    "acoth(3)": lambda m: m.acoth(3),
    "exp(3)": lambda m: m.exp(3),
    "exp(-1/3)": lambda m: m.exp(-m.mpf(1) / 3),
    "log(3)": lambda m: m.log(3),
    "log(3, 7)": lambda m: m.log(3) / m.log(7),
    "log(8, 2)": lambda m: m.mpf(3),
    "log(2, 1/8)": lambda m: -m.mpf(1) / 3,
    "sqrt(3)": lambda m: m.sqrt(3),
    "cbrt(3)": lambda m: m.cbrt(3),
    "cbrt(-3)": lambda m: -m.cbrt(3),
    "cbrt(1/3)": lambda m: m.cbrt(m.mpf(1) / 3),
    "cbrt(0)": lambda m: m.mpf(0),
    "cbrt(sqrt(2) - 2)": lambda m: -m.cbrt(2 - m.sqrt(2)),
    "cbrt(sqrt(2)/5)": lambda m: m.cbrt(m.sqrt(2) / 5),
    "abs(-3)": lambda m: m.mpf(3),
    "abs(0)": lambda m: m.mpf(0),
    "abs(sqrt(2) - pi)": lambda m: m.pi - m.sqrt(2),
    "abs(pi - sqrt(2))": lambda m: m.pi - m.sqrt(2),
    "sign(-3)": lambda m: m.mpf(-1),
    "sign(0)": lambda m: m.mpf(0),
    "sign(pi - 22/7)": lambda m: m.mpf(-1),
    "sign(1/3)": lambda m: m.mpf(1),
    "sign(-1/3)": lambda m: m.mpf(-1),
    "sign(22/7 - pi)": lambda m: m.mpf(1),
    "erf(1/3)": lambda m: m.erf(m.mpf(1) / 3),
    "erfc(1/3)": lambda m: m.erfc(m.mpf(1) / 3),
    "erfi(1/3)": lambda m: m.erfi(m.mpf(1) / 3),
    "erfinv(1/3)": lambda m: m.erfinv(m.mpf(1) / 3),
    "gamma(1/3)": lambda m: m.gamma(m.mpf(1) / 3),
    "gamma(6)": lambda m: m.mpf(120),
    "gamma(-1/2)": lambda m: m.gamma(-m.mpf(1) / 2),
    "loggamma(1/3)": lambda m: m.loggamma(m.mpf(1) / 3),
    "LambertW(3)": lambda m: m.lambertw(3).real,
    "LambertW(-1/4)": lambda m: m.lambertw(-m.mpf(1) / 4).real,
    "LambertW(-1/4, 0)": lambda m: m.lambertw(-m.mpf(1) / 4).real,
    "LambertW(-1/4, -1)": lambda m: m.lambertw(-m.mpf(1) / 4, -1).real,
    "LambertW(-1/E)": lambda m: m.mpf(-1),
    "LambertW(-1/E, -1)": lambda m: m.mpf(-1),
    "LambertW(-exp(-1), 0)": lambda m: m.mpf(-1),
    "sigmoid(3)": lambda m: 1 / (1 + m.exp(-3)),
    "sigmoid(-3)": lambda m: 1 / (1 + m.exp(3)),
    "softplus(3)": lambda m: m.log(1 + m.exp(3)),
    "softplus(-3)": lambda m: m.log(1 + m.exp(-3)),
    "Ei(3)": lambda m: m.ei(3),
    "Si(3)": lambda m: m.si(3),
    "Ci(3)": lambda m: m.ci(3),
    "Shi(3)": lambda m: m.shi(3),
    "Chi(3)": lambda m: m.chi(3),
    "min(3, 1, 2)": lambda m: m.mpf(1),
    "max(1, 3, 2)": lambda m: m.mpf(3),
    "min(1, 2, 3)": lambda m: m.mpf(1),
    "max(3, 2, 1)": lambda m: m.mpf(3),
    "min(22/7, pi, 4)": lambda m: m.pi,
    "max(3, pi, 3)": lambda m: m.pi,
    "max(sqrt(2), sqrt(2), 1)": lambda m: m.sqrt(2),
    "max(-1/3, -1/2)": lambda m: -m.mpf(1) / 3,
    "2**pi": lambda m: m.mpf(2) ** m.pi,
    "2**-pi": lambda m: m.mpf(2) ** -m.pi,
    "pi**(2/3)": lambda m: m.pi ** (m.mpf(2) / 3),
    "pi**-3": lambda m: m.pi**-3,
    "0**pi": lambda m: m.mpf(0),
    "0**(1/2)": lambda m: m.mpf(0),
    "0**3": lambda m: m.mpf(0),
    "(-3)**3": lambda m: m.mpf(-27),
    "(-3)**-2": lambda m: m.mpf(1) / 9,
    "(1 - pi)**3": lambda m: (1 - m.pi) ** 3,
    "1/pi - 3/E*pi": lambda m: 1 / m.pi - 3 / m.e * m.pi,
    "2 - pi - E": lambda m: 2 - m.pi - m.e,
    "2 - (pi - E)": lambda m: 2 - m.pi + m.e,
    "-pi + 3": lambda m: 3 - m.pi,
    "+pi": lambda m: +m.pi,
    "pi/2/E": lambda m: m.pi / 2 / m.e,
    "pi/(2/E)": lambda m: m.pi / (2 / m.e),
    "exp(log(3) + 2*log(5) - 1)": lambda m: 75 / m.e,
    "12.5e-1": lambda m: m.mpf(5) / 4,
    "1E2": lambda m: m.mpf(100),
    "1e+2": lambda m: m.mpf(100),
    ".25": lambda m: m.mpf(1) / 4,
    "0e300": lambda m: m.mpf(0),
    "00.5": lambda m: m.mpf(1) / 2,
}


@pytest.mark.parametrize("text", NUMBERS)
def test_a_number_is_read_as_mpmath_computes_it(text: str) -> None:
    expr = parse(text, {})
    with mpmath.workdps(60):
        expected = NUMBERS[text](mpmath)
        found = mpmath.mpf(str(expr.evalf(55)))
        assert abs(found - expected) <= mpmath.mpf(10) ** -50 * (1 + abs(expected))
        # and SymPy's value is not what the limits are checked with
        with precision(200):
            ball = enclose_number(expr)
        assert abs(mpmath.mpf(ball.str(55, radius=False)) - expected) <= mpmath.mpf(10) ** -45


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cbrt(q)", -((-q) ** R(1, 3))),
        ("cbrt(u)", u ** R(1, 3)),
        ("cbrt(x)", sp.sign(x) * sp.Abs(x) ** R(1, 3)),
        ("log(u, 3)", sp.log(u) / sp.log(3)),
        ("log(3, u)", sp.log(3) / sp.log(u)),
        ("log(u, v)", sp.log(u) / sp.log(v)),
        ("logistic(u)", 1 / (1 + sp.exp(-u))),
        ("softplus(u)", sp.log(1 + sp.exp(u))),
        ("abs(u)", u),
        ("x - y - u", x - y - u),
        ("x/y/u*v", x * v / (y * u)),
        ("x*y/u/v", x * y / (u * v)),
        ("3*x*2/4", 3 * x / 2),
        ("0*x", sp.S.Zero),
        ("x - x + 2", sp.Integer(2)),
        ("2*exp(x)*3*exp(-x)", sp.Integer(6)),
        ("max(u, 2, u)", sp.Max(u, 2)),
        ("LambertW(u, 0)", sp.LambertW(u)),
    ],
)
def test_formula_in_symbols(text: str, expected: sp.Expr) -> None:
    assert parse(text, SYMBOLS) == expected


def test_the_absolute_value_of_what_may_be_complex_stays_as_it_is() -> None:
    inside = sp.log(c) + sp.sqrt(c)
    assert parse("abs(log(c) + sqrt(c))", SYMBOLS) == sp.Abs(inside, evaluate=False)
    assert parse("cbrt(log(x))", SYMBOLS) == sp.sign(sp.log(x)) * sp.Abs(
        sp.log(x), evaluate=False
    ) ** R(1, 3)


@pytest.mark.parametrize(
    ("text", "left", "right"),
    [
        ("x + 1", (), ()),
        ("x/x", (1 / x,), ()),
        ("x**2", (), ()),
        ("x**0", (), ()),
        ("1 + sqrt(x)**2", (sp.sqrt(x),), ()),
        ("x**-1 > y**-2", (1 / x,), (y**-2,)),
        ("1 > log(y)", (), (sp.log(y),)),
        ("log(x) - log(x) == sin(y)", (sp.log(x),), (sp.sin(y),)),
        ("exp(log(x)) = 1/3", (sp.log(x), x), ()),
        ("u**v", (u**v,), ()),
        ("log(x, x)", (sp.log(x), 1 / sp.log(x)), ()),
        ("log(3, x)", (sp.log(3) / sp.log(x), sp.log(x), 1 / sp.log(x)), ()),
        ("log(3)", (), ()),
    ],
)
def test_what_a_side_was_typed_with(
    text: str, left: tuple[sp.Expr, ...], right: tuple[sp.Expr, ...]
) -> None:
    assert partial_operations(text, SYMBOLS) == (left, right)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("b + a + b", ("b", "a")),
        ("a < b", ("a", "b")),
        ("b*(a + 1) == c", ("b", "a", "c")),
        ("sin(z)*gamma(pi) + E", ("z",)),
        ("f1_2^ab", ("f1_2", "ab")),
        ("3", ()),
    ],
)
def test_names_in_the_order_of_their_first_appearance(text: str, names: tuple[str, ...]) -> None:
    assert names_in(text) == names


def test_relations_and_assignments_read_tabs_and_carets() -> None:
    assert parse_relation("x^2\t>=\ty", SYMBOLS) == (">=", x**2, y)
    assert parse_relation("(x + 1)*(y) <= 2", SYMBOLS) == ("<=", (x + 1) * y, 2)
    assert parse_assignments("a=x^2, b\t=\tmax(x, (y))", SYMBOLS) == {
        "a": x**2,
        "b": sp.Max(x, y),
    }


# the number of terms of the expanded form, or the degree in a power of a symbol
EXPANSIONS = {
    x: 1,
    x + y + 1: 3,
    (x + y) * (x + y + 1): 6,
    (x + y + 1) ** 3: 10,
    (x + y + u) ** -2: 6,
    x**7: 7,
    u**5: 5,
    u ** (3 * x): 3,
    u ** (x / 2): 1,
    u ** (x - 4): 4,
    (x + y) ** (3 * n): 4,
    sp.exp(4 * x): 4,
    sp.sin(x + y): 2,
    # a function that may be complex counts twice, for its real and its imaginary part
    sp.log(x): 2,
    sp.log(x) + y: 3,
    sp.Max(x, x + y): 2,
    x**30: 30,
    x**31: 31,
    x**32: 31,
    (x + y) ** 29: 30,
    (x + y) ** 30: 31,
    (x + y + u) ** 7: 31,
    (x + y + u) ** 6: 28,
    sum(sp.symbols("k:40")): 31,
    (x + 1) ** 5 * (y + 1) ** 5: 31,
}


@pytest.mark.parametrize("e", EXPANSIONS, ids=str)
def test_size_of_the_expanded_form(e: sp.Expr) -> None:
    assert _expansion(e) == EXPANSIONS[e]


def test_the_argument_of_a_hyperbolic_function_may_have_thirty_terms() -> None:
    # log(x) may be complex, and counts as two
    fits = "sinh(log(x)*(y + 1)**14)"  # 2*15
    parse(fits, SYMBOLS)
    with pytest.raises(FormulaError, match="declare the symbols"):
        parse(fits.replace("14", "15"), SYMBOLS)
    parse(fits.replace("15", "14").replace("x", "u"), SYMBOLS)
    parse("sinh((u + 1)**40)", SYMBOLS)
    parse("Abs(log(x)*(y + 1)**40)", SYMBOLS)
