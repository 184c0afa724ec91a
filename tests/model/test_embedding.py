"""In training some histories are read as if nobody told their times, all of them at once."""

import torch

from recsys.model.embedding import UNTOLD_SHARE
from recsys.model.retriever import RetrieverConfig
from recsys.nn.context import SequenceContext

SPANS = {"kind": "log", "unit_seconds": 1}


def test_some_histories_have_no_times_at_all_and_are_as_without():
    torch.manual_seed(0)
    model = {"dim": 4, "dropout": 0.0, "gaps": SPANS, "query_time": SPANS, "calendar": {"kind": "stretches"}}
    embed = RetrieverConfig.model_validate(model).build_event_embedding()
    lengths, x_BLD = torch.full((2_000,), 3), torch.zeros(2_000, 3, 4)
    times, asked = (10**6 * torch.tensor(moments).expand(2_000, 3) for moments in ([0, 5, 99], [5, 99, 300]))
    context, untold = SequenceContext(lengths, times, asked), SequenceContext(lengths)
    is_untold_B = torch.isclose(embed(x_BLD, embed.told(context)), embed(x_BLD, untold)).all(dim=-1).all(dim=-1)
    assert abs(float(is_untold_B.float().mean()) - UNTOLD_SHARE) < 0.03
    is_told_B = ~torch.isclose(embed.eval()(x_BLD, embed.told(context)), embed(x_BLD, untold)).all(dim=-1).all(dim=-1)
    assert is_told_B.all()
