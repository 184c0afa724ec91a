"""Everything that can be told from the prepared dataset alone, and from the code that reads it."""

from collections.abc import Collection, Iterator

from recsys.evaluation.audit.clicks import Clicks
from recsys.evaluation.audit.copies import check_copies, check_near_duplicates
from recsys.evaluation.audit.drift import check_drift
from recsys.evaluation.audit.features import check_features
from recsys.evaluation.audit.findings import Finding
from recsys.evaluation.audit.masks import check_candidates, check_catalogue, check_counts, check_trained_items
from recsys.evaluation.audit.reading import check_examples, check_pasts
from recsys.evaluation.audit.repeats import check_same_click, check_same_item
from recsys.evaluation.audit.split import check_asked, check_parts, check_structure
from recsys.evaluation.audit.times import check_future, check_order, check_ties
from recsys.evaluation.questions import Questions


def audit_data(questions: Questions, *, trusted: Collection[str] = ()) -> tuple[Finding, ...]:
    """A finding a check; only the first one where the arrays do not even fit each other.

    `trusted` names item features that were known in advance.
    """
    structure = check_structure(questions.dataset)
    if structure.verdict == "leak":
        return (structure,)
    return structure, *_audit_sound(questions, trusted)


def _audit_sound(questions: Questions, trusted: Collection[str]) -> Iterator[Finding]:
    dataset, clicks = questions.dataset, Clicks.of(questions.dataset)
    if dataset.manifest.split != "by_time":
        yield check_parts(dataset)
    yield check_asked(questions)
    yield check_future(questions, clicks)
    yield check_order(clicks)
    yield check_ties(questions, clicks)
    yield check_trained_items(dataset, clicks)
    yield check_candidates(dataset, clicks)
    yield check_catalogue(dataset, clicks)
    yield check_counts(dataset, clicks)
    yield check_pasts(questions)
    yield check_examples(dataset, clicks)
    yield check_features(questions, clicks, trusted=trusted)
    yield check_same_click(questions, clicks)
    yield check_same_item(questions, clicks)
    yield check_copies(questions, clicks)
    yield check_near_duplicates(questions, clicks)
    yield check_drift(questions, clicks)
