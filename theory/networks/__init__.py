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
from theory.networks.network import Network
from theory.networks.smooth import softmax, tanh, weight_normalization
from theory.networks.words import MatrixLaw, matrix_laws

__all__ = [
    "MatrixLaw",
    "Network",
    "attention",
    "circular_convolution",
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
    "weight_normalization",
]
