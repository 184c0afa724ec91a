"""What the code of the data room hands out: before the target, what may be read; in training, what may be learnt.

Data cannot prove this, only the code can: so it is run, and what it hands out is compared with what it should.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from recsys.data.batches import SequenceBatch, Shard, TrainingBatches
from recsys.data.dataset import Dataset
from recsys.data.windows import CUTS
from recsys.evaluation.audit.clicks import Bools, Clicks
from recsys.evaluation.audit.counterfactual import with_other_items
from recsys.evaluation.audit.findings import FAULT, Finding
from recsys.evaluation.questions import Questions

PASTS = "what is read of a user ends before the target"
EXAMPLES = "what the retriever learns from does not depend on held-out clicks"
MAX_USERS = 300
LENGTHS = (1, 50)
WINDOW, BUDGET = 200, 1 << 16


def check_pasts(questions: Questions) -> Finding:
    """Of a sample of users, against a plain loop: what is read, and what the filter takes for seen."""
    asked = questions.spread(MAX_USERS)
    wrong = int(np.any([_is_read_otherwise(asked, length) for length in LENGTHS], axis=0).sum())
    wrong_seen = int(_is_seen_otherwise(asked).sum())
    return Finding(
        check=PASTS,
        verdict="leak" if wrong or wrong_seen else "passed",
        found=f"of {len(asked):,} users looked at, {wrong:,} are read otherwise than their clicks before the target, "
        f"and of {wrong_seen:,} other items count as seen",
        remedy=FAULT if wrong or wrong_seen else "",
        numbers={"users looked at": len(asked), "read otherwise": wrong, "seen otherwise": wrong_seen},
    )


def check_examples(dataset: Dataset, clicks: Clicks) -> Finding:
    """The training batches of an epoch, and those of the same log with every held-out click replaced."""
    other = with_other_items(dataset, ~clicks.trains, np.random.default_rng(0))
    wrong = total = 0
    for one, two in zip(_batches(dataset), _batches(other), strict=True):
        total += 1
        wrong += not (one.items_BL.equal(two.items_BL) and one.targets_BL.equal(two.targets_BL))
    return Finding(
        check=EXAMPLES,
        verdict="leak" if wrong else "passed",
        found=f"with every held-out click replaced by another item, {wrong:,} of {total:,} training batches change",
        remedy=FAULT if wrong else "",
        numbers={"training batches": total, "changed": wrong},
    )


def _batches(dataset: Dataset) -> Iterator[SequenceBatch]:
    """An epoch of each way to cut histories into windows."""
    for windows in CUTS:
        batches = TrainingBatches(dataset, max_length=WINDOW, token_budget=BUDGET, windows=windows, seed=0)
        yield from batches.iterate(batches.plan(0, Shard()), first=0, shard=Shard())


def _stretches(questions: Questions) -> Iterator[list[int]]:
    """Each user's clicks before the target."""
    histories, held_out = questions.dataset.histories, questions.held_out
    for user, position in zip(held_out.users.tolist(), held_out.positions.tolist(), strict=True):
        yield histories.items[histories.offsets[user] : position].tolist()


def _is_read_otherwise(questions: Questions, length: int) -> list[bool]:
    known, pasts = questions.dataset.known_items, questions.pasts(length)
    read = [pasts.items[start : start + n].tolist() for start, n in zip(pasts.starts, pasts.lengths, strict=True)]
    expected = ([item for item in past if known[item]][-length:] for past in _stretches(questions))
    return [one != two for one, two in zip(read, expected, strict=True)]


def _is_seen_otherwise(questions: Questions) -> Bools:
    seen = questions.seen(slice(0, len(questions)))
    bounds = seen.offsets_U.tolist()
    found = [set(seen.items_E[start:stop].tolist()) for start, stop in pairwise(bounds)]
    return np.array([one != set(past) for one, past in zip(found, _stretches(questions), strict=True)], dtype=bool)
