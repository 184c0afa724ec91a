"""The products counted against torch's own counter, and against the formulas."""

from itertools import count

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from recsys.benchmark.products import (
    BatchShape,
    MatmulRate,
    Product,
    are_counted,
    inference_products,
    seconds_of,
    training_products,
    useful_flop,
)
from recsys.data.feature_table import Features
from recsys.model.retriever import Retriever, RetrieverConfig

ROWS, WIDTH, ITEMS, DIM = 4, 8, 30, 16


def retriever(**model) -> Retriever:
    config = RetrieverConfig.model_validate({"dim": DIM, "max_length": WIDTH, "dropout": 0.0, **model})
    return Retriever.for_catalogue(config, ITEMS, Features(()))


def full_shape() -> BatchShape:
    """No padding, and no future: every click reads all, as torch counts attention."""
    return BatchShape(ROWS, WIDTH, ROWS * WIDTH, ROWS * WIDTH * WIDTH)


@pytest.mark.parametrize("kind", ["relu", "swiglu"])
@pytest.mark.parametrize("num_blocks", [0, 1, 3])
@pytest.mark.parametrize("num_heads", [1, 4])
def test_a_step_is_what_torch_counts(kind, num_blocks, num_heads, monkeypatch):
    # torch counts no fused attention on the CPU, so it is taken apart
    monkeypatch.setattr("recsys.nn.mixers.attention.F.scaled_dot_product_attention", plain_attention)
    model = retriever(
        feedforward={"kind": kind}, num_blocks=num_blocks, mixer={"kind": "softmax", "num_heads": num_heads}
    )
    items_BL = torch.randint(1, ITEMS + 1, (ROWS, WIDTH))
    with FlopCounterMode(display=False) as counter:
        user_BLD = model.encode(items_BL, torch.full((ROWS,), WIDTH))
        logits_NV = user_BLD.flatten(0, 1) @ model.item_vectors()[1:].T
        F.cross_entropy(logits_NV, items_BL.flatten() - 1).backward()
    products = training_products(model, full_shape(), num_scored=ITEMS, chunk_positions=7)
    assert useful_flop(products) == counter.get_total_flops()


def plain_attention(q, k, v, **_):
    return (q @ k.mT).softmax(dim=-1) @ v


@pytest.mark.parametrize("kind", ["softmax", "rotary"])
@pytest.mark.parametrize("num_blocks", [0, 1, 3])
def test_inference_is_what_torch_counts(kind, num_blocks, monkeypatch):
    monkeypatch.setattr("recsys.nn.mixers.attention.F.scaled_dot_product_attention", plain_attention)
    model = retriever(num_blocks=num_blocks, mixer={"kind": kind}).eval()
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        user_BD = model.user_vectors(torch.randint(1, ITEMS + 1, (ROWS, WIDTH)), torch.full((ROWS,), WIDTH))
        user_BD @ model.item_vectors()[1:].T
    products = inference_products(model, full_shape(), num_items=ITEMS, tile_users=ROWS)
    assert useful_flop(products) == counter.get_total_flops()


def test_padding_and_later_clicks_are_of_no_use():
    shape = BatchShape.of(np.array([3, 5]), num_batches=1, num_tokens=10)
    assert shape == BatchShape(rows=2, width=5, clicks=8.0, pairs=6.0 + 15.0)
    products = training_products(
        retriever(num_blocks=1, residual="pre_norm"), shape, num_scored=ITEMS, chunk_positions=7
    )
    assert {product.shape[0] for product in products if product.batch == 1} >= {shape.tokens}
    layers = DIM * DIM * 4 + 3 * DIM * 4 * DIM
    assert useful_flop(products) == 3 * (2 * 8 * layers + 4 * DIM * 21 + 2 * 8 * DIM * ITEMS)


@pytest.mark.parametrize(
    "model",
    [
        {"mixer": {"kind": "gru"}},
        {"mixer": {"kind": "local"}},
        {"depth": {"kind": "shared"}},
        {"depth": {"kind": "reversible"}},
        {"layer_drop": 0.1},
        {"target": {"kind": "cloze"}},
    ],
    ids=str,
)
def test_what_is_not_known_to_be_right_is_not_counted(model):
    assert are_counted(retriever().config)
    assert not are_counted(retriever(**model).config)


def test_rates_are_those_of_a_product_each_shape_timed_once(monkeypatch):
    rate = MatmulRate(torch.device("cpu"), torch.float32)
    ticks = count(0.0, 0.5)
    monkeypatch.setattr(MatmulRate, "_now", lambda _: next(ticks))
    one, batched = Product((4, 3, 2), useful=100.0), Product((4, 3, 2), useful=100.0, batch=5)
    assert rate(one) == 2 * 4 * 3 * 2 / 0.5
    assert rate(batched) == 5 * rate(one)
    assert seconds_of([one, one, batched], rate) == pytest.approx(200 / rate(one) + 100 / rate(batched))
    taken = next(ticks)
    rate(one)
    assert next(ticks) == taken + 0.5
