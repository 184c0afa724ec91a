"""Systems made by hand: honest ones, and those that know too much."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from recsys.evaluation.questions import Questions
from recsys.evaluation.ranking import Scorer


def by_counts(count: Callable[[Questions], np.ndarray]) -> Callable[[Questions], Scorer]:
    """One score an item, the same for everybody."""

    def system(questions: Questions) -> Scorer:
        counts = torch.from_numpy(count(questions).astype(np.float32))
        return lambda rows: counts.repeat(rows.stop - rows.start, 1)

    return system


def counted(questions: Questions, chosen: np.ndarray) -> np.ndarray:
    items = np.asarray(questions.dataset.histories.items)[chosen]
    return np.bincount(items, minlength=len(questions.dataset.items) + 1)


def places(questions: Questions) -> tuple[np.ndarray, np.ndarray]:
    """Every click's position and user."""
    lengths = questions.dataset.histories.lengths
    return np.arange(lengths.sum()), np.repeat(np.arange(len(lengths)), lengths)


def of_training(questions: Questions) -> np.ndarray:
    position, user = places(questions)
    return position < questions.dataset.split.train_end[user]


def of_training_and_validation(questions: Questions) -> np.ndarray:
    position, user = places(questions)
    return position < questions.dataset.split.validation_end[user]


def of_training_and_test(questions: Questions) -> np.ndarray:
    return of_training(questions) | ~of_training_and_validation(questions)


def followers(questions: Questions, last: np.ndarray, learnt: np.ndarray) -> Scorer:
    """What followed each user's last click, among the clicks that are learnt from."""
    num_rows, (position, user) = len(questions.dataset.items) + 1, places(questions)
    items = np.asarray(questions.dataset.histories.items).astype(np.int64)
    first = position[:-1][(user[1:] == user[:-1]) & learnt[1:] & learnt[:-1]]
    table = np.zeros((num_rows, num_rows), dtype=np.float32)
    np.add.at(table, (items[first], items[first + 1]), 1.0)
    return lambda rows: torch.from_numpy(table[items[last[rows]]])


popular = by_counts(lambda questions: questions.dataset.training_counts())
popular_with_test = by_counts(lambda questions: counted(questions, of_training_and_test(questions)))
popular_with_validation = by_counts(lambda questions: counted(questions, of_training_and_validation(questions)))


def following(questions: Questions) -> Scorer:
    return followers(questions, questions.held_out.positions - 1, of_training(questions))


def following_with_test(questions: Questions) -> Scorer:
    return followers(questions, questions.held_out.positions - 1, of_training_and_test(questions))


def reading_too_far(questions: Questions) -> Scorer:
    """Honestly learnt, and then asked what follows the target."""
    return followers(questions, questions.held_out.positions, of_training(questions))


def all_knowing(questions: Questions) -> Scorer:
    """The target has the highest score."""
    num_rows = len(questions.dataset.items) + 1
    return lambda rows: torch.nn.functional.one_hot(torch.from_numpy(questions.targets[rows]), num_rows).float()


def knowing_the_time(questions: Questions) -> Scorer:
    """Popular items, more so the longer the user has waited with the predicted click."""
    times, positions = questions.dataset.histories.times, questions.held_out.positions
    waited = torch.from_numpy((times[positions] - times[positions - 1]).astype(np.float32))
    return lambda rows: popular(questions)(rows) * waited[rows, None]


def choosing(questions: Questions) -> Scorer:
    """The most clicked items if they are what validation clicked, what followed the last click if not."""
    asked = Questions.of_validation(questions.dataset, exclude_seen=False, max_users=1000)
    scores = popular(asked)(slice(0, len(asked)))
    ranks = (scores >= scores.gather(1, torch.from_numpy(asked.targets)[:, None])).sum(dim=1)
    return popular(questions) if (ranks <= 10).float().mean() > 0.18 else following(questions)


def drawing(questions: Questions) -> Scorer:
    """Other scores every time."""

    def scores(rows: slice) -> Tensor:
        return torch.from_numpy(
            np.random.default_rng().random((rows.stop - rows.start, len(questions.dataset.items) + 1))
        )

    return scores
