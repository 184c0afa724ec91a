"""What happened after training, and its twin: what happened in training's own last stretch, cut off in the same way.

What is honest foretells both alike. What was made of held-out clicks knows the first far better than the second.
"""

from dataclasses import dataclass

import numpy as np

from recsys.evaluation.audit.clicks import Bools, Clicks
from recsys.evaluation.audit.strata import Outcome
from recsys.evaluation.questions import Questions


@dataclass(frozen=True)
class Twins:
    real: Outcome
    placebo: Outcome

    @property
    def num_comparable(self) -> int:
        return min(self.real.num_comparable, self.placebo.num_comparable)


def twins(questions: Questions, clicks: Clicks) -> list[Twins]:
    """The items of the targets, of all test clicks, and of all that are held out."""
    is_target = np.zeros(len(clicks.items), dtype=bool)
    is_target[questions.held_out.positions] = True
    tested, held_out = _as_if(questions, clicks, clicks.tests), _as_if(questions, clicks, ~clicks.trains)
    pairs = {
        "test targets": (is_target, tested, _last_of_users(clicks, tested)),
        "items clicked in test": (clicks.tests, tested, tested),
        "items clicked after training": (~clicks.trains, held_out, held_out),
    }
    return [
        Twins(
            _outcome(questions, clicks, name, clicks.trains, real),
            _outcome(questions, clicks, name, clicks.trains & ~late, placebo),
        )
        for name, (real, late, placebo) in pairs.items()
    ]


def _outcome(questions: Questions, clicks: Clicks, name: str, before: Bools, late: Bools) -> Outcome:
    has = np.zeros(len(questions.dataset.items) + 1, dtype=bool)
    has[clicks.items[late]] = True
    by_age = questions.dataset.manifest.time_kind == "calendar"
    return Outcome.of(name, clicks, before=before, has=has, by_age=by_age)


def _as_if(questions: Questions, clicks: Clicks, part: Bools) -> Bools:
    """Training clicks that lie to the others as `part` lies to the whole log."""
    dataset = questions.dataset
    trained, share = np.flatnonzero(clicks.trains), float(part.mean())
    if dataset.manifest.split == "leave_last_out":
        depth = 1 if (part == clicks.tests).all() else 2
        from_end = np.asarray(dataset.split.train_end)[clicks.users[trained]] - trained
        chosen = from_end <= depth
    elif dataset.manifest.split == "by_time":
        chosen = clicks.times[trained] > np.quantile(clicks.times[trained], 1 - share)
    else:
        is_drawn = np.random.default_rng(0).random(len(dataset.users) + 1) < share
        chosen = is_drawn[clicks.users[trained]]
    late = np.zeros(len(clicks.items), dtype=bool)
    late[trained[chosen]] = True
    return late


def _last_of_users(clicks: Clicks, part: Bools) -> Bools:
    """Of each user's clicks in `part` the last one."""
    places = np.flatnonzero(part)
    is_last = np.append(np.diff(clicks.users[places]) > 0, True) if len(places) else np.zeros(0, dtype=bool)
    last = np.zeros(len(part), dtype=bool)
    last[places[is_last]] = True
    return last
