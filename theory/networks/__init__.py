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
from theory.networks.predictor_norm import PredictorNorm, predictor_norm
from theory.networks.ratio_flow import RatioFlow, ratio_flow
from theory.networks.ratio_penalty import RatioPenalty, ratio_penalty, ratio_penalty_gradient
from theory.networks.smooth import softmax, tanh, weight_normalization
from theory.networks.spectrum import effective_rank, schatten_norm
from theory.networks.thresholds import Thresholds, thresholds
from theory.networks.words import MatrixLaw, matrix_laws

__all__ = [
    "CriticalPoint",
    "CriticalPoints",
    "MatrixLaw",
    "Network",
    "PredictorNorm",
    "RatioFlow",
    "RatioPenalty",
    "Thresholds",
    "attention",
    "circular_convolution",
    "critical_points",
    "effective_rank",
    "factorization",
    "hadamard",
    "icnn",
    "linear",
    "linear_convolution",
    "matrix_laws",
    "nmf",
    "predictor_norm",
    "ratio_flow",
    "ratio_penalty",
    "ratio_penalty_gradient",
    "relu",
    "schatten_norm",
    "softmax",
    "symmetric",
    "tanh",
    "thresholds",
    "weight_normalization",
]
