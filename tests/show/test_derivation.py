"""Derivations: their steps, and their renderings as text, Markdown, LaTeX and data."""

import json
import re
import shutil
import subprocess

import pytest
import sympy as sp

import theory as th
from theory.exact.markup import escape

alpha = sp.Symbol("alpha", positive=True)


def derivation(formula, names, start, **options):
    return th.GradientFlow(th.Elementwise(formula, names, **options)).mirror(start).derivation


CASES = {
    "difference of squares": ("u**2 - v**2", "u, v", {"u": alpha, "v": alpha}),
    "square": ("u**2", "u", {"u": alpha}),
    "product of three": ("u*v*w", "u, v, w", {"u": 1, "v": 1, "w": 2}),
    "sine": ("sin(u)", "u", {"u": 0}),
    "odd names": ("a_1**2 - percent**2", "a_1, percent", {"a_1": 1, "percent": 1}),
}


@pytest.fixture(scope="module", params=CASES, ids=list(CASES))
def derived(request):
    return derivation(*CASES[request.param])


def test_steps_are_numbered_and_reasoned(derived):
    assert [s.number for s in derived.steps] == list(range(1, len(derived.steps) + 1))
    assert all(s.reason and s.statement for s in derived.steps)


def test_every_step_is_in_every_rendering(derived):
    for text in (str(derived), derived.to_markdown(), derived.to_latex()):
        assert all(escape(s.title) in text or s.title in text for s in derived.steps)
    json.dumps(derived.to_dict(), allow_nan=False)


def test_latex_is_balanced_and_escaped(derived):
    text = derived.to_latex(document=True)
    assert text.isascii()
    plain = re.sub(r"\\[{}]", "", text)
    assert plain.count("{") == plain.count("}")
    begins = re.findall(r"\\begin\{(\w+)\}", text)
    assert sorted(begins) == sorted(re.findall(r"\\end\{(\w+)\}", text))
    assert text.count("\\[") == text.count("\\]")
    outside = re.sub(r"\\\[.*?\\\]", "", text, flags=re.DOTALL)
    assert not re.search(r"(?<!\\)[_^%&#$~]", outside)
    assert "\n\n" not in "".join(re.findall(r"\\\[.*?\\\]", text, flags=re.DOTALL))


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_latex_compiles(derived, tmp_path):
    (tmp_path / "d.tex").write_text(derived.to_latex(document=True))
    subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "d.tex"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )


def test_derivation_of_hyperbolic_entropy_names_its_limits():
    text = str(derivation(*CASES["difference of squares"]))
    assert "u*v = alpha**2" in text
    assert "F''(x) = 1/(4*sqrt(4*alpha**4 + x**2))" in text
    assert "= Abs(x)" in text


def test_missing_closed_form_is_said():
    text = str(derivation(*CASES["product of three"]))
    assert "no closed form" in text.lower()


def test_escape_covers_every_special_character():
    assert escape("\\{}$&#_%~^<>|") == (
        r"\textbackslash{}\{\}\$\&\#\_\%\textasciitilde{}\textasciicircum{}\textless{}"
        r"\textgreater{}\textbar{}"
    )


def test_limit_that_leaves_out_a_constant_says_so():
    # D_F = (x - alpha)^2/2 = alpha^2/2 - alpha x + ...
    text = str(derivation("u", "u", {"u": alpha}))
    assert "/alpha = -x" in text and "alpha**2/2 does not depend on x" in text
    assert "lim [alpha -> 0] 2*D_F(x, x_0) = x**2" in text
