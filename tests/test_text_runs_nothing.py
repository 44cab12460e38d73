"""Wherever a formula or a number may be text, the text is parsed and never run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sympy as sp

import theory as th
from theory.mirror.isotropic import IsotropicMetric

NET = th.networks
s = sp.Symbol("s", positive=True)


def coupled() -> th.GradientFlow:
    return th.GradientFlow(th.Coupled(["u*v"], "u, v"))


DOORS: dict[str, Callable[[Any], Any]] = {
    "rates of blocks": lambda v: NET.linear(2, 2, 1).with_rates({"W1": v}),
    "rates of parameters": lambda v: th.Coupled(["u*v"], "u, v", rates=[v, 1]),
    "inputs": lambda v: NET.tanh(1, [v]),
    "sizes": lambda v: NET.linear(v, 2, 2),
    "components": lambda v: th.Coupled([v], "u"),
    "friction": lambda v: coupled().conservation_laws(momentum=v),
    "decay": lambda v: coupled().conservation_laws(weight_decay=v),
    "metric": lambda v: coupled().conservation_laws(metric=[v, 1]),
    "data": lambda v: coupled().conservation_laws(data=[[v]]),
    "ansatz": lambda v: coupled().conservation_laws(ansatz=[v]),
    "law": lambda v: th.conserved(v, coupled()),
    "start of a structure": lambda v: coupled().structure({"u": v, "v": 1}),
    "leaf": lambda v: coupled().structure({"u": 1, "v": 1}, leaf={"u": v, "v": 1}),
    "warp": lambda v: IsotropicMetric(s, 1 / s, s).warp(v),
    "eta": lambda v: th.WeightNormalization(2, eta=v),
    "depth": lambda v: th.WeightNormalization(v),
    "potential": lambda v: th.WeightNormalization(3).potential([v, 1]),
    "divergence": lambda v: th.WeightNormalization(3).bregman([v, 1], [1, 1]),
    "magnification": lambda v: th.WeightNormalization(3).magnification(v, 1),
    "matrix of invariants": lambda v: th.WeightNormalization(3).invariants([[v, 1]], [1, 1]),
    "depth of a chain": lambda v: NET.thresholds(v),
    "decay of a chain": lambda v: NET.balancedness(3, v),
    "singular values": lambda v: NET.critical_points([v], 1),
    "threshold": lambda v: NET.mode_time(3, v),
    "value in time": lambda v: NET.mode_time(3, 1).between(v, 0.5),
    "start of a mode": lambda v: NET.mode_solution(1, v),
    "imbalance": lambda v: NET.mode_solution(1, 1, imbalance=v),
    "escape": lambda v: NET.origin_escape(3, v),
    "time of a phase": lambda v: NET.ratio_flow([2, 1], 1).phases[0].at(v),
    "time of a flow": lambda v: NET.ratio_flow([2, 1], 1).at(v),
    "basis": lambda v: NET.schatten([1], 2).factors([[v]], [[1]]),
    "predictor": lambda v: NET.predictor_norm([v], 2),
    "power": lambda v: NET.schatten_norm([2, 1], v),
    "points of a pattern": lambda v: NET.critical_points([2, 1], 0.1)[v],
    "exponent of a norm": lambda v: th.norms.lp(v),
    "name of a norm": lambda v: th.norms.read_norm(v),
    "formula of a norm": lambda v: th.norms.formula(v, "x, y"),
    "variable of a norm": lambda v: th.norms.formula("abs(x)", v),
    "point of a ball": lambda v: th.norms.unit_ball([[v, 1], [1, 0]]),
    "entry of a norm": lambda v: th.norms.l2().value([v, 1]),
    "entry of a gradient": lambda v: th.norms.l1().direction([v, 1]),
    "formula of a degree": lambda v: NET.homogeneity(v, "u"),
    "parameter of a degree": lambda v: NET.homogeneity("u*v", [v]),
    "degree of a margin": lambda v: NET.margin_growth(v),
    "degree of a rate": lambda v: NET.margin_rates(v),
    "degree of an alignment": lambda v: NET.alignment(v),
    "degree of stationarity": lambda v: NET.stationarity(v),
    "activation": lambda v: th.HomogeneousNetwork.two_layer(2, 3, v),
    "widths": lambda v: th.HomogeneousNetwork.deep([2, v, 1]),
    "labels": lambda v: th.Classification([[1.0], [2.0]], [v, 1]),
    "rate of descent": lambda v: th.optimizers.Steepest("l2", rate=v),
    "completed matrix": lambda v: th.complete([[v]]),
    "strength": lambda v: th.complete([[1.0]], strength=v),
    "point of invariants": lambda v: th.WeightNormalization(3).invariants([[1, 1]], [v, 1]),
}


class Text:
    """An object whose text is code."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__


@pytest.mark.parametrize("kind", [str, Text])
@pytest.mark.parametrize("door", DOORS)
def test_code_is_refused(door: str, kind: type, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with pytest.raises(th.TheoryError):
        DOORS[door](kind(f"__import__('pathlib').Path({str(mark)!r}).touch()"))
    assert not mark.exists()


def test_text_is_a_formula() -> None:
    assert NET.linear(2, 2, 1).with_rates({"W1": "2*k"}).rates[0] == 2 * sp.Symbol(
        "k", positive=True
    )
    assert NET.tanh(1, ["1/2"]).components[0].has(sp.tanh)
    a, b = sp.symbols("a b", positive=True)
    model = th.WeightNormalization(2)
    assert model.potential(["a", "b"]) == model.potential([a, b])
    assert model.invariants([["1", 1.0]], ["a", b]) == model.invariants([[1, 1]], [a, b])
