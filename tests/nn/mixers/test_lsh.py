"""LSH attention: the formula with all pairs written out, and what hashing and memory promise."""

import pytest
import torch
import torch.nn.functional as F

from recsys.nn.context import SequenceContext
from recsys.nn.mixers.attention import merge_heads, split_heads
from recsys.nn.mixers.lsh import LshAttention, LshConfig
from recsys.nn.shape import SequenceShape
from tests.nn.mixers.contract import DIM, LENGTH, LENGTHS, events


def lsh(chunk: int, rounds: int, max_length: int = LENGTH, **settings) -> LshAttention:
    torch.manual_seed(0)
    config = LshConfig(chunk=chunk, rounds=rounds, **settings)
    return config.build(SequenceShape(DIM, max_length)).double()


def lsh_reference(mixer: LshAttention, x_BLD: torch.Tensor, context: SequenceContext) -> torch.Tensor:
    """One softmax over all pairs that meet in any round, each pair looked at."""
    length = x_BLD.shape[1]
    q_BHLK, v_BHLK = split_heads(mixer.to_qk(x_BLD), mixer.num_heads), split_heads(mixer.to_v(x_BLD), mixer.num_heads)
    meet_BHLL = torch.zeros(*q_BHLK.shape[:3], length, dtype=torch.bool)
    for directions_KJ in mixer.hashing.directions_RKJ:
        turned = q_BHLK @ directions_KJ
        bucket_BHL = torch.cat([turned, -turned], dim=-1).argmax(dim=-1)
        for row, real in enumerate(context.lengths_B.tolist()):
            for head, bucket_L in enumerate(bucket_BHL[row]):
                for reader in range(real):
                    alike = [s for s in range(real) if bucket_L[s] == bucket_L[reader] and s != reader]
                    earlier, later = [s for s in alike if s < reader], [s for s in alike if s > reader]
                    meet_BHLL[row, head, reader, earlier[-mixer.chunk :]] = True
                    if not context.causal:
                        meet_BHLL[row, head, reader, later[: mixer.chunk]] = True
    return mixer.to_out(merge_heads(shared_qk_attention(q_BHLK, v_BHLK, meet_BHLL)))


def shared_qk_attention(q_BHLK: torch.Tensor, v_BHLK: torch.Tensor, others_LL: torch.Tensor) -> torch.Tensor:
    """Over the others, and over a position itself where there are none."""
    alone_L1 = ~others_LL.any(dim=-1, keepdim=True)
    readable_LL = others_LL | (alone_L1 & torch.eye(q_BHLK.shape[2], dtype=torch.bool))
    return F.scaled_dot_product_attention(q_BHLK, F.normalize(q_BHLK, dim=-1), v_BHLK, attn_mask=readable_LL)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize(("chunk", "rounds"), [(1, 2), (2, 1), (3, 3), (4, 2), (9, 4)])
@pytest.mark.parametrize("length", [4, LENGTH, 17])
def test_it_is_one_softmax_over_all_pairs_that_meet_in_any_round(chunk, rounds, causal, length):
    mixer, x_BLD = lsh(chunk, rounds, max_length=12), events(length=length)
    context = SequenceContext(torch.tensor([1, 4, length, length - 2]), causal=causal)
    expected = lsh_reference(mixer, x_BLD, context) * context.valid_BL(length)[..., None]
    torch.testing.assert_close(mixer(x_BLD, context), expected)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("chunk", [LENGTH, LENGTH + 5])
def test_one_bucket_is_exact_attention_with_shared_queries_and_keys(chunk, causal):
    mixer, x_BLD = lsh(chunk, rounds=4), events()
    parts = (split_heads(linear(x_BLD), mixer.num_heads) for linear in (mixer.to_qk, mixer.to_v))
    others_LL = ~torch.eye(LENGTH, dtype=torch.bool)
    expected = mixer.to_out(merge_heads(shared_qk_attention(*parts, others_LL.tril() if causal else others_LL)))
    context = SequenceContext(torch.full((len(LENGTHS),), LENGTH), causal=causal)
    torch.testing.assert_close(mixer(x_BLD, context), expected)


def test_a_position_alone_reads_itself():
    mixer, x_BLD = lsh(2, 3), events(1, 1)
    torch.testing.assert_close(mixer(x_BLD, SequenceContext(torch.tensor([1]))), mixer.to_out(mixer.to_v(x_BLD)))


@pytest.mark.parametrize("causal", [True, False])
def test_equal_rounds_are_one_round(causal):
    one, many, context = lsh(3, 1), lsh(3, 4), SequenceContext(LENGTHS, causal=causal)
    many.hashing.directions_RKJ = one.hashing.directions_RKJ.expand(4, -1, -1)
    torch.testing.assert_close(many(events(), context), one(events(), context))


def test_the_rotations_are_those_of_the_seed():
    first, again, other = (lsh(3, 2, seed=seed).hashing.directions_RKJ for seed in (5, 5, 6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_buckets_are_as_many_as_the_longest_row_wants_whatever_the_padding():
    assert [lsh(chunk, 1, max_length=64).hashing.num_buckets for chunk in (8, 32, 63, 64, 65)] == [16, 4, 2, 1, 1]


def test_half_precision_is_finite_where_a_position_is_alone():
    mixer, x_BLD = lsh(2, 2).bfloat16(), events().bfloat16()
    assert torch.isfinite(mixer(x_BLD, SequenceContext(LENGTHS))).all()
