"""Which matrix products a training step or a user vector takes, how many of their FLOP are of use, and what they cost.

Of use is what no padding and no later click has part in. Counted are the encoder's linear layers, its attention and
the scores, where they `are_counted`. Shape letters: B rows, L positions, D width, H heads, K width of a head.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from recsys.model.retriever import Retriever, RetrieverConfig
from recsys.nn.mixers.attention import SoftmaxAttention
from recsys.nn.mixers.rotary import RotaryAttention

TIMED_SECONDS = 0.15


@dataclass(frozen=True)
class Product:
    """[batch, m, k] @ [batch, k, n], `repeats` of them, of whose FLOP `useful` are of use."""

    shape: tuple[int, int, int]
    useful: float
    batch: int = 1


@dataclass(frozen=True)
class BatchShape:
    """A batch as it is on average. `pairs` counts each click with each one it may read."""

    rows: int
    width: int
    clicks: float
    pairs: float

    @classmethod
    def of(cls, lengths: NDArray[np.int64], num_batches: int, num_tokens: int) -> "BatchShape":
        """`lengths` of all windows, which lie in so many batches of, together, so many positions."""
        rows = max(1, round(len(lengths) / num_batches))
        pairs = float((lengths * (lengths + 1) / 2).sum())
        width = max(1, round(num_tokens / num_batches / rows))
        return cls(rows, width, float(lengths.sum()) / num_batches, pairs / num_batches)

    @property
    def tokens(self) -> int:
        return self.rows * self.width


def are_counted(config: RetrieverConfig) -> bool:
    """Whether all that such an encoder multiplies is known here."""
    is_stack = config.depth.kind == "stack" and config.feedforward.chunks == 1 and config.layer_drop == 0
    return is_stack and config.mixer.kind in ("softmax", "rotary") and config.target.is_causal


def linear_products(layers: Iterable[nn.Linear], tokens: int, useful_tokens: float) -> list[Product]:
    """Forward only."""
    return [
        Product((tokens, layer.in_features, layer.out_features), 2 * useful_tokens * layer.weight.numel())
        for layer in layers
    ]


def attention_products(mixer: SoftmaxAttention, shape: BatchShape) -> list[Product]:
    """Forward only: scores, and the weighted sum of the values."""
    width = mixer.to_out.in_features // mixer.num_heads
    useful, batch = 2 * width * mixer.num_heads * shape.pairs, shape.rows * mixer.num_heads
    return [
        Product((shape.width, width, shape.width), useful, batch),
        Product((shape.width, shape.width, width), useful, batch),
    ]


def training_products(
    retriever: Retriever, shape: BatchShape, *, num_scored: int, chunk_positions: int
) -> list[Product]:
    """Of a step: forward, and for each product the two of its gradients. `num_scored` items have a score each click."""
    dim = retriever.config.dim
    scores = Product((chunk_positions, dim, num_scored), 2 * dim * num_scored * shape.clicks)
    forward = [*_forward_products(retriever.encoder, shape), scores]
    return [product for one in forward for product in with_gradients(one)]


def inference_products(retriever: Retriever, shape: BatchShape, *, num_items: int, tile_users: int) -> list[Product]:
    """From histories to scores, the last block at the last clicks alone. `shape` is that of an encoder's batch."""
    *blocks, last = retriever.encoder.blocks or [nn.Identity()]
    products = [product for block in blocks for product in _forward_products(block, shape)]
    products += linear_products(linears(last), shape.rows, shape.rows)
    products += [product for mixer in _attentions(last) for product in _last_products(mixer, shape)]
    dim = retriever.config.dim
    return [*products, Product((tile_users, dim, num_items), 2 * dim * num_items * shape.rows)]


def _forward_products(module: nn.Module, shape: BatchShape) -> list[Product]:
    attention = [product for mixer in _attentions(module) for product in attention_products(mixer, shape)]
    return linear_products(linears(module), shape.tokens, shape.clicks) + attention


def _last_products(mixer: SoftmaxAttention, shape: BatchShape) -> list[Product]:
    """Scores and sum over the clicks themselves, for which no key and no value is made, unless each is turned."""
    if isinstance(mixer, RotaryAttention):
        return _last_rotary_products(mixer, shape)
    dim, useful = mixer.to_out.in_features, 2 * mixer.to_out.in_features * mixer.num_heads * shape.clicks
    return [
        Product((mixer.num_heads, dim, shape.width), useful, shape.rows),
        Product((mixer.num_heads, shape.width, dim), useful, shape.rows),
    ]


def _last_rotary_products(mixer: RotaryAttention, shape: BatchShape) -> list[Product]:
    """Keys and values of all clicks (those of the last ones count among the layers), then one query a row."""
    dim, heads = mixer.to_out.in_features, mixer.num_heads
    attention, batch = 2 * dim * shape.clicks, shape.rows * heads
    return [
        Product((shape.tokens, dim, 2 * dim), 4 * dim * dim * (shape.clicks - shape.rows)),
        Product((1, dim // heads, shape.width), attention, batch),
        Product((1, shape.width, dim // heads), attention, batch),
    ]


def _attentions(module: nn.Module) -> list[SoftmaxAttention]:
    return [mixer for mixer in module.modules() if isinstance(mixer, SoftmaxAttention)]


def with_gradients(product: Product) -> list[Product]:
    m, k, n = product.shape
    return [Product(shape, product.useful, product.batch) for shape in ((m, k, n), (m, n, k), (n, m, k))]


def linears(module: nn.Module) -> list[nn.Linear]:
    return [layer for layer in module.modules() if isinstance(layer, nn.Linear)]


def useful_flop(products: Iterable[Product]) -> float:
    return sum(product.useful for product in products)


def seconds_of(products: Iterable[Product], rate: Callable[[Product], float]) -> float:
    """How long the useful FLOP take at the rates, FLOP/s, of products of these shapes."""
    return sum(product.useful / rate(product) for product in products)


class MatmulRate:
    """FLOP/s of plain matrix products on a device in a type, each shape timed once."""

    def __init__(self, device: torch.device, dtype: torch.dtype) -> None:
        self.device = device
        self.dtype = dtype
        self._rates: dict[tuple[int, ...], float] = {}

    def __call__(self, product: Product) -> float:
        key = (product.batch, *product.shape)
        if key not in self._rates:
            self._rates[key] = self._measured(*key)
        return self._rates[key]

    @torch.inference_mode()
    def _measured(self, batch: int, m: int, k: int, n: int) -> float:
        left, right = (torch.randn(batch, *shape, device=self.device, dtype=self.dtype) for shape in ((m, k), (k, n)))
        out = torch.empty(batch, m, n, device=self.device, dtype=self.dtype)
        if batch == 1:
            left, right, out = left[0], right[0], out[0]
        best, began = float("inf"), time.perf_counter()
        while best == float("inf") or time.perf_counter() - began < TIMED_SECONDS:
            started = self._now()
            torch.matmul(left, right, out=out)
            best = min(best, self._now() - started)
        return 2 * batch * m * k * n / best

    def _now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()
