r"""Completion of a matrix from some of its entries, by what implicit and explicit biases give.

The methods are one layer with the penalty $\|W\|_*/\|W\|_F$ under Adam, a deep linear network from
a small start, the least nuclear norm, soft-impute, and row and column effects alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from theory.errors import DataError, DomainError, ShapeError
from theory.numeric.compile import Array
from theory.numeric.matrices.completion_methods import (
    Part,
    deep,
    effects_of,
    nuclear,
    ratio,
    rmse,
    root_mean_square,
    soft_impute,
)
from theory.numeric.matrices.matrix_loss import masked, read_matrix
from theory.numeric.matrices.options import number, positive, whole
from theory.numeric.matrices.spectral import effective_rank

__all__ = ["METHODS", "Completion", "CompletionWarning", "complete"]

METHODS = ("ratio", "deep", "nuclear", "soft-impute", "bias")
_OPTIONS = {
    "ratio": ("strength", "optimizer", "steps", "start", "seed"),
    "deep": ("depth", "optimizer", "steps", "start", "seed", "loss_tol"),
    "nuclear": ("steps", "tol"),
    "soft-impute": ("strength", "steps", "tol", "seed"),
    "bias": ("strength",),
}


class CompletionWarning(UserWarning):
    """The observed entries do not determine the completion."""


@dataclass(frozen=True, eq=False)
class Completion:
    r"""A completed matrix.

    Parameters
    ----------
    matrix : ndarray, shape (m, n)
        All entries by the model, the observed ones too: with noise they should not be repeated.
    method : str
    effective_rank : float
        Of the matrix without the mean and the effects that were taken off before.
    train_error : float
        Root mean squared error on the observed entries.
    test_error : float
        The same on the entries of `test`; NaN without them.
    step : ndarray of int, shape (nt,)
    train_history, test_history : ndarray, shape (nt,)
        Root mean squared errors at the records; of `test`, empty without it.
    sigma : ndarray, shape (r, nt)
        Singular values at the records, in the units of the data.
    success : bool
    message : str
    """

    matrix: Array
    method: str
    effective_rank: float
    train_error: float
    test_error: float
    step: np.ndarray
    train_history: Array
    test_history: Array
    sigma: Array
    success: bool
    message: str


def complete(
    matrix: ArrayLike,
    method: str = "ratio",
    *,
    mask: ArrayLike | None = None,
    center: str = "none",
    clip: tuple[float, float] | None = None,
    test: ArrayLike | None = None,
    records: int = 100,
    progress: Callable[[int], None] | None = None,
    **options: Any,
) -> Completion:
    r"""Fill in the missing entries of a matrix.

    Parameters
    ----------
    matrix : array-like, shape (m, n)
        With NaN for missing entries, at least one entry observed in each row and column.
    method : str
        "ratio": $\min_W \frac{1}{|\Omega|}\|P_\Omega(W - M)\|^2 + \lambda\|W\|_*/\|W\|_F$ by Adam
        from a tiny start (``strength`` 1e-3, ``steps`` 5000, ``optimizer`` Adam(1e-2)). "deep":
        $W_L\cdots W_1$ without a penalty (``depth`` 3, ``optimizer`` GroupRMSprop(1e-3), ``steps``
        50000, ``loss_tol`` 1e-6). Of both, ``start`` is the size of the start (1e-3), and ``seed``.
        "nuclear": the least $\|W\|_*$ with $W = M$ on $\Omega$ by ADMM, with the gap to its dual
        (``steps`` 5000, ``tol`` 1e-5). "soft-impute": $\min\frac12\|P_\Omega(W - M)\|^2 +
        \lambda\|W\|_*$; ``strength`` in the units of the data, or chosen on a tenth of the
        entries. "bias": mean, row and column effects with a ridge ``strength`` (5).
    mask : array-like of bool, shape (m, n), optional
        Entries that count as observed, of those that are not NaN.
    center : str
        What is taken off before and added after: "none", "mean", or "effects" of rows and columns.
    clip : pair of float, optional
        The range of the entries.
    test : array-like, shape (m, n), optional
        Entries held out, NaN elsewhere; they are looked at for `test_history` alone.
    records : int
    progress : callable, optional
        Called with the number of steps.
    **options
        Of the method, as above.

    Returns
    -------
    Completion

    Raises
    ------
    DataError
        For a row or a column without an observed entry, or nothing to fit.
    ShapeError, DomainError
        For options that do not fit, or do not belong to the method.

    Warns
    -----
    CompletionWarning
        Where the rank that is found has more degrees of freedom, $r(m + n - r)$, than there are
        observed entries.

    References
    ----------
    Zhao, NeurIPS 2022 (ratio); Arora et al., NeurIPS 2019 (deep); Mazumder, Hastie and Tibshirani,
    JMLR 11, 2010 (soft-impute); Candès and Recht, Found. Comput. Math. 9, 2009 (nuclear).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> M = np.outer(rng.standard_normal(12), rng.standard_normal(12))
    >>> holed = np.where(rng.random((12, 12)) < 0.6, M, np.nan)
    >>> found = complete(holed)
    >>> bool(np.max(np.abs(found.matrix - M)) < 0.01), round(found.effective_rank)
    (True, 1)
    """
    M = masked(read_matrix(matrix, "matrix"), mask)
    _check(M, method, center, clip, options, records)
    held = None if test is None else _read_test(test, M)
    effects = effects_of(M, 5.0) if center == "effects" else np.zeros(M.shape)
    offset = (
        effects
        if center == "effects"
        else np.full(M.shape, float(np.nanmean(M)) if center == "mean" else 0.0)
    )
    rest = M - offset
    scale = root_mean_square(rest[~np.isnan(rest)])
    if method == "bias":
        ridge = positive("strength", options.get("strength", 5.0))
        part = Part(effects_of(M, ridge) - offset, [0], [], [], True, "Row and column effects.")
    elif not scale > 0:
        part = Part(np.zeros(M.shape), [0], [], [], True, "Nothing is left after centering.")
    else:
        solver = {
            "ratio": ratio, "deep": deep, "nuclear": nuclear, "soft-impute": soft_impute
        }[method]  # fmt: skip
        goal = None if held is None else (held - offset) / scale
        part = solver(rest / scale, scale, goal, records, progress, options)
        part = part.times(scale)
    out = offset + part.matrix
    if clip is not None:
        out = np.clip(out, *clip)
    rank = effective_rank(part.matrix) if np.any(part.matrix) else 0.0
    message = part.message
    if method != "bias":
        message += _determined(M, rank)
    return Completion(
        matrix=out,
        method=method,
        effective_rank=rank,
        train_error=rmse(out, M),
        test_error=np.nan if held is None else rmse(out, held),
        step=np.array(part.step),
        train_history=np.array(part.train),
        test_history=np.array(part.test),
        sigma=part.sigma,
        success=part.success,
        message=message,
    )


def _determined(M: Array, rank: float) -> str:
    m, n = M.shape
    seen = int(np.sum(~np.isnan(M)))
    r = max(1, round(rank))
    freedom = r * (m + n - r)
    if seen >= freedom or r == min(m, n) == 1:
        return ""
    note = (
        f"{seen} observed entries do not determine a matrix of effective rank {rank:.1f}: rank {r} "
        f"has {freedom} degrees of freedom."
    )
    warnings.warn(note, CompletionWarning, stacklevel=3)
    return " " + note


def _check(
    M: Array, method: str, center: str, clip: tuple[float, float] | None,
    options: dict[str, Any], records: int,
) -> None:  # fmt: skip
    if method not in METHODS:
        raise DomainError(f"Expected method in {METHODS} but got {method!r}.")
    if center not in ("none", "mean", "effects"):
        raise DomainError(f"Expected center 'none', 'mean' or 'effects' but got {center!r}.")
    if unknown := sorted(set(options) - set(_OPTIONS[method])):
        raise DomainError(
            f"Expected options {', '.join(_OPTIONS[method])} for the method {method!r} but got "
            f"{', '.join(unknown)}."
        )
    if clip is not None:
        try:
            low, high = (number("clip", end) for end in clip)
        except (TypeError, ValueError) as error:
            raise DomainError(f"Expected clip = (low, high) but got {clip!r}.") from error
        if not low < high:
            raise DomainError(f"Expected clip = (low, high) with low < high but got {clip!r}.")
    whole("records", records)
    seen = ~np.isnan(M)
    if not seen.any():
        raise DataError("Expected a matrix with observed entries but all of them are NaN.")
    for axis, name in ((1, "row"), (0, "column")):
        empty = np.flatnonzero(~seen.any(axis=axis))
        if empty.size:
            listed = ", ".join(map(str, empty[:5])) + (", ..." if empty.size > 5 else "")
            raise DataError(
                f"Expected an observed entry in every {name} but {name} {listed} has none, so that "
                f"nothing tells its values; leave out the {name}s without entries."
            )


def _read_test(test: ArrayLike, M: Array) -> Array:
    held = read_matrix(test, "test")
    if held.shape != M.shape:
        raise ShapeError(
            f"Expected test of the shape {M.shape} of the matrix but got {held.shape}."
        )
    both = ~np.isnan(held) & ~np.isnan(M)
    if both.any():
        i, j = np.argwhere(both)[0]
        raise DataError(
            f"Expected test entries that are missing in the matrix but [{i}, {j}] is in both."
        )
    if np.isnan(held).all():
        raise DataError("Expected test entries but all of them are NaN.")
    return held
