"""Every result of matrix products renders itself, and its derivation does, with any symbols."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

from theory import networks as n

a, b = sp.symbols("alpha beta", positive=True)
RESULTS = {
    "balancedness": lambda: n.balancedness("L", a),
    "singular values": lambda: n.singular_value_flow("N", a, b),
    "mode": lambda: n.mode_equation("L", a, b),
    "time": lambda: n.mode_time("L", a),
    "time, elementary": lambda: n.mode_time(3, a, above=True),
    "solution": lambda: n.mode_solution(a, b),
    "unbalanced": lambda: n.mode_solution(a, b, imbalance=1),
    "escape": lambda: n.origin_escape("L", a, b),
    "escape, two layers": lambda: n.origin_escape(2, a, b),
    "Schatten": lambda: n.schatten([a, b]),
    "thresholds": lambda: n.thresholds("L", a),
    "ratio": lambda: n.ratio_penalty([a, b]),
    "ratio flow": lambda: n.ratio_flow([3, 2, 2, 0], a),
    "predictor": lambda: n.predictor_norm([a, -b], "L", 1),
    "largest entry": lambda: n.predictor_norm([a, -b], 2, sp.oo),
    "plateau": lambda: n.plateaus([2, 1])[0],
    "critical points": lambda: n.critical_points([2, 1], 0.1, depth=3),
    "critical point": lambda: n.critical_points([2, 1], 0.1, depth=3)["BS"],
    "two layers": lambda: n.two_layer_solution(np.eye(2), np.eye(2) / 2, np.eye(2) / 2),
}


@pytest.mark.parametrize("name", RESULTS)
def test_result_renders_itself(name):
    result = RESULTS[name]()
    text = str(result)
    assert text
    assert "Dummy" not in text
    if hasattr(result, "_repr_latex_"):
        latex = result._repr_latex_()
        assert latex.startswith("$")
        assert latex.endswith("$")
        assert latex.count("{") == latex.count("}")
    if hasattr(result, "derivation"):
        derivation = result.derivation
        assert derivation.identities_proved
        assert f"\n{len(derivation.steps)}. " in str(derivation)
        document = derivation.to_latex(document=True)
        assert document.count("{") == document.count("}")
        assert document.isascii()
        assert derivation.to_markdown().startswith("## ")
        assert len(derivation.to_dict()["steps"]) == len(derivation.steps)
