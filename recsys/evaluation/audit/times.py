"""Nothing trains that happened after what is predicted; what stands before a click happened before it."""

import numpy as np

from recsys.evaluation.audit.clicks import Bools, Clicks, Int64
from recsys.evaluation.audit.findings import PREPARE_AGAIN, Finding
from recsys.evaluation.questions import Questions

CUT = "no training click is as late as the first validation click, and none before the cut as late as the cut"
FUTURE = "no training click is later than the click to be predicted"
ORDER = "each user's clicks are in the order of their times"
TIES = "the order of each user's last two clicks is told by their times"


def check_future(questions: Questions, clicks: Clicks) -> Finding:
    """Of a split by time, that its cut holds; of another, how much of its training clicks lies in the future."""
    if questions.dataset.manifest.split == "by_time":
        return _check_cut(clicks)
    if questions.dataset.manifest.time_kind != "calendar":
        return Finding(check=FUTURE, verdict="not applicable", found="the times of this log have no calendar")
    trained = np.sort(clicks.times[clicks.trains])
    later = len(trained) - np.searchsorted(trained, clicks.times[questions.held_out.positions], side="right")
    share = float(np.mean(later / len(trained)))
    split = questions.dataset.manifest.split
    return Finding(
        check=FUTURE,
        verdict="noted" if share else "passed",
        found=f"by the split {split}, {share:.1%} of the training clicks, other users', are later than the click to "
        f"be predicted, on average: the protocol lets the future of others be learnt",
        remedy="data.split.kind by_time has no such clicks; report its figures as well" if share else "",
        numbers={"share of later training clicks": share},
    )


def check_order(clicks: Clicks) -> Finding:
    wrong = int(((clicks.times[1:] < clicks.times[:-1]) & (clicks.users[1:] == clicks.users[:-1])).sum())
    return Finding(
        check=ORDER,
        verdict="leak" if wrong else "passed",
        found=f"of {len(clicks.times):,} clicks, {wrong:,} come after a later one of their user",
        remedy=PREPARE_AGAIN if wrong else "",
        numbers={"clicks out of order": wrong},
    )


def check_ties(questions: Questions, clicks: Clicks) -> Finding:
    tied = int(tied_targets(questions, clicks.times).sum())
    share = tied / max(1, len(questions))
    return Finding(
        check=TIES,
        verdict="noted" if tied else "passed",
        found=f"{tied:,} of {len(questions):,} targets ({share:.1%}) have the time of the click before them: "
        f"which of the two is asked for is the order of the log's rows",
        numbers={"tied targets": tied, "share": share},
    )


def tied_targets(questions: Questions, times: Int64) -> Bools:
    """[N] whether the target's time is that of the click before it."""
    positions = questions.held_out.positions
    return times[positions] == times[positions - 1]


def _date(microseconds: int) -> str:
    return str(np.datetime64(int(microseconds), "us").astype("datetime64[s]")).replace("T", " ")


def _check_cut(clicks: Clicks) -> Finding:
    trained, validated, tested = (clicks.times[part] for part in (clicks.trains, clicks.validates, clicks.tests))
    cut = tested.min()
    train_until = min(cut, validated.min(initial=cut))
    late = int((trained >= train_until).sum()) + int((validated >= cut).sum())
    return Finding(
        check=CUT,
        verdict="leak" if late else "passed",
        found=f"training ends with {_date(trained.max())}, "
        f"validation with {_date(validated.max()) if len(validated) else 'nothing'}, "
        f"the cut is at {_date(cut)} UTC; {late:,} clicks are too late for their part",
        remedy=PREPARE_AGAIN if late else "",
        numbers={"clicks too late": late, "cut": float(cut)},
    )
