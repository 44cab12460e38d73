"""Generated code against the mirror flow's values, at extreme arguments."""

import types

import numpy as np
import pytest
import sympy as sp

import theory as th
from theory.errors import FormulaError, NotClosedForm
from theory.show.stable import expm1, hypot, log1p, rewrite

alpha = sp.Symbol("alpha", positive=True)
RHO = th.Elementwise("u**2 - v**2", "u, v")


@pytest.fixture(scope="module")
def mirror():
    return th.GradientFlow(RHO).mirror({"u": alpha, "v": alpha})


def run(source, **modules):
    space = dict(modules)
    text = source if not modules else source.replace("import ", "# import ")
    exec(text, space)
    return space


@pytest.fixture(scope="module")
def code(mirror):
    return run(mirror.to_code("numpy"))


def test_huge_start_does_not_cancel_to_zero(code):
    # F = x^2/(16 a^2) (1 - x^2/(48 a^4) + ...)
    assert code["regularizer"](1.0, 1e4) == pytest.approx(1 / 16e8, rel=1e-12)


@pytest.mark.parametrize("a", [1e-100, 1e-8, 1.0, 1e4])
def test_entropy_is_accurate_over_24_decades(mirror, code, a):
    xs = np.concatenate([-np.logspace(-12, 12, 25), np.logspace(-12, 12, 25)])
    for kind, name in (("potential", "regularizer"), ("gradient", "regularizer_gradient")):
        true = [
            float(mirror.value(kind, sp.Rational(float(x)), dps=20, at={"alpha": sp.Rational(a)}))
            for x in xs
        ]
        assert np.allclose(code[name](xs, a), true, rtol=1e-12, atol=0)


def test_value_at_the_start_is_zero(code):
    assert code["regularizer"](0.0, 1.0) == 0.0
    assert code["regularizer_gradient"](0.0, 1e-8) == 0.0


@pytest.mark.parametrize(
    ("formula", "names", "start", "options"),
    [
        ("u**2", "u", {"u": alpha}, {}),
        ("u**3", "u", {"u": alpha}, {"assume": {"u": "positive"}}),
        ("sinh(u)", "u", {"u": 0}, {}),
        ("u**L", "u", {"u": alpha}, {"assume": {"u": "positive", "L": "(2, oo)"}}),
    ],
    ids=["u**2", "u**3", "sinh", "u**L"],
)
def test_code_is_generated_and_runs(formula, names, start, options):
    source = th.GradientFlow(th.Elementwise(formula, names, **options)).mirror(start).to_code()
    assert callable(run(source)["regularizer"])


def test_torch_and_jax_sources_compute_the_same(mirror, code):
    # stand-ins with NumPy's functions under the names of the other libraries
    fake = types.SimpleNamespace(
        **{n: getattr(np, n) for n in ("abs", "sqrt", "hypot", "where")},
        asinh=np.arcsinh,
        float64=np.float64,
        as_tensor=lambda x, dtype=None, device=None: Tensor(x),
    )

    class Tensor(np.ndarray):
        def __new__(cls, x):
            return np.asarray(x, dtype=np.float64).view(cls)

        device = None

        def is_floating_point(self):
            return True

    xs = np.array([-3.0, 0.5, 2.0])
    torch = run(mirror.to_code("torch"), torch=fake)["regularizer"](xs, 0.1)
    jax = run(mirror.to_code("jax"), jnp=np)["regularizer"](xs, 0.1)
    assert np.allclose(torch, code["regularizer"](xs, 0.1), rtol=1e-14)
    assert np.allclose(jax, code["regularizer"](xs, 0.1), rtol=1e-14)


def test_rewrites_keep_the_value():
    x, a = sp.symbols("x a", positive=True)
    assert rewrite(sp.log(1 + x)) == log1p(x)
    assert rewrite(a * sp.exp(x) - a) == a * expm1(x)
    assert rewrite(1 / sp.sqrt(x**2 + 4 * a**4)) == 1 / hypot(x, 2 * a**2)
    assert rewrite(sp.sqrt(x**2 + a)) in (sp.sqrt(x**2 + a), hypot(x, sp.sqrt(a)))


def test_unknown_target_and_open_forms_are_errors(mirror):
    with pytest.raises(FormulaError, match="target"):
        mirror.to_code("fortran")
    open_form = th.GradientFlow(th.Elementwise("u*v*w", "u, v, w"))
    with pytest.raises(NotClosedForm):
        open_form.mirror({"u": 1, "v": 1, "w": 2}).to_code()
