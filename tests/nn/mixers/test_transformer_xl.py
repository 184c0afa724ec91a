"""Transformer-XL: relative positions as the paper writes them, and segments that are one long sequence."""

import pytest
import torch

from recsys.nn.context import SequenceContext
from recsys.nn.encoder import Encoder, EncoderConfig
from recsys.nn.memory import Memory
from recsys.nn.mixers.attention import SoftmaxAttention, merge_heads, split_heads
from recsys.nn.mixers.transformer_xl import TransformerXl, TransformerXlConfig, rel_shift
from recsys.nn.segments import encode_segment
from recsys.nn.shape import SequenceShape
from recsys.nn.sinusoids import sinusoids

LENGTH, DIM, HEADS = 9, 8, 2
LENGTHS = torch.tensor([1, 4, LENGTH, 0, 5])


def mixer() -> TransformerXl:
    torch.manual_seed(0)
    built = TransformerXlConfig(num_heads=HEADS).build(SequenceShape(DIM, LENGTH)).double()
    for bias_HK in (built.u_HK, built.v_HK):
        torch.nn.init.normal_(bias_HK)
    return built


def events(rows: int = len(LENGTHS), length: int = LENGTH) -> torch.Tensor:
    return torch.randn(rows, length, DIM, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def memory() -> Memory:
    return Memory(
        events(length=3).flip(0) * (torch.arange(3) >= 3 - torch.tensor([0, 3, 2, 3, 1])[:, None])[..., None],
        torch.tensor([0, 3, 2, 3, 1]),
    )


CONTEXTS = [
    SequenceContext(LENGTHS, causal=causal, memory=remembered)
    for causal in (True, False)
    for remembered in (None, memory())
]
each_context = pytest.mark.parametrize("context", CONTEXTS, ids=["causal", "causal-memory", "both", "both-memory"])
# without a memory it keeps the contract of all mixers
each_memory = pytest.mark.parametrize("context", CONTEXTS[1::2], ids=["causal", "both"])


def test_the_shift_is_a_gather():
    x_LR = torch.randn(2, 4, 7)
    for row in range(4):
        kept = 7 - (3 - row)
        assert torch.equal(rel_shift(x_LR)[:, row, :kept], x_LR[:, row, 3 - row :])


@each_context
def test_scores_are_the_formula_written_out(context):
    xl, x_BLD = mixer(), events()
    q, (k, v) = split_heads(xl.to_q(x_BLD), HEADS), xl._keys_values(context.with_memory(x_BLD))
    distances_LS = context.distances_LS(LENGTH)
    r_HLSK = (
        xl.to_r(sinusoids(distances_LS.flatten(), DIM, torch.float64))
        .view(*distances_LS.shape, HEADS, -1)
        .permute(2, 0, 1, 3)
    )
    u, position = xl.u_HK[:, None], xl.v_HK[:, None]
    scores = (q + u) @ k.mT + torch.einsum("bhlk,hlsk->bhls", q + position, r_HLSK)
    readable = torch.zeros(len(LENGTHS), LENGTH, distances_LS.shape[1], dtype=torch.bool)
    for row, length in enumerate(LENGTHS):
        begin = context.memory_size - (0 if context.memory is None else int(context.memory.lengths_B[row]))
        readable[row, :, begin : context.memory_size + length] = True
    readable |= distances_LS == 0
    if context.causal:
        readable &= distances_LS >= 0
    weights = (scores / 2).masked_fill(~readable[:, None], float("-inf")).softmax(-1)
    expected = xl.to_out(merge_heads(weights @ v)) * context.valid_BL(LENGTH)[..., None]
    torch.testing.assert_close(xl(x_BLD, context), expected, atol=1e-12, rtol=0)


def test_without_distances_and_biases_it_is_softmax_attention():
    xl, plain = mixer(), SoftmaxAttention(DIM, HEADS).double()
    for weight in (xl.u_HK, xl.v_HK, xl.to_r.weight):
        torch.nn.init.zeros_(weight)
    plain.to_qkv.weight.data = torch.cat([xl.to_q.weight, xl.to_kv.weight])
    plain.to_out.weight.data = xl.to_out.weight.data
    for causal in (True, False):
        context = SequenceContext(LENGTHS, causal=causal)
        expected = plain(events(), context) * context.valid_BL(LENGTH)[..., None]
        torch.testing.assert_close(xl(events(), context), expected, atol=1e-12, rtol=0)


@each_memory
@pytest.mark.parametrize("pads", [0, 1, 7])
def test_padding_changes_nothing(context, pads):
    xl, x_BLD = mixer(), events()
    padded = torch.cat([x_BLD, torch.full((len(LENGTHS), pads, DIM), 9.0, dtype=torch.float64)], dim=1)
    padded[~context.valid_BL(LENGTH + pads)] = 9.0
    torch.testing.assert_close(xl(padded, context)[:, :LENGTH], xl(x_BLD, context))


@each_memory
def test_a_row_in_a_batch_is_the_row_alone(context):
    xl, together = mixer(), mixer()(events(), context)
    for row, length in enumerate(LENGTHS.tolist()):
        kept = None
        if context.memory is not None:
            num = int(context.memory.lengths_B[row])
            kept = Memory(context.memory.states_BMD[row : row + 1, 3 - num :], torch.tensor([num]))
        alone = SequenceContext(LENGTHS[row : row + 1], causal=context.causal, memory=kept)
        mixed = xl(events()[row : row + 1, : max(1, length)], alone)
        torch.testing.assert_close(together[row : row + 1, : max(1, length)], mixed)


@each_memory
def test_the_last_position_alone_is_the_last_of_all(context):
    lengths = LENGTHS.clamp(min=1)
    context = SequenceContext(lengths, causal=context.causal, memory=context.memory)
    torch.testing.assert_close(mixer().last(events(), context), context.last(mixer()(events(), context)))


@each_memory
def test_gradients_are_right_and_finite_for_an_empty_row(context):
    xl, kept = mixer(), context.memory
    x_BLD = events()[1:4:2, :3].requires_grad_()
    if kept is not None:
        kept = Memory(kept.states_BMD[1:4:2], kept.lengths_B[1:4:2])
    context = SequenceContext(torch.tensor([2, 0]), causal=context.causal, memory=kept)
    assert torch.autograd.gradcheck(lambda x, *_: xl(x, context), (x_BLD, *xl.parameters()))


def test_half_precision_is_close():
    xl, x_BLD, kept = mixer().float(), events().float(), Memory(memory().states_BMD.float(), memory().lengths_B)
    context = SequenceContext(LENGTHS, memory=kept)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = xl(x_BLD, context)
    torch.testing.assert_close(mixed.float(), xl(x_BLD, context), atol=0.05, rtol=0)


def encoder(num_blocks: int, size: int, **changes) -> Encoder:
    torch.manual_seed(0)
    config = EncoderConfig.model_validate({"dim": DIM, "num_blocks": num_blocks, **changes})
    config = config.model_copy(update={"mixer": TransformerXlConfig(num_heads=HEADS, memory=size)})
    built = Encoder(config, max_length=LENGTH).double().eval()
    for block in built.blocks:
        torch.nn.init.normal_(block.mixer.u_HK)
        torch.nn.init.normal_(block.mixer.v_HK)
    return built


SEGMENTS = torch.tensor([[5, 2, 0, 3], [4, 6, 3, 0], [1, 0, 6, 2]])


@pytest.mark.parametrize("num_blocks", [1, 2, 4])
@pytest.mark.parametrize(
    ("depth", "residual"), [("stack", "pre_norm"), ("stack", "post_norm"), ("shared", "gated"), ("dense", "pre_norm")]
)
def test_segments_with_memory_are_one_long_sequence(num_blocks, depth, residual):
    model = encoder(num_blocks, size=20, depth={"kind": depth}, residual=residual)
    ends_SB = SEGMENTS.cumsum(0)
    x_BLD = events(4, int(ends_SB.max()))
    whole = model(x_BLD, SequenceContext(ends_SB[-1]))
    memories = None
    for lengths_B, ends_B in zip(SEGMENTS, ends_SB, strict=True):
        columns_BL = (ends_B - lengths_B)[:, None] + torch.arange(int(lengths_B.max()))
        index = columns_BL.clamp(max=x_BLD.shape[1] - 1)[..., None].expand(-1, -1, DIM)
        context = SequenceContext(lengths_B)
        y_BLD, memories = encode_segment(model, x_BLD.gather(1, index), context, memories)
        valid_BL = context.valid_BL(y_BLD.shape[1])
        torch.testing.assert_close(y_BLD[valid_BL], whole.gather(1, index)[valid_BL], atol=1e-10, rtol=0)
    assert len(memories) == num_blocks
    assert all(torch.equal(kept.lengths_B, ends_SB[-1]) for kept in memories)


def read_in_segments(model: Encoder, x_BLD: torch.Tensor, width: int) -> torch.Tensor:
    """[B, D]: the first position of the last segment."""
    memories = None
    for segment_BLD in x_BLD.split(width, dim=1):
        context = SequenceContext(torch.full((len(x_BLD),), segment_BLD.shape[1]))
        y_BLD, memories = encode_segment(model, segment_BLD, context, memories)
    return y_BLD[:, 0]


@pytest.mark.parametrize(("num_blocks", "size", "width"), [(1, 3, 1), (2, 3, 1), (3, 2, 1), (2, 3, 3), (3, 2, 2)])
def test_each_layer_reaches_as_far_back_as_its_memory_and_no_farther(num_blocks, size, width):
    model, reach = encoder(num_blocks, size), num_blocks * size
    x_BLD = events(1, 4 * reach + 1)
    before = read_in_segments(model, x_BLD, width)
    for distance, is_read in ((reach + 1, False), (reach, True)):
        changed = x_BLD.clone()
        changed[:, -1 - distance] = torch.randn(DIM)
        assert torch.equal(read_in_segments(model, changed, width), before) is not is_read


def test_no_gradient_passes_a_memory():
    model, lengths_B = encoder(2, size=4), torch.tensor([3])
    first, second = events(1, 3).requires_grad_(), events(1, 3).requires_grad_()
    _, memories = encode_segment(model, first, SequenceContext(lengths_B))
    y_BLD, _ = encode_segment(model, second, SequenceContext(lengths_B), memories)
    y_BLD.square().sum().backward()
    assert first.grad is None
    assert second.grad is not None
    assert not any(kept.states_BMD.requires_grad for kept in memories)


@pytest.mark.parametrize("size", [0, 2, 3, 9])
def test_a_memory_keeps_each_rows_own_last_positions(size):
    x_BLD, lengths = events(3, 4), [4, 1, 0]
    before = Memory(memory().states_BMD[:3], memory().lengths_B[:3])
    longer = before.extended(x_BLD, torch.tensor(lengths), size=size)
    assert longer.states_BMD.shape == (3, size, DIM)
    for row, length in enumerate(lengths):
        known = int(before.lengths_B[row])
        real = torch.cat([before.states_BMD[row, 3 - known :], x_BLD[row, :length]])[max(0, known + length - size) :]
        assert int(longer.lengths_B[row]) == len(real)
        assert torch.equal(longer.states_BMD[row, size - len(real) :], real)
        assert (longer.states_BMD[row, : size - len(real)] == 0).all()


def test_a_mixer_that_reads_no_memory_is_refused():
    model = Encoder(EncoderConfig(dim=DIM), max_length=LENGTH).double()
    with pytest.raises(ValueError, match=r"RotaryAttention reads none; use mixer.kind transformer_xl"):
        encode_segment(model, events(), SequenceContext(LENGTHS))
    with pytest.raises(ValueError, match="a reversible depth hands no memory"):
        encode_segment(encoder(2, 3, depth={"kind": "reversible"}), events(), SequenceContext(LENGTHS))


def test_memories_of_other_rows_or_layers_are_refused():
    model = Encoder(EncoderConfig.model_validate({"dim": DIM, "mixer": {"kind": "transformer_xl"}}), max_length=LENGTH)
    x_BLD, context = events(3).float(), SequenceContext(LENGTHS[:3])
    _, memories = encode_segment(model, x_BLD, context)
    fewer = [Memory(memory.states_BMD[:2], memory.lengths_B[:2]) for memory in memories]
    for wrong in (memories[:1], [*memories, memories[0]], fewer):
        with pytest.raises(ValueError, match="a segment of 3 rows wants 2 memories of as many rows"):
            encode_segment(model, x_BLD, context, wrong)
