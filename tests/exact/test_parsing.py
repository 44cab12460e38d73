import ast
import time

import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from tests.exact import fuzz_parsing
from theory.errors import FormulaError, UnknownName
from theory.exact.parsing import names_in, parse, parse_assignments, parse_relation

x, y = sp.symbols("x y", real=True)
u, L, p, alpha = sp.symbols("u L p alpha", positive=True)
n = sp.Symbol("n", integer=True)
SYMBOLS = {s.name: s for s in (x, y, u, L, p, alpha, n)}
R = sp.Rational

ACCEPTED = {
    "x": x,
    " x ": x,
    "x + 1": x + 1,
    "x - y - 1": x - y - 1,
    "x - (y - 1)": x - y + 1,
    "-x**2": -(x**2),
    "(-x)**2": x**2,
    "x^2": x**2,
    "-x^2^3": -(x**8),
    "2**-u": 2 ** (-u),
    "x/2/3": x / 6,
    "x/(2/3)": 3 * x / 2,
    "u**L": u**L,
    "u**(2/p)": u ** (2 / p),
    "u**(2-L)": u ** (2 - L),
    "u**x": u**x,
    "(-2)**n": (-2) ** n,
    "+x": x,
    "--x": x,
    "0.1*x": x / 10,
    "1e-3": R(1, 1000),
    ".5": R(1, 2),
    "5.": sp.Integer(5),
    "2.50e1": sp.Integer(25),
    "1e300": sp.Integer(10) ** 300,
    "1e-300": R(1, 10**300),
    "0.1 + 0.2": R(3, 10),
    "pi*E": sp.pi * sp.E,
    "sin(x) + cos(x) + tan(x)": sp.sin(x) + sp.cos(x) + sp.tan(x),
    "sec(x) + csc(x) + cot(x)": sp.sec(x) + sp.csc(x) + sp.cot(x),
    "sinh(x) + cosh(x) + tanh(x)": sp.sinh(x) + sp.cosh(x) + sp.tanh(x),
    "sech(x) + csch(x) + coth(x)": sp.sech(x) + sp.csch(x) + sp.coth(x),
    "asin(x) + acos(x) + atan(x)": sp.asin(x) + sp.acos(x) + sp.atan(x),
    "asinh(x) + acosh(x) + atanh(x)": sp.asinh(x) + sp.acosh(x) + sp.atanh(x),
    "arcsin(x) + arccos(x) + arctan(x)": sp.asin(x) + sp.acos(x) + sp.atan(x),
    "arcsinh(x) + arccosh(x)": sp.asinh(x) + sp.acosh(x),
    "arctanh(x) + acoth(x) + arccoth(y)": sp.atanh(x) + sp.acoth(x) + sp.acoth(y),
    "exp(x) + E**y": sp.exp(x) + sp.exp(y),
    "log(u) + ln(L)": sp.log(u) + sp.log(L),
    "log(u, 2)": sp.log(u) / sp.log(2),
    "sqrt(x**2 + 4*alpha**4)": sp.sqrt(x**2 + 4 * alpha**4),
    "cbrt(u)": u ** R(1, 3),
    "cbrt(x)": sp.sign(x) * sp.Abs(x) ** R(1, 3),
    "cbrt(-8)": sp.Integer(-2),
    "abs(x) + Abs(y)": sp.Abs(x) + sp.Abs(y),
    "abs(3 - pi)": sp.pi - 3,
    "sign(x)*abs(x)**(1/3)": sp.sign(x) * sp.Abs(x) ** R(1, 3),
    "sign(3 - pi)": sp.Integer(-1),
    "erf(x) + erfc(x) + erfi(x)": sp.erf(x) + sp.erfc(x) + sp.erfi(x),
    "erfinv(1/2)": sp.erfinv(R(1, 2)),
    "gamma(u) + loggamma(u)": sp.gamma(u) + sp.loggamma(u),
    "gamma(5)": sp.Integer(24),
    "LambertW(u)": sp.LambertW(u),
    "LambertW(x, -1)": sp.LambertW(x, -1),
    "LambertW(x, 0)": sp.LambertW(x),
    "LambertW(-1/E)": sp.Integer(-1),
    "logistic(x)": 1 / (1 + sp.exp(-x)),
    "sigmoid(x)": 1 / (1 + sp.exp(-x)),
    "softplus(x)": sp.log(1 + sp.exp(x)),
    "Ei(u) + Si(x) + Ci(u)": sp.Ei(u) + sp.Si(x) + sp.Ci(u),
    "Shi(x) + Chi(u)": sp.Shi(x) + sp.Chi(u),
    "min(x, 1) + max(0, x, y)": sp.Min(x, 1) + sp.Max(0, x, y),
    "max(3, pi)": sp.pi,
    "sin(pi/6)": R(1, 2),
    "x\t+\ty": x + y,
    "+".join(["x"] * 290): 290 * x,
    "(" * 50 + "x" + ")" * 50: x,
}


