"""Users whose clicks arrive one by one: a click costs one position, not its user's whole history.

Shape letters: B users, L the most clicks the retriever reads, W those that were given, R some of the users, D width.
"""

from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from recsys.data.vocabulary import PADDING
from recsys.errors import ConfigError
from recsys.model.retriever import Retriever, RetrieverConfig
from recsys.nn.context import Packing, SequenceContext
from recsys.nn.incremental import EncoderState, IncrementalEncoder
from recsys.nn.plain import plain


class UserStates:
    """`vectors_BD` is what `retriever.user_vectors` says of each user's clicks so far; zero where there are none.

    Who has L clicks is read anew with each further one, as the last L of them: the oldest is then forgotten, every
    place moves, and nothing that was kept still holds. The retriever should stay as it is.
    """

    vectors_BD: Tensor

    def __init__(self, retriever: Retriever, recent_BL: Tensor, lengths_B: Tensor) -> None:
        self._plain = plain(retriever)
        self._encoder = IncrementalEncoder(retriever.encoder, max_length=retriever.config.max_length)
        self._recent_BL = recent_BL
        self._arrived: list[Tensor] = []
        self._grow_on(torch.arange(len(lengths_B), device=lengths_B.device))
        self._sliding_R = self._growing_R[:0]
        context = SequenceContext(lengths_B)
        clicks_BL = recent_BL[:, : max([1, *lengths_B.tolist()])]
        hidden_BD, state = self._encoder.begin(self._plain.embed(self._plain.clicked(clicks_BL), context), context)
        self._state: EncoderState | None = state
        self.vectors_BD = self._plain.score.user(hidden_BD).masked_fill((lengths_B == 0)[:, None], 0.0)

    @classmethod
    @torch.inference_mode()
    def begin(cls, retriever: Retriever, items_BW: Tensor, lengths_B: Tensor) -> Self:
        """Of each user's last L clicks, in right-padded rows as for `user_vectors`; a row may be empty.

        ConfigError where the retriever reads more of a click than its item and its place from the start.
        """
        require_steppable(retriever.config)
        max_length = retriever.config.max_length
        return cls(retriever, _recent(items_BW, lengths_B, max_length), lengths_B.clamp(max=max_length))

    @torch.inference_mode()
    def step(self, items_B: Tensor) -> Tensor:
        """[B, D]: `vectors_BD` after one more click of each user."""
        if not len(items_B):
            return self.vectors_BD
        if self._state is not None and self._state.is_full:
            self._slide_from_now_on(self._state)
        if not len(self._sliding_R):
            self.vectors_BD = self._grown(items_B)
            return self.vectors_BD
        vectors_BD = torch.empty_like(self.vectors_BD)
        vectors_BD[self._sliding_R] = self._slid(items_B[self._sliding_R])
        if self._state is not None:
            vectors_BD[self._growing_R] = self._grown(items_B[self._growing_R])
        self.vectors_BD = vectors_BD
        return vectors_BD

    def _grown(self, items_R: Tensor) -> Tensor:
        assert self._state is not None, "somebody has room for another click"
        places_R = self._state.lengths_B
        self._arrived.append(items_R.long())
        x_RD = self._plain.embed(self._plain.clicked(items_R), self._alone_at(places_R))
        hidden_RD, self._state = self._encoder.stepped(x_RD, self._state)
        return self._plain.score.user(hidden_RD)

    def _slid(self, items_R: Tensor) -> Tensor:
        recent_RL = torch.cat([self._recent_BL[self._sliding_R, 1:], items_R.long()[:, None]], dim=1)
        self._recent_BL[self._sliding_R] = recent_RL
        return self._plain.user_vectors(recent_RL, torch.full_like(self._sliding_R, recent_RL.shape[1]))

    def _slide_from_now_on(self, state: EncoderState) -> None:
        """Whoever has no room for another click leaves the state, and the others' is copied."""
        for number, items_R in enumerate(reversed(self._arrived), start=1):
            self._recent_BL[self._growing_R, state.lengths_B - number] = items_R
        self._arrived = []
        is_full_R = state.lengths_B == state.room
        self._sliding_R = torch.cat([self._sliding_R, self._growing_R[is_full_R]])
        self._grow_on(self._growing_R[~is_full_R])
        self._state = state.rows((~is_full_R).nonzero()[:, 0]) if len(self._growing_R) else None

    def _grow_on(self, growing_R: Tensor) -> None:
        self._growing_R = growing_R
        self._offsets_R1 = torch.arange(len(growing_R) + 1, device=growing_R.device, dtype=torch.int32)
        self._begins_R = self._offsets_R1[:-1].long() * self._recent_BL.shape[1]

    def _alone_at(self, places_R: Tensor) -> SequenceContext:
        """Of rows of which only the click at its place is there."""
        packing = Packing(self._offsets_R1, self._begins_R + places_R, self._recent_BL.shape[1])
        return SequenceContext(places_R, packing=packing)


def require_steppable(config: RetrieverConfig) -> None:
    """ConfigError, naming the setting, where a click's embedding tells more than its item and its place, or a user is
    asked about otherwise than at the last click."""
    read = {
        "target": (config.target.kind, ("next_click",)),
        "positions": (config.positions, ("none", "start", "sinusoidal")),
        "gaps": (config.gaps.kind, ("none",)),
        "calendar": (config.calendar.kind, ("none",)),
        "query_time": (config.query_time.kind, ("none",)),
    }
    for setting, (kind, steppable) in read.items():
        if kind not in steppable:
            raise ConfigError(
                f"model.{setting} is {kind}, and users whose clicks are read one by one need {' or '.join(steppable)}; "
                f"train such a retriever, or use user_vectors of the whole history"
            )


def _recent(items_BW: Tensor, lengths_B: Tensor, max_length: int) -> Tensor:
    """[B, L]: each row's last clicks, and padding behind them."""
    columns_L = torch.arange(max_length, device=lengths_B.device)
    columns_BL = (lengths_B[:, None] - max_length).clamp(min=0) + columns_L
    items_BL = F.pad(items_BW.long(), (0, 1), value=PADDING).gather(1, columns_BL.clamp(max=items_BW.shape[1]))
    return items_BL.masked_fill(columns_L >= lengths_B[:, None], PADDING)
