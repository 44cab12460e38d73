"""Builders of models that keep their structure: chains of matrices, path products, convolutions."""

from theory.networks.builders import (
    attention,
    circular_convolution,
    factorization,
    hadamard,
    icnn,
    linear,
    linear_convolution,
    nmf,
    relu,
    symmetric,
)
from theory.networks.critical_points import CriticalPoint, CriticalPoints, critical_points
from theory.networks.network import Network
from theory.networks.smooth import softmax, tanh, weight_normalization
from theory.networks.thresholds import Thresholds, thresholds
from theory.networks.words import MatrixLaw, matrix_laws

__all__ = [
    "CriticalPoint",
    "CriticalPoints",
    "MatrixLaw",
    "Network",
    "Thresholds",
    "attention",
    "circular_convolution",
    "critical_points",
    "factorization",
    "hadamard",
    "icnn",
    "linear",
    "linear_convolution",
    "matrix_laws",
    "nmf",
    "relu",
    "softmax",
    "symmetric",
    "tanh",
    "thresholds",
    "weight_normalization",
]
