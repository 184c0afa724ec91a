"""C13: the suite is no formality. Each mistake of `mutants.py` is caught, in each formula that can make it."""

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from tests.nn.mixers import (
    test_adaptive_span,
    test_attention,
    test_biased,
    test_causal_cnn,
    test_convolution,
    test_gru,
    test_hstu,
    test_lite,
    test_local,
    test_lsh,
    test_sparse,
    test_synthesizer,
    test_transformer_xl,
)
from tests.nn.mixers.contract import BIDIRECTIONAL, CAUSAL, LENGTH, the_gradient_is_that_of_the_function
from tests.nn.mixers.variants import KINDS, VARIANTS
from tests.nn.mutants import DOES_NOT_APPLY, MUTANTS

SPARSE = partial(test_sparse.test_it_is_attention_to_the_pattern, LENGTH)
SYNTHESIZER = test_synthesizer.test_it_is_the_formula_written_out
CONVOLUTION = test_convolution.test_it_is_the_window_written_out
FORMULAS = {
    **{kind: partial(test_attention.test_it_is_the_formula_written_out, kind, 2) for kind in ("softmax", "rotary")},
    **{kind: partial(test_biased.test_it_is_the_formula_written_out, kind) for kind in test_biased.CONFIGS},
    "local": partial(test_local.test_it_is_attention_to_what_is_near, LENGTH, 3),
    "sparse-strided": partial(SPARSE, pattern="strided", stride=3, summary=1),
    "sparse-fixed": partial(SPARSE, pattern="fixed", stride=4, summary=1),
    "adaptive_span": partial(
        test_adaptive_span.test_what_is_truncated_is_what_the_formula_gives_no_weight, test_adaptive_span.SPANS, 2
    ),
    "transformer_xl": lambda causal: test_transformer_xl.test_scores_are_the_formula_written_out(
        test_transformer_xl.CONTEXTS[0 if causal else 2]
    ),
    "lsh": partial(test_lsh.test_it_is_one_softmax_over_all_pairs_that_meet_in_any_round, 3, 3, length=LENGTH),
    "synthesizer": partial(SYNTHESIZER, "dense"),
    "synthesizer-random": partial(SYNTHESIZER, "random"),
    "synthesizer-factorised": partial(SYNTHESIZER, "factorised"),
    "convolution": partial(CONVOLUTION, "dynamic", 3, 2),
    "convolution-lightweight": partial(CONVOLUTION, "lightweight", 3, 2),
    "lite": test_lite.test_where_all_channels_attend_it_is_exact_attention,
    "hstu": partial(test_hstu.test_it_is_the_formula_written_out, 2),
    "gru": lambda causal: test_gru.test_it_is_the_recurrence_written_out(),
    "causal_cnn": lambda causal: test_causal_cnn.test_it_is_the_sum_written_out_and_a_kernel_of_one_is_pointwise(3, 1),
}


def checks(name: str) -> Iterator[Callable[[], None]]:
    """The contract, causal and not, and the formula; but for gradients, which are those of any function."""
    variant = VARIANTS[name]
    rules = CAUSAL + ([] if variant.config.causal_only else BIDIRECTIONAL)
    for check, causal in rules:
        if check is not the_gradient_is_that_of_the_function:
            yield partial(check, variant.build(), causal)
    for causal in {causal for _, causal in rules}:
        yield partial(FORMULAS[name], causal=causal)


def fails(check: Callable[[], None]) -> bool:
    """It says so, and does not end otherwise."""
    try:
        check()
    except AssertionError:
        return True
    return False


@pytest.mark.parametrize("mutant", MUTANTS)
def test_every_formula_can_be_so_wrong_or_cannot_for_a_reason(mutant):
    assert sorted([*MUTANTS[mutant], *DOES_NOT_APPLY[mutant]]) == sorted(FORMULAS)


def test_no_kind_is_left_out():
    assert {VARIANTS[name].kind for name in FORMULAS} == set(KINDS.values())


@pytest.mark.parametrize("name", FORMULAS)
def test_what_is_right_is_not_caught(name):
    assert not any(map(fails, checks(name)))


@pytest.mark.parametrize(("name", "mutant"), [(name, mutant) for mutant, table in MUTANTS.items() for name in table])
def test_a_mutant_is_caught(name, mutant, monkeypatch):
    MUTANTS[mutant][name].make(monkeypatch)
    assert any(map(fails, checks(name)))
