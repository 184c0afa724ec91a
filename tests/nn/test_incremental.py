"""A click read on its own is the click read behind its whole history."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from recsys.errors import ConfigError
from recsys.nn.context import SequenceContext
from recsys.nn.encoder import Encoder, EncoderConfig
from recsys.nn.incremental import IncrementalEncoder
from recsys.nn.mixers.attention import SoftmaxAttention, SoftmaxConfig
from recsys.nn.mixers.rotary import RotaryConfig
from recsys.nn.mixers.transformer_xl import TransformerXlConfig
from recsys.nn.plain import plain

DIM, ROOM = 16, 12
MIXERS = {
    "softmax": SoftmaxConfig(num_heads=2),
    "rotary": RotaryConfig(num_heads=4),
    "transformer_xl": TransformerXlConfig(num_heads=2),
}
CONFIGS = [
    {"num_blocks": 0},
    {"num_blocks": 1, "residual": "gated", "feedforward": {"kind": "none"}},
    {"num_blocks": 3, "norm": "rms", "feedforward": {"kind": "gelu"}},
    {"residual": "post_norm", "dropout": 0.5},
    {"num_blocks": 3, "depth": {"kind": "shared"}},
    {"num_blocks": 3, "depth": {"kind": "dense"}},
]
each_mixer = pytest.mark.parametrize("mixer", MIXERS)
UNEVEN, EVEN = torch.tensor([3, 0, 5, 1]), torch.tensor([4, 4, 4, 4])


def encoder(mixer: str, **config) -> Encoder:
    torch.manual_seed(0)
    built = EncoderConfig.model_validate({"dim": DIM, **config}).model_copy(update={"mixer": MIXERS[mixer]})
    model = Encoder(built, max_length=ROOM).double().eval()
    for name, weight in model.named_parameters():
        if name.endswith(("u_HK", "v_HK")):
            torch.nn.init.normal_(weight)
    return model


def events() -> torch.Tensor:
    return torch.randn(4, ROOM, DIM, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def assert_steps_are_passes(model: Encoder, lengths_B: torch.Tensor, x_BLD: torch.Tensor, *, atol: float) -> None:
    rows_B, real_B = torch.arange(len(lengths_B)), lengths_B > 0
    incremental = IncrementalEncoder(model, max_length=ROOM)
    last_BD, state = incremental.begin(x_BLD[:, : int(lengths_B.max())], SequenceContext(lengths_B))
    while True:
        expected_BD = model.last(x_BLD, SequenceContext(lengths_B.clamp(min=1)))
        torch.testing.assert_close(last_BD[real_B], expected_BD[real_B], atol=atol, rtol=0)
        assert last_BD.isfinite().all()
        if state.is_full:
            break
        last_BD, state = incremental.step(x_BLD[rows_B, lengths_B], state)
        lengths_B, real_B = lengths_B + 1, real_B | True
    assert int(lengths_B.max()) == ROOM


@each_mixer
@pytest.mark.parametrize("config", CONFIGS, ids=str)
@pytest.mark.parametrize("lengths_B", [UNEVEN, EVEN], ids=["uneven", "even"])
def test_steps_are_passes_over_the_longer_history(mixer, config, lengths_B):
    assert_steps_are_passes(encoder(mixer, **config), lengths_B, events(), atol=1e-10)


@each_mixer
def test_steps_are_passes_in_single_precision(mixer):
    assert_steps_are_passes(encoder(mixer).float(), UNEVEN, events().float(), atol=1e-5)


@each_mixer
def test_some_rows_go_on_without_the_others(mixer):
    model, rows_R = encoder(mixer), torch.tensor([3, 0])
    incremental = IncrementalEncoder(model, max_length=ROOM)
    _, state = incremental.begin(events(), SequenceContext(UNEVEN))
    some = state.rows(rows_R)
    clicks_BD = events()[:, -1]
    all_BD, _ = incremental.step(clicks_BD, state)
    some_RD, some = incremental.step(clicks_BD[rows_R], some)
    torch.testing.assert_close(some_RD, all_BD[rows_R])
    assert some.lengths_B.tolist() == [2, 4]


@each_mixer
def test_a_step_costs_a_position_and_not_a_history(mixer):
    model = encoder(mixer)
    incremental = IncrementalEncoder(model, max_length=ROOM)
    context = SequenceContext(torch.full((4,), ROOM - 1))
    _, state = incremental.begin(events()[:, : ROOM - 1], context)
    with FlopCounterMode(display=False) as one:
        incremental.step(events()[:, -1], state)
    with torch.inference_mode(), FlopCounterMode(display=False) as all_of_them:
        model(events(), SequenceContext(torch.full((4,), ROOM)))
    assert 0 < one.get_total_flops() <= 1.01 * all_of_them.get_total_flops() / ROOM


def test_a_full_state_asks_to_begin_again():
    incremental = IncrementalEncoder(encoder("rotary"), max_length=ROOM)
    _, state = incremental.begin(events(), SequenceContext(torch.tensor([ROOM, 1, 1, 1])))
    assert state.is_full
    with pytest.raises(ValueError, match=r"a row holds 12 clicks, .* begin again with the last 12"):
        incremental.step(events()[:, 0], state)
    incremental.step(events()[1:, 0], state.rows(torch.tensor([1, 2, 3])))


def test_a_state_is_consumed_by_its_step():
    incremental = IncrementalEncoder(encoder("rotary"), max_length=ROOM)
    _, state = incremental.begin(events()[:, :5], SequenceContext(UNEVEN))
    incremental.step(events()[:, 5], state)
    with pytest.raises(ValueError, match="a step consumes its state, and 1 were made since this one"):
        incremental.step(events()[:, 5], state)
    with pytest.raises(ValueError, match="a step consumes its state"):
        state.rows(torch.tensor([0]))


def test_a_mixer_or_depth_that_reads_whole_histories_is_refused():
    class Otherwise(SoftmaxAttention):
        """Not one to be stepped as what it derives from."""

    model = encoder("softmax")
    model.blocks[1].mixer = Otherwise(DIM, 2)
    with pytest.raises(ConfigError, match=r"mixer: Otherwise reads whole histories.*use mixer.kind softmax"):
        IncrementalEncoder(model, max_length=ROOM)
    with pytest.raises(ConfigError, match="depth: Reversible goes through whole histories"):
        IncrementalEncoder(encoder("softmax", depth={"kind": "reversible"}), max_length=ROOM)


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_a_plain_module_is_the_module_and_shares_its_weights(config):
    model, context = encoder("rotary", **config), SequenceContext(UNEVEN)
    twin = plain(model)
    assert torch.equal(twin(events(), context), model(events(), context))
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(1.5)
    assert torch.equal(twin(events(), context), model(events(), context))
    assert torch.equal(plain(model.train())(events(), context), model.eval()(events(), context))