def label(value):
    # a backslash in the name of a test does not survive the command line, where mutmut puts it
    return ascii(str(value))[1:-1].replace("\\", "/")[:30]


@pytest.mark.parametrize(("text", "expected"), ACCEPTED.items(), ids=label)
def test_formula_is_read_as_the_expression_built_by_hand(text, expected):
    assert parse(text, SYMBOLS) == expected


@pytest.mark.parametrize("text", ["x + 0.5", "1e-9*x", "2.5"])
def test_decimals_become_exact(text):
    assert not parse(text, SYMBOLS).atoms(sp.Float)


LONG = 10**5
REJECTED = [
    # not a formula
    ("", "empty"),
    ("  \t ", "empty"),
    ("x +", "Expected an operator or a value"),
    ("* x", "Expected an operator or a value"),
    ("x y", "Expected an operator or a value"),
    ("(x", "not closed"),
    ("x)", "no opening"),
    ("()", "Tuple|comma"),
    ("x, y", "comma"),
    ("x = y", "relation"),
    ("x < y < u", "relation"),
    ("007", "Expected an operator or a value"),
    # names
    ("z + 1", "Unknown name z"),
    ("alhpa*x", "Did you mean alpha"),
    ("sinus(x)", "Unknown function"),
    ("arcsinus(x)", "Did you mean arcsin"),
    ("sin + 1", "is a function"),
    ("x(y)", r"write x\*"),
    ("pi(x)", r"write pi\*"),
    ("lambda", "write lam"),
    ("lambda: 0", "write lam"),
    ("I*x", "imaginary"),
    ("oo", "not a finite number"),
    ("nan + x", "not a finite number"),
    ("S(0)", "Unknown function"),
    ("N + 1", "reserved"),
    ("None", "reserved word"),
    ("a" * 33, "32 characters"),
    ("_x", "starts with a letter"),
    ("x__y", "two underscores"),
    # arities
    ("sin()", "Expected 1 argument of sin"),
    ("sin(x, y)", "Expected 1 argument of sin"),
    ("log(x, y, u)", "1 to 2 arguments"),
    ("min(x)", "2 to 8 arguments"),
    ("LambertW(x, 1)", "branch"),
    ("log(u, 1)", "base 1"),
    ("log(u, -2)", "positive base"),
    # code
    ("__import__('os').system('true')", "starts with a letter"),
    ("().__class__.__bases__", "dot"),
    ("x.__class__", "dot"),
    ("x.diff()", "dot"),
    ("eval('1')", "Quotes"),
    ("exec(x)", "Unknown function"),
    ("open(x)", "Unknown function"),
    ("[x for x in y]", "parentheses instead"),
    ("{x: y}", "parentheses instead"),
    ("x[0]", "parentheses instead"),
    ("f'{x}'", "Quotes"),
    ("x if y else u", "reserved word"),
    ("x and y", "reserved word"),
    ("x | y", "logical"),
    ("x := 3", "not allowed"),
    ("x; y", "not allowed"),
    ("x # y", "not allowed"),
    ("x @ y", "not allowed"),
    ("x % y", "not allowed"),
    ("x // y", "Write / for division"),
    ("sin(*x)", "not allowed"),
    ("sin(x=1)", "relation"),
    ("(sin)(x)(y)", "table can be called"),
    ("x\ny", "not allowed"),
    ("x\x00", "not allowed"),
    ("x\\y", "not allowed"),
    ("\N{GREEK SMALL LETTER ALPHA}", "ASCII"),
    ("x \N{MINUS SIGN} 1", "ASCII"),
    # numbers
    ("2x", r"write 2\*x"),
    ("1_000", "plain decimal digits"),
    ("0x41", "plain decimal digits"),
    ("1j", "complex"),
    ("1e301", "between 1e-300 and 1e300"),
    ("1e999999999999", "between 1e-300 and 1e300"),
    ("0." + "1" * 41, "40 digits"),
    ("9" * 200, "512 bits"),
    ("9" * 3999, "512 bits"),
    # not real, not finite, not decidable
    ("1/0", "Division by zero"),
    ("1/(x - x)", "Division by zero"),
    ("0**-1", "Division by zero"),
    ("0**0", "undefined"),
    ("sqrt(-1)", "write cbrt"),
    ("(-8)**(1/3)", "write cbrt"),
    ("(-2)**x", "not real"),
    ("log(0)", "real and finite"),
    ("log(-1)", "real and finite"),
    ("tan(pi/2)", "real and finite"),
    ("atanh(1)", "real and finite"),
    ("asin(2)", "real and finite"),
    ("acosh(1/2)", "real and finite"),
    ("gamma(-1)", "real and finite"),
    ("erfinv(1)", "real and finite"),
    ("sqrt(2) + sqrt(3) - sqrt(5 + 2*sqrt(6))", "simplify it"),
    ("max(x*0 + sqrt(2) + sqrt(3), sqrt(5 + 2*sqrt(6)))", "which of the numbers is larger"),
    # too large
    ("x" * LONG, "4000 characters"),
    ("x" + " " * LONG, "4000 characters"),
    ("(" * 61 + "x" + ")" * 61, "deeper than 60"),
    ("-" * 100 + "x", "deeper than 60"),
    ("x**" * 100 + "x", "deeper than 60"),
    ("sin(" * 100 + "x" + ")" * 100, "deeper than 60"),
    ("+".join(["x"] * 400), "600 operations"),
    ("x**65", "exponents of at most 64"),
    ("x**40*x**40", "exponents of at most 64"),
    ("x**(1/65)", "order 64"),
    ("9**9**9**9", "exponents of at most 64"),
    ("(2*x)**64*(2**60)**64", "512 bits"),
    ("((3*x)**64)**6", "at most 64|512 bits"),
    ("1e200*1e200", "at most 1e300"),
    ("1e-200*1e-200", "at least 1e-300"),
    ("exp(1000)", "too large"),
    ("cosh(1000)", "at most 1e300"),
    ("exp(exp(exp(9)))", "too large"),
    ("exp(exp(exp(9**64)))", "too large"),
    ("exp(10**9*log(2))", "too large"),
    ("exp(10**50*log(2*x))", "exponents of at most 64"),
    ("exp(x + 10**9*log(3))", "too large"),
    ("E**(x + 10**9*log(3))", "too large"),
    ("exp(10**12*log(1 + 10**-15))", "exponents of at most 64"),
    ("3**(10**9*x)*3**(10**9 - 10**9*x)", "exponents of at most 64"),
    ("(2**u)**(10**9/u)", "exponents of at most 64"),
    ("exp(x)**(log(3)*10**9/x)", "at most 64|too large"),
    ("x**(10**9*log(3)/log(x))", "too large"),
    ("2**(10**9*(log(3) + x)/log(2))", "too large"),
    ("gamma(10**9)", "real and finite"),
    ("gamma(-10**6 - 1/2)", "real and finite"),
    ("loggamma(10**7)", "real and finite"),
    ("x**(u + 100)", "exponents of at most 64"),
    ("sin(sinh(min(x, y)**(u + 1e20)))", "exponents of at most 64"),
    ("sin(sinh(log(y)*exp(10**8*x)))", "declare the symbols"),
    ("sin(sinh((log(y) + x + y + u + n)**60))", "declare the symbols"),
]


