"""Pictures are drawn without a display and without global state."""

import io

import pytest
import sympy as sp

import theory as th

pytest.importorskip("matplotlib")

from theory.show.plots import regularizer_figure

alpha = sp.Symbol("alpha", positive=True)


def test_figure_has_a_curve_for_every_start():
    mirror = th.GradientFlow(th.Elementwise("u**2 - v**2", "u, v")).mirror({"u": alpha, "v": alpha})
    figure = regularizer_figure(mirror, "alpha", [1, sp.Rational(1, 10)])
    assert [len(axes.lines) for axes in figure.axes] == [2, 2]
    buffer = io.BytesIO()
    figure.savefig(buffer)
    assert buffer.getvalue().startswith(b"\x89PNG")
