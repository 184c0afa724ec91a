"""The split is sound: parts follow each other, none is torn, and what is asked for is a test click."""

from itertools import pairwise

import numpy as np

from recsys.data.dataset import Dataset
from recsys.evaluation.audit.findings import FAULT, PREPARE_AGAIN, Finding
from recsys.evaluation.questions import Questions

STRUCTURE = "each user's clicks are a training, a validation and a test part, in this order"
PARTS = {
    "leave_last_out": "of each user with three clicks or more, the last one tests and the one before it validates",
    "by_column": "users who test or validate have no training click",
}
ASKED = "each user is asked once, for the last of the user's test clicks"


def check_structure(dataset: Dataset) -> Finding:
    """What every other check needs to hold."""
    histories, split = dataset.histories, dataset.split
    offsets, items = np.asarray(histories.offsets), np.asarray(histories.items)
    bounds = np.stack([offsets[:-1], split.train_end, split.validation_end, offsets[1:]])
    torn = int((np.diff(bounds, axis=0) < 0).any(axis=0).sum())
    strange = int(((items < 1) | (items > len(dataset.items))).sum())
    ends_well = offsets[0] == 0 and offsets[-1] == len(items) == len(histories.times)
    is_whole = torn == strange == 0 and ends_well
    return Finding(
        check=STRUCTURE,
        verdict="passed" if is_whole else "leak",
        found=f"{histories.num_users:,} users and {len(items):,} clicks; the parts of {torn:,} users are out of "
        f"order, {strange:,} clicks are on items that do not exist"
        + ("" if ends_well else ", and the users' stretches do not end where the clicks end"),
        remedy="" if is_whole else PREPARE_AGAIN,
        numbers={"users out of order": torn, "clicks on no item": strange},
    )


def check_parts(dataset: Dataset) -> Finding:
    """What a split that is not by time promises."""
    kind = dataset.manifest.split
    wrong = _torn_last_clicks(dataset) if kind == "leave_last_out" else _torn_users(dataset)
    trained, validated, tested = _part_sizes(dataset)
    return Finding(
        check=PARTS[kind],
        verdict="leak" if wrong else "passed",
        found=f"{trained:,} clicks train, {validated:,} validate, {tested:,} test; {wrong:,} users break the rule",
        remedy=PREPARE_AGAIN if wrong else "",
        numbers={"wrong": wrong, "training": trained, "validation": validated, "test": tested},
    )


def check_asked(questions: Questions) -> Finding:
    """The positions of the questions, against the split."""
    dataset = questions.dataset
    users, positions = questions.held_out.users, questions.held_out.positions
    offsets, begins = np.asarray(dataset.histories.offsets), np.asarray(dataset.split.validation_end)
    is_last_test_click = (positions == offsets[users + 1] - 1) & (positions >= begins[users])
    has_past = positions > offsets[users]
    wrong = int((~(is_last_test_click & has_past)).sum())
    twice = len(users) - len(np.unique(users))
    return Finding(
        check=ASKED,
        verdict="leak" if wrong or twice else "passed",
        found=f"of {len(users):,} questions, {wrong:,} ask for another click and {twice:,} for a user's second time",
        remedy=FAULT if wrong or twice else "",
        numbers={"questions": len(users), "other clicks": wrong, "asked twice": twice},
    )


def _part_sizes(dataset: Dataset) -> tuple[int, int, int]:
    offsets = np.asarray(dataset.histories.offsets)
    bounds = [offsets[:-1], dataset.split.train_end, dataset.split.validation_end, offsets[1:]]
    trained, validated, tested = (int((end - begin).sum()) for begin, end in pairwise(bounds))
    return trained, validated, tested


def _torn_last_clicks(dataset: Dataset) -> int:
    ends = np.asarray(dataset.histories.offsets[1:])
    held_out = np.where(dataset.histories.lengths >= 3, 1, 0)
    right = (dataset.split.validation_end == ends - held_out) & (dataset.split.train_end == ends - 2 * held_out)
    return int((~right).sum())


def _torn_users(dataset: Dataset) -> int:
    offsets = np.asarray(dataset.histories.offsets)
    trains = dataset.split.train_end > offsets[:-1]
    validates = dataset.split.validation_end > dataset.split.train_end
    tests = offsets[1:] > dataset.split.validation_end
    return int((trains.astype(int) + validates + tests > 1).sum())