@pytest.mark.parametrize(("text", "fragment"), REJECTED, ids=label)
def test_bad_formula_is_refused_quickly_with_the_place_and_the_way_out(text, fragment, watch):
    begin = time.perf_counter()
    with pytest.raises(FormulaError, match=fragment) as caught:
        parse(text, SYMBOLS)
    assert time.perf_counter() - begin < 1
    assert watch() == 0
    assert str(caught.value).isprintable()


@pytest.fixture(scope="module")
def _hook():
    return fuzz_parsing.Watch()


@pytest.fixture
def watch(_hook):
    """How many times something was executed since the start of the test."""
    _hook.count, _hook.active = 0, True

    def stop():
        _hook.active = False
        return _hook.count

    yield stop
    _hook.active = False


def test_the_watch_sees_evaluated_text(watch):
    eval("1 + 1")
    assert watch() == 1


@pytest.mark.parametrize("text", [None, 3, b"x", x, ["x"]])
def test_only_text_is_parsed(text):
    with pytest.raises(FormulaError, match="as text"):
        parse(text, SYMBOLS)


@pytest.mark.parametrize("symbols", [None, [x], {"x": 3}, {"x": x + 1}, {3: x}])
def test_only_symbols_can_be_declared(symbols):
    with pytest.raises(FormulaError, match="Expected"):
        parse("x", symbols)


@pytest.mark.parametrize("name", ["E", "pi", "gamma", "sin", "I", "S"])
def test_declared_symbol_never_shadows_a_function_or_constant(name):
    with pytest.raises(FormulaError, match=r"rename the symbol|cannot be used as a name"):
        parse(name, {name: sp.Symbol(name)})


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(UnknownName, match="declared are: L, alpha"):
        parse("beta", SYMBOLS)


