r"""Networks made of products: linear chains, factorizations, ReLU paths, convolutions, attention.

A ReLU network enters through the products of weights along its paths: on the region of one
activation pattern its output is a combination of the products along active paths, and what is
conserved for all data and losses is what all path products leave constant.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from theory.errors import ShapeError, TooLarge
from theory.flow.fields import Monomials
from theory.networks.network import Block, Network, Size, sizes

__all__ = [
    "attention",
    "circular_convolution",
    "factorization",
    "hadamard",
    "icnn",
    "linear",
    "linear_convolution",
    "nmf",
    "relu",
    "symmetric",
]

Array = NDArray[np.int64]
_MOST_TERMS = 20_000_000


def _terms(size: int, owner: Array, index: Array) -> Monomials:
    return Monomials(size, owner, (1,) * len(owner), index)


def _paths(widths: Sequence[int]) -> Array:
    """All tuples of units, one of each layer: shape (layers, paths)."""
    count = int(np.prod([float(w) for w in widths]))
    if count > _MOST_TERMS:
        raise TooLarge(f"The network has {count:,} paths; at most {_MOST_TERMS:,} can be expanded.")
    return np.indices(widths).reshape(len(widths), -1)


def _weights(widths: Sequence[int], paths: Array, offsets: Sequence[int]) -> Array:
    """The index of the weight W_l[j, i] on each step of each path, layer by layer."""
    steps = [offsets[k] + paths[k + 1] * widths[k] + paths[k] for k in range(len(widths) - 1)]
    return np.stack(steps, 1)


def _names(values: Sequence[Size]) -> str:
    return ",".join(map(str, values))


def linear(*widths: Any) -> Network:
    r"""The linear chain $x = W_L \cdots W_1$, $W_l$ of shape widths[l] × widths[l - 1].

    Parameters
    ----------
    *widths : int, str or sympy.Expr
        Input width, hidden widths, output width; symbols give laws for all sizes at once.

    Examples
    --------
    >>> linear(2, 1, 2).components
    (W1_1_1*W2_1, W1_1_2*W2_1, W1_1_1*W2_2, W1_1_2*W2_2)
    >>> linear("n", "r", "m").size
    m*r + n*r
    """
    n = sizes(widths, least=2, what="widths")
    blocks = tuple(Block(f"W{k + 1}", n[k + 1], n[k]) for k in range(len(n) - 1))
    word = tuple((b.name, False) for b in reversed(blocks))

    def expand() -> Monomials:
        w = [int(v) for v in n]
        offsets = np.concatenate([[0], np.cumsum([a * b for a, b in pairwise(w)])])
        paths = _paths(w)
        owner = paths[-1] * w[0] + paths[0]
        return _terms(int(offsets[-1]), owner, _weights(w, paths, offsets.tolist()))

    return Network(f"linear {_names(n)}", blocks, expand, (word,))


def factorization(n: Any, m: Any, r: Any) -> Network:
    r"""The factorization $X = U V^T$ with U of shape n × r and V of shape m × r.

    Examples
    --------
    >>> factorization(1, 2, 1).components
    (U_1*V_1, U_1*V_2)
    """
    a, b, c = sizes((n, m, r), least=3, what="sizes")
    blocks = (Block("U", a, c), Block("V", b, c))

    def expand() -> Monomials:
        i, j, k = np.indices((int(a), int(b), int(c))).reshape(3, -1)
        index = np.stack([i * c + k, int(a) * c + j * c + k], 1)
        return _terms(int((a + b) * c), i * b + j, index)

    return Network(f"factorization {a},{b},{c}", blocks, expand, ((("U", False), ("V", True)),))


def nmf(n: Any, m: Any, r: Any) -> Network:
    r"""Nonnegative factorization $U V^T$ under the metric diag(θ)."""
    plain = factorization(n, m, r)
    name = plain.name.replace("factorization", "nmf")
    return Network(name, plain.blocks, plain.expand, (), {}, ("U", "V"))


def symmetric(n: Any, r: Any) -> Network:
    r"""The symmetric factorization $X = U U^T$ with U of shape n × r.

    Examples
    --------
    >>> symmetric(2, 1).components
    (U_1**2, U_1*U_2, U_2**2)
    """
    a, c = sizes((n, r), least=2, what="sizes")

    def expand() -> Monomials:
        i, j, k = np.indices((int(a), int(a), int(c))).reshape(3, -1)
        keep = i <= j
        i, j, k = i[keep], j[keep], k[keep]
        pair = np.unique(i * int(a) + j, return_inverse=True)[1]
        return _terms(int(a * c), pair, np.stack([i * c + k, j * c + k], 1))

    return Network(
        f"symmetric {a},{c}", (Block("U", a, c),), expand, ((("U", False), ("U", True)),)
    )


def hadamard(d: Any, depth: Any = 2) -> Network:
    r"""Entrywise products $x = u_1 \odot \cdots \odot u_L$ in $\mathbb{R}^d$.

    Examples
    --------
    >>> hadamard(2, 3).components
    (u1_1*u2_1*u3_1, u1_2*u2_2*u3_2)
    """
    (n,) = sizes((d,), least=1, what="sizes")
    (layers,) = sizes((depth,), least=1, what="depths")
    if not (isinstance(n, int) and isinstance(layers, int)):
        raise ShapeError("Entrywise products need an integer dimension and an integer depth.")
    blocks = tuple(Block(f"u{k + 1}", n) for k in range(layers))

    def expand() -> Monomials:
        index = np.arange(n * layers, dtype=np.int64).reshape(layers, n).T
        return _terms(n * layers, np.arange(n, dtype=np.int64), index)

    return Network(f"hadamard {n},{layers}", blocks, expand)


def relu(
    *widths: Any, bias: bool = False, pattern: Sequence[Sequence[int]] | None = None
) -> Network:
    r"""A ReLU network through the products of weights along its paths.

    Parameters
    ----------
    *widths : int
        Input width, hidden widths, output width.
    bias : bool
        Whether the hidden units have biases; their paths start at the unit.
    pattern : sequence of sequences of 0 and 1, optional
        The active units of each hidden layer: the components are then the coefficients of the
        inputs and of the constant in the outputs on the region of this pattern. Without it, all
        path products are components, which is what data of all patterns see.

    Examples
    --------
    >>> relu(1, 2, 1).components
    (W1_1*W2_1_1, W1_2*W2_1_2)
    >>> relu(1, 2, 1, bias=True, pattern=[[0, 1]]).components
    (W1_2*W2_1_2, W2_1_2*b1_2)
    """
    n = sizes(widths, least=3, what="widths")
    if any(not isinstance(v, int) for v in n):
        raise ShapeError("A ReLU network needs integer widths.")
    w = [int(v) for v in n]
    active = _pattern(pattern, w)
    blocks = [Block(f"W{k + 1}", w[k + 1], w[k]) for k in range(len(w) - 1)]
    if bias:
        blocks += [Block(f"b{k}", w[k]) for k in range(1, len(w) - 1)]

    def expand() -> Monomials:
        offsets = np.concatenate([[0], np.cumsum([a * b for a, b in pairwise(w)])]).tolist()
        biases = np.concatenate([[offsets[-1]], offsets[-1] + np.cumsum(w[1:-1])]).tolist()
        size = biases[-1] if bias else offsets[-1]
        owners, indices, count = [], [], 0
        for first in range(len(w) - 1 if bias else 1):
            paths = _paths(w[first:])
            index = _weights(w[first:], paths, offsets[first:])
            if first:
                index = np.concatenate([(biases[first - 1] + paths[0])[:, None], index], 1)
            if active is None:
                owner = np.arange(len(index), dtype=np.int64)
            else:
                layers = range(max(first, 1), len(w) - 1)
                keep = np.all([active[k - 1][paths[k - first]] for k in layers], axis=0)
                start = paths[0] if not first else np.zeros_like(paths[0])
                owner = paths[-1] * w[0] + start if not first else w[0] * w[-1] + paths[-1]
                owner, index = owner[keep], index[keep]
            if active is None:
                owner = owner + count
                count += len(owner)
            owners.append(owner)
            indices.append(np.pad(index, ((0, 0), (0, len(w) - 1 - index.shape[1])),
                                  constant_values=size))  # fmt: skip
        owner = np.unique(np.concatenate(owners), return_inverse=True)[1]
        return _terms(int(size), owner, np.concatenate(indices))

    kind = "relu" + (" with bias" if bias else "")
    return Network(f"{kind} {_names(n)}", tuple(blocks), expand)


def _pattern(pattern: Any, widths: Sequence[int]) -> list[Array] | None:
    if pattern is None:
        return None
    rows = [np.asarray(p) for p in pattern]
    if len(rows) != len(widths) - 2 or any(
        r.shape != (n,) for r, n in zip(rows, widths[1:-1], strict=False)
    ):
        raise ShapeError(
            f"Expected one list of 0 and 1 for each hidden layer, of lengths {list(widths[1:-1])}."
        )
    if any(not np.isin(r, (0, 1)).all() or not r.any() for r in rows):
        raise ShapeError("Expected a pattern of 0 and 1 with an active unit in each layer.")
    return [r.astype(bool) for r in rows]


def icnn(n: Any, r: Any, m: Any, *, bias: bool = False) -> Network:
    """A two-layer ReLU network whose outer weights stay positive: metric diag(W2) on them."""
    plain = relu(n, r, m, bias=bias)
    name = plain.name.replace("relu", "icnn")
    return Network(name, plain.blocks, plain.expand, (), {}, ("W2",))


def circular_convolution(d: Any) -> Network:
    r"""The circular convolution $x_i = \sum_j u_j v_{i-j}$ in $\mathbb{R}^d$.

    Examples
    --------
    >>> circular_convolution(2).components
    (u_1*v_1 + u_2*v_2, u_1*v_2 + u_2*v_1)
    """
    (n,) = sizes((d,), least=1, what="sizes")
    if not isinstance(n, int):
        raise ShapeError("A convolution needs an integer size.")

    def expand() -> Monomials:
        i, j = np.indices((n, n)).reshape(2, -1)
        return _terms(2 * n, i, np.stack([j, n + (i - j) % n], 1))

    return Network(f"circular convolution {n}", (Block("u", n), Block("v", n)), expand)


def linear_convolution(*lengths: Any) -> Network:
    r"""The convolution of filters: the coefficients of the product of polynomials.

    Examples
    --------
    >>> linear_convolution(2, 2).components
    (u1_1*u2_1, u1_1*u2_2 + u1_2*u2_1, u1_2*u2_2)
    """
    n = sizes(lengths, least=2, what="lengths")
    if any(not isinstance(v, int) for v in n):
        raise ShapeError("A convolution needs integer lengths.")
    w = [int(v) for v in n]

    def expand() -> Monomials:
        units = _paths(w)
        offsets = np.concatenate([[0], np.cumsum(w)[:-1]])
        return _terms(sum(w), units.sum(axis=0), (units + offsets[:, None]).T)

    blocks = tuple(Block(f"u{k + 1}", v) for k, v in enumerate(w))
    return Network(f"linear convolution {_names(n)}", blocks, expand)


def attention(d: Any, k: Any, v: Any = None, *, heads: int = 1) -> Network:
    r"""Attention through what the loss sees of it: $Q_h K_h^T$ and $V_h O_h$ for each head.

    Parameters
    ----------
    d : int, str or sympy.Expr
        Dimension of the model.
    k : int, str or sympy.Expr
        Dimension of queries and keys; Q and K are d × k.
    v : int, str or sympy.Expr, optional
        Dimension of the values, k unless given; V is d × v and O is v × d.
    heads : int

    Examples
    --------
    >>> attention(2, 1).size, len(attention(2, 1).components)
    (8, 8)
    """
    size, key, value = sizes((d, k, k if v is None else v), least=3, what="sizes")
    (count,) = sizes((heads,), least=1, what="heads")
    if not isinstance(count, int):
        raise ShapeError("The number of heads is an integer.")
    suffix = [""] if count == 1 else [str(h + 1) for h in range(count)]
    blocks: list[Block] = []
    words = []
    for s in suffix:
        blocks += [Block(f"Q{s}", size, key), Block(f"K{s}", size, key)]
        blocks += [Block(f"V{s}", size, value), Block(f"O{s}", value, size)]
        words += [((f"Q{s}", False), (f"K{s}", True)), ((f"V{s}", False), (f"O{s}", False))]

    def expand() -> Monomials:
        n, a, b = int(size), int(key), int(value)
        owners: list[Array] = []
        indices: list[Array] = []
        at = 0
        for _ in range(count):
            for inner, transposed in ((a, True), (b, False)):
                i, j, e = np.indices((n, n, inner)).reshape(3, -1)
                second = j * inner + e if transposed else e * n + j
                owners.append(len(owners) * n * n + i * n + j)
                indices.append(np.stack([at + i * inner + e, at + n * inner + second], 1))
                at += 2 * n * inner
        return _terms(at, np.concatenate(owners), np.concatenate(indices))

    name = f"attention {size},{key},{value}" + (f" with {count} heads" if count > 1 else "")
    return Network(name, tuple(blocks), expand, tuple(words))
