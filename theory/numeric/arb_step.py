"""The length of a Taylor step in ball arithmetic, and what it missed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from flint import arb, arb_poly, fmpq

from theory.numeric.series_arb import exponent

__all__ = ["Step", "dyadic"]


class Step:
    """The choice and the check of one step."""

    def __init__(
        self,
        polynomials: list[arb_poly],
        order: int,
        bits: float,
        dual: bool,
        branch_point: Callable[[arb], bool],
    ) -> None:
        self.branch_point, self.bits = branch_point, bits
        self.order = order
        rows = [p.coeffs() for p in polynomials]
        logs = [[exponent(c) for c in row] for row in rows]
        sizes = [row[0] if row else -math.inf for row in logs]
        floor = max(sizes, default=0.0)
        if dual:
            # the dual variables start at zero, and count against one
            sizes = [max(floor, 0.0)] * len(sizes)
        else:
            # where a parameter passes through zero, it counts as much as it moves
            sizes = [
                s if s > -math.inf else max(row, default=0.0)
                for s, row in zip(sizes, logs, strict=True)
            ]
        self.sizes = sizes
        best = math.inf
        for row, size in zip(logs, sizes, strict=True):
            for k in range(order - 3, order + 1):
                if k < len(row) and row[k] > -math.inf:
                    best = min(best, (size - row[k]) / k)
        self.proposal = best - bits / order

    def length(self, left: fmpq) -> fmpq:
        """A dyadic length, at most the rest of the time."""
        if self.proposal == math.inf:
            return left
        whole = math.floor(self.proposal)
        mantissa = int(2.0 ** (self.proposal - whole) * 2**20)
        length = fmpq(mantissa) * fmpq(2) ** (whole - 20)
        length = min(length, left)
        while length > 0 and self.branch_point(arb(length)):
            length = dyadic(length * fmpq(3, 4))
        return length

    def missed(
        self,
        new: Sequence[arb],
        slope: Sequence[arb],
        rate: Sequence[arb],
        length: arb,
    ) -> arb | None:
        """An estimate of the error of the step; None when it is far above what was intended."""
        total = arb(0)
        for value, a, b, size in zip(new, slope, rate, self.sizes, strict=True):
            # the first term that is left out grows like s^order in the derivative
            miss = abs(a - b).abs_upper() * length / (self.order + 1)
            if not miss < arb(2) ** (size - self.bits + 10):
                return None
            total += (2 * miss + arb(value.rad())) ** 2
        return arb(total.sqrt().abs_upper())


def dyadic(value: fmpq) -> fmpq:
    """A dyadic number with 20 bits, at most the value: sums of such lengths stay short."""
    shift = 20 - (int(value.p).bit_length() - int(value.q).bit_length())
    scaled = value * fmpq(2) ** shift
    return fmpq(int(scaled.p) // int(scaled.q)) / fmpq(2) ** shift