def test_long_input_is_shortened_in_the_message():
    with pytest.raises(FormulaError) as caught:
        parse("\x1b[31m" + "x" * 3000, SYMBOLS)
    assert len(str(caught.value)) < 250
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x >= 1", (">=", x, sp.S.One)),
        ("x <= 1", ("<=", x, sp.S.One)),
        ("x > 1", (">", x, sp.S.One)),
        ("x < 1", ("<", x, sp.S.One)),
        ("x != y", ("!=", x, y)),
        ("x == y", ("==", x, y)),
        ("x = y", ("==", x, y)),
        ("x - y", ("==", x - y, sp.S.Zero)),
    ],
)
def test_relation_is_split_at_the_top_level(text, expected):
    assert parse_relation(text, SYMBOLS) == expected


@pytest.mark.parametrize("text", ["x == y == u", "x <", "< x", "sin(x < y)", "x =< y", "x <> y"])
def test_bad_relation_is_refused(text):
    with pytest.raises(FormulaError):
        parse_relation(text, SYMBOLS)


def test_names_come_in_order_of_appearance_without_functions_and_constants():
    assert names_in("c*sin(b) + pi*E*a**c >= d") == ("c", "b", "a", "d")


@pytest.mark.parametrize("text", ["S + 1", "lambda", "sin", "x.y", "I"])
def test_names_of_a_bad_formula_are_refused(text):
    with pytest.raises(FormulaError):
        names_in(text)


def test_assignments_keep_commas_of_calls_together():
    values = parse_assignments("u = alpha, v=max(2, alpha), w=-1e-3", SYMBOLS)
    assert values == {"u": alpha, "v": sp.Max(2, alpha), "w": R(-1, 1000)}


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("u", "name=formula"),
        ("u=1,", "empty entry"),
        (",u=1", "empty entry"),
        ("u==1", "name=formula"),
        ("u=", "a value after u="),
        ("u=1, v=", "a value after v="),
        ("u=1, u=2", "assigned twice"),
        ("2=u", "a name before"),
        ("u=v=1", "name=formula"),
        ("sin=1", "is a function"),
        ("lambda=1", "write lam"),
        ("u+1=2", "name=formula"),
        ("u=q", "Unknown name"),
        ("", "empty"),
    ],
)
def test_bad_assignment_is_refused(text, fragment):
    with pytest.raises(FormulaError, match=fragment):
        parse_assignments(text, SYMBOLS)


ATOMS = st.sampled_from([x, y, u, L, alpha, sp.pi, sp.E]) | st.fractions(
    min_value=-50, max_value=50, max_denominator=60
).map(lambda q: sp.Rational(q.numerator, q.denominator))
UNARY = [sp.sin, sp.cosh, sp.tanh, sp.asinh, sp.atan, sp.exp, sp.erf, sp.sech, lambda e: -e]


def combine(inner):
    exponents = st.sampled_from([sp.Integer(2), sp.Integer(-1), R(1, 2), R(-2, 3), L, 2 - L])
    return st.one_of(
        st.tuples(inner, inner).map(lambda t: t[0] + t[1]),
        st.tuples(inner, inner).map(lambda t: t[0] * t[1]),
        st.tuples(st.sampled_from([u, L, 1 + x**2, 2 + sp.sin(y)]), exponents).map(
            lambda t: t[0] ** t[1]
        ),
        st.tuples(st.sampled_from(UNARY), inner).map(lambda t: t[0](t[1])),
        st.tuples(inner, inner).map(lambda t: sp.Max(*t)),
    )


TREES = st.recursive(ATOMS, combine, max_leaves=12)


@given(TREES)
def test_printed_expression_reads_back_as_itself(expression):
    try:
        value = parse(sp.sstr(expression), SYMBOLS)
    except FormulaError as error:
        # numbers beyond the limits are refused, nothing else is
        assert any(w in str(error) for w in ("1e300", "1e-300", "too large", "zero", "larger"))
    else:
        assert value == expression


@given(st.text(alphabet="xy+-*/() 23", max_size=25))
def test_syntax_agrees_with_python(text):
    code = text.strip()
    try:
        python = ast.parse(code, mode="eval") if code else None
    except SyntaxError:
        python = None
    called = python is not None and any(
        isinstance(node, ast.Call | ast.Tuple | ast.Starred | ast.FloorDiv)
        for node in ast.walk(python)
    )
    try:
        value = parse(text, {"x": x, "y": y})
    except FormulaError:
        return
    assert python is not None and not called
    point = {"x": R(7, 3), "y": R(-5, 7)}
    exact = eval(  # the text has passed the parser
        compile(python, "<test>", "eval"), {}, point
    )
    assert sp.simplify(value.subs({x: point["x"], y: point["y"]}) - exact) == 0


def test_fuzzed_inputs_are_accepted_or_refused_and_nothing_else():
    report = fuzz_parsing.run(2000, seed=20)
    assert report.executed == 0
    assert report.others == []
    assert report.slowest < 1
    assert 0.2 < report.accept_rate < 0.5
