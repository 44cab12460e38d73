"""Models that keep their structure: builders, and the laws and closed forms of matrix products."""

from theory.networks.alignment import Alignment, alignment
from theory.networks.balancedness import Balancedness, balancedness
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
from theory.networks.homogeneity import Homogeneity, homogeneity
from theory.networks.margin_growth import MarginGrowth, margin_growth
from theory.networks.margin_rates import MarginRates, margin_rates
from theory.networks.mode_equation import ModeEquation, mode_equation
from theory.networks.mode_solution import ModeSolution, mode_solution
from theory.networks.mode_time import ModeTime, mode_time
from theory.networks.network import Network
from theory.networks.origin_escape import OriginEscape, escape_direction, origin_escape
from theory.networks.plateaus import Plateau, plateaus
from theory.networks.predictor_norm import PredictorNorm, predictor_norm
from theory.networks.ratio_flow import RatioFlow, ratio_flow
from theory.networks.ratio_penalty import RatioPenalty, ratio_penalty, ratio_penalty_gradient
from theory.networks.schatten import Schatten, balanced_factors, schatten
from theory.networks.singular_value_flow import SingularValueFlow, singular_value_flow
from theory.networks.smooth import softmax, tanh, weight_normalization
from theory.networks.spectrum import effective_rank, schatten_norm
from theory.networks.stationarity import Stationarity, stationarity
from theory.networks.thresholds import Thresholds, thresholds
from theory.networks.two_layer_solution import TwoLayerSolution, two_layer_solution
from theory.networks.words import MatrixLaw, matrix_laws

__all__ = [
    "Alignment",
    "Balancedness",
    "CriticalPoint",
    "CriticalPoints",
    "Homogeneity",
    "MarginGrowth",
    "MarginRates",
    "MatrixLaw",
    "ModeEquation",
    "ModeSolution",
    "ModeTime",
    "Network",
    "OriginEscape",
    "Plateau",
    "PredictorNorm",
    "RatioFlow",
    "RatioPenalty",
    "Schatten",
    "SingularValueFlow",
    "Stationarity",
    "Thresholds",
    "TwoLayerSolution",
    "alignment",
    "attention",
    "balanced_factors",
    "balancedness",
    "circular_convolution",
    "critical_points",
    "effective_rank",
    "escape_direction",
    "factorization",
    "hadamard",
    "homogeneity",
    "icnn",
    "linear",
    "linear_convolution",
    "margin_growth",
    "margin_rates",
    "matrix_laws",
    "mode_equation",
    "mode_solution",
    "mode_time",
    "nmf",
    "origin_escape",
    "plateaus",
    "predictor_norm",
    "ratio_flow",
    "ratio_penalty",
    "ratio_penalty_gradient",
    "relu",
    "schatten",
    "schatten_norm",
    "singular_value_flow",
    "softmax",
    "stationarity",
    "symmetric",
    "tanh",
    "thresholds",
    "two_layer_solution",
    "weight_normalization",
]
