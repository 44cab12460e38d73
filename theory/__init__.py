"""Derives, proves and tests the implicit bias of gradient flow.

The public names load the module behind them on first use, so that ``import theory`` itself costs
next to nothing.

>>> import theory as th
>>> print(th.prove("asinh(t) - log(t + sqrt(t**2 + 1))", assume={"t": "real"}).status)
PROVED
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from theory import errors, networks
    from theory.claims.certificate import certificate
    from theory.claims.conjecture import Conjecture, read_conjectures
    from theory.claims.convexity import convex
    from theory.claims.integral import integral_is
    from theory.claims.limit import limit_is
    from theory.claims.limit_claims import limit_point_is
    from theory.claims.lyapunov import decreases
    from theory.claims.properties import (
        conserved,
        is_legendre,
        is_mirror_potential,
        monotone,
    )
    from theory.claims.prove import prove
    from theory.claims.replay import replay
    from theory.claims.search import search
    from theory.claims.trajectory import drift_at_most, enclose, passes
    from theory.errors import TheoryError
    from theory.exact.verdict import Certificate, Status, Verdict
    from theory.flow import links, losses
    from theory.flow.coupled import Coupled
    from theory.flow.coupled_laws import replay_laws
    from theory.flow.parametrization import Elementwise
    from theory.gradient_flow import GradientFlow, Mirror
    from theory.mirror.design import Design, design
    from theory.mirror.isotropic import IsotropicMetric
    from theory.networks import norms
    from theory.numeric import optimizers
    from theory.numeric.batch import Batch
    from theory.numeric.margins.classification import Classification
    from theory.numeric.margins.framework import from_jax, from_torch
    from theory.numeric.margins.homogeneous_network import HomogeneousNetwork
    from theory.numeric.margins.margin_run import MarginWatch, compare_margins
    from theory.numeric.margins.max_margin import max_margin, predictor_margin
    from theory.numeric.margins.samples import read_samples
    from theory.numeric.matrices import spectral
    from theory.numeric.matrices.completion import complete
    from theory.numeric.matrices.completion_methods import hold_out
    from theory.numeric.matrices.greedy import greedy_low_rank
    from theory.numeric.matrices.linear_network import LinearNetwork
    from theory.numeric.matrices.matrix_files import read_incomplete, read_ratings
    from theory.numeric.matrices.matrix_loss import MatrixLoss
    from theory.numeric.problem import Regression
    from theory.numeric.sweep import SweepTable, sweep
    from theory.numeric.table import expand_products, read_table
    from theory.show.code import to_code
    from theory.show.derivation import Derivation
    from theory.weight_normalization import WeightNormalization

__all__ = [
    "Batch",
    "Certificate",
    "Classification",
    "Conjecture",
    "Coupled",
    "Derivation",
    "Design",
    "Elementwise",
    "GradientFlow",
    "HomogeneousNetwork",
    "IsotropicMetric",
    "LinearNetwork",
    "MarginWatch",
    "MatrixLoss",
    "Mirror",
    "Regression",
    "Status",
    "SweepTable",
    "TheoryError",
    "Verdict",
    "WeightNormalization",
    "__version__",
    "certificate",
    "compare_margins",
    "complete",
    "conserved",
    "convex",
    "decreases",
    "design",
    "drift_at_most",
    "enclose",
    "errors",
    "expand_products",
    "from_jax",
    "from_torch",
    "greedy_low_rank",
    "hold_out",
    "integral_is",
    "is_legendre",
    "is_mirror_potential",
    "limit_is",
    "limit_point_is",
    "links",
    "losses",
    "max_margin",
    "monotone",
    "networks",
    "norms",
    "optimizers",
    "passes",
    "predictor_margin",
    "prove",
    "read_conjectures",
    "read_incomplete",
    "read_ratings",
    "read_samples",
    "read_table",
    "replay",
    "replay_laws",
    "search",
    "spectral",
    "sweep",
    "to_code",
]

__version__ = "0.1.0"

_HOME = {
    "Batch": "theory.numeric.batch",
    "Classification": "theory.numeric.margins.classification",
    "Certificate": "theory.exact.verdict",
    "Conjecture": "theory.claims.conjecture",
    "Coupled": "theory.flow.coupled",
    "Derivation": "theory.show.derivation",
    "Design": "theory.mirror.design",
    "Elementwise": "theory.flow.parametrization",
    "GradientFlow": "theory.gradient_flow",
    "HomogeneousNetwork": "theory.numeric.margins.homogeneous_network",
    "IsotropicMetric": "theory.mirror.isotropic",
    "LinearNetwork": "theory.numeric.matrices.linear_network",
    "MarginWatch": "theory.numeric.margins.margin_run",
    "MatrixLoss": "theory.numeric.matrices.matrix_loss",
    "Mirror": "theory.gradient_flow",
    "Regression": "theory.numeric.problem",
    "Status": "theory.exact.verdict",
    "SweepTable": "theory.numeric.sweep",
    "TheoryError": "theory.errors",
    "Verdict": "theory.exact.verdict",
    "WeightNormalization": "theory.weight_normalization",
    "certificate": "theory.claims.certificate",
    "compare_margins": "theory.numeric.margins.margin_run",
    "complete": "theory.numeric.matrices.completion",
    "conserved": "theory.claims.properties",
    "convex": "theory.claims.convexity",
    "decreases": "theory.claims.lyapunov",
    "design": "theory.mirror.design",
    "drift_at_most": "theory.claims.trajectory",
    "enclose": "theory.claims.trajectory",
    "expand_products": "theory.numeric.table",
    "from_jax": "theory.numeric.margins.framework",
    "from_torch": "theory.numeric.margins.framework",
    "greedy_low_rank": "theory.numeric.matrices.greedy",
    "hold_out": "theory.numeric.matrices.completion_methods",
    "integral_is": "theory.claims.integral",
    "is_legendre": "theory.claims.properties",
    "is_mirror_potential": "theory.claims.properties",
    "limit_is": "theory.claims.limit",
    "limit_point_is": "theory.claims.limit_claims",
    "max_margin": "theory.numeric.margins.max_margin",
    "monotone": "theory.claims.properties",
    "passes": "theory.claims.trajectory",
    "predictor_margin": "theory.numeric.margins.max_margin",
    "prove": "theory.claims.prove",
    "read_conjectures": "theory.claims.conjecture",
    "read_incomplete": "theory.numeric.matrices.matrix_files",
    "read_ratings": "theory.numeric.matrices.matrix_files",
    "read_samples": "theory.numeric.margins.samples",
    "read_table": "theory.numeric.table",
    "replay": "theory.claims.replay",
    "replay_laws": "theory.flow.coupled_laws",
    "search": "theory.claims.search",
    "sweep": "theory.numeric.sweep",
    "to_code": "theory.show.code",
}
_MODULES = {
    "errors": "theory.errors",
    "links": "theory.flow.links",
    "losses": "theory.flow.losses",
    "networks": "theory.networks",
    "norms": "theory.networks.norms",
    "optimizers": "theory.numeric.optimizers",
    "spectral": "theory.numeric.matrices.spectral",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        value: Any = import_module(_MODULES[name])
    elif name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
    else:
        raise AttributeError(f"module 'theory' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
