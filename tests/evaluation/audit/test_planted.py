"""Each planted leak is found, and by the check that is meant for it and by no other."""

import pytest

from recsys.errors import LeakError
from recsys.evaluation.audit import copies, features, masks, rankings, rare, reading, repeats, split, times
from recsys.evaluation.audit.findings import AuditReport, require_clean
from recsys.evaluation.audit.intervention import TEST, VALIDATION
from tests.evaluation.audit import plants_in_code as in_code
from tests.evaluation.audit import plants_in_data as in_data
from tests.evaluation.audit import systems
from tests.evaluation.audit.garden import Garden

TEST_CLICKS, VALIDATION_CLICKS = TEST.format("planted"), VALIDATION.format("planted")
PLANTS = {
    "test clicks that train": (in_data.test_clicks_that_train, times.CUT),
    "a validation click that trains": (in_data.a_validation_click_that_trains, split.PARTS["leave_last_out"]),
    "test users who train": (in_data.test_users_who_train, split.PARTS["by_column"]),
    "parts out of order": (in_data.parts_out_of_order, split.STRUCTURE),
    "questions about validation clicks": (in_code.questions_about_validation, split.ASKED),
    "the future in the history": (in_data.the_future_in_the_history, times.ORDER),
    "candidates of the future": (in_data.candidates_of_the_future, masks.CANDIDATES),
    "untrained items taken for trained": (in_data.untrained_items_taken_for_trained, masks.TRAINED),
    "counts of everything": (in_code.counts_of_everything, masks.COUNTS),
    "a past that holds the target": (in_code.a_past_that_holds_the_target, reading.PASTS),
    "training on whole histories": (in_code.training_on_whole_histories, reading.EXAMPLES),
    "a click on either side of the cut": (in_data.a_click_on_either_side_of_the_cut, repeats.SAME_CLICK),
    "users under two names": (in_data.users_under_two_names, copies.COPIES),
    "test sessions in training": (in_data.sessions_of_the_test_part_in_training, copies.COPIES),
    "items counted over the whole log": (in_data.items_counted_over_the_whole_log, rare.ITEMS),
    "a column of targets": (in_data.a_column_of_targets, features.CHECK),
    "a column of all clicks": (in_data.a_column_of_all_clicks, features.CHECK),
    "a column of last days": (in_data.a_column_of_last_days, features.CHECK),
    "popularity with test clicks": (in_code.system("by_time", systems.popular_with_test), TEST_CLICKS),
    "transitions with test clicks": (in_code.system("by_time", systems.following_with_test), TEST_CLICKS),
    "reading too far": (in_code.system("leave_last_out", systems.reading_too_far), TEST_CLICKS),
    "knowing the target": (in_code.system("by_column", systems.all_knowing), TEST_CLICKS),
    "knowing the target's time": (in_code.system("leave_last_out", systems.knowing_the_time), TEST_CLICKS),
    "counting validation": (in_code.system("leave_last_out", systems.popular_with_validation), VALIDATION_CLICKS),
    "counting validation by time": (in_code.system("by_time", systems.popular_with_validation), VALIDATION_CLICKS),
    "a seen item in a list": (in_code.listed(in_code.a_seen_item), rankings.LISTS),
    "an untrained item in a list": (in_code.listed(in_code.an_item_without_training), rankings.LISTS),
    "an item twice in a list": (in_code.listed(in_code.an_item_twice), rankings.LISTS),
    "ranks better than the lists": (in_code.listed(in_code.better_ranks), rankings.SAME_METRIC),
}


@pytest.fixture(scope="module")
def table():
    """What was planted and what found it, printed at the end."""
    rows = []
    yield rows
    print()
    for planted, found, is_right in rows:
        print(f"{'found' if is_right else 'MISSED':<7} {planted:<36} {found}")
    right = sum(is_right for *_, is_right in rows)
    print(f"{right} of {len(rows)} planted leaks found by exactly the check meant for them")


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_leak_is_found_by_its_check_alone(name, log, tmp_path, table):
    plant, check = PLANTS[name]
    report = AuditReport(findings=tuple(plant(Garden(log, tmp_path))))
    found = {leak.check for leak in report.leaks}
    table.append((name, "; ".join(sorted(found)) or "nothing", found == {check}))
    assert found == {check}, "\n".join(report.lines())
    assert all(leak.remedy for leak in report.leaks)
    with pytest.raises(LeakError) as error:
        require_clean(report)
    assert check in str(error.value)
    assert report.leaks[0].remedy in str(error.value)
