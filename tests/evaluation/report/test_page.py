import re
from dataclasses import replace

import pytest

from recsys.evaluation.outcome import Segment, Segmentation
from recsys.evaluation.report.contents import Best, EpochPoint, ItemMap, Neighbourhood, PopularityShares, ShownItem
from recsys.evaluation.report.page import PARTS, render
from recsys.evaluation.report.wording import interval, metric, system_title
from tests.evaluation.report import made, made_evaluation
from tests.evaluation.report.made_evaluation import NDCG
from tests.evaluation.report.parsed import Page

HOSTILE = "<script>alert(1)</script> </svg></table> \"two\" 'one' & \N{CLAPPER BOARD} قصة لعبة "
NOWHERE = float("nan")


def hostile_contents(name=HOSTILE):
    """Every text that comes from data is the name."""
    item = ShownItem(name, name, (name, name))
    contents = made.contents()
    examples = [replace(each, user_id=name, why=name, history=(item,), target=item) for each in contents.examples]
    points = tuple(replace(point, name=name) for point in contents.item_map.points)
    part = made_evaluation.segment(name, 3, 1.0)
    audit = {"findings": [made_evaluation.finding("leak", name, name, name)]}
    evaluation = made_evaluation.evaluation(
        segmentations=[Segmentation(name=name, segments=(part,))], audit=audit, missing={name: name}
    )
    return replace(
        contents,
        title=name,
        evaluation=evaluation,
        examples=tuple(replace(each, recommended=(replace(each.recommended[0], item=item),)) for each in examples),
        neighbourhoods=(Neighbourhood(item, ((item, 0.5),)),),
        item_map=ItemMap(name, (name,) * 7, points, name),
        data_report=((name, name),),
        configuration=name,
        command=name,
        facts=((name, name),),
    )


def without(**changes):
    return made.contents(evaluation=made_evaluation.evaluation(**changes))


def one_lonely_user():
    alone = {"retriever": made_evaluation.system_result(0.0)}
    protocol = made_evaluation.protocol(users=1, users_without_history=1)
    return without(protocol=protocol, systems=alone, comparisons=(), segmentations=())


def no_numbers():
    lost = {"value": NOWHERE, "low": NOWHERE, "high": NOWHERE}
    systems = made_evaluation.evaluation().model_dump()["systems"]
    exposure = dict.fromkeys(("coverage", "gini", "popularity", "novelty"), NOWHERE) | {"diversity": None}
    for result in systems.values():
        result |= {"metrics": dict.fromkeys(result["metrics"], lost), "if_ties_favour": {}, "exposure": exposure}
    contents = without(systems=systems, comparisons=(), target_popularity=NOWHERE)
    return replace(contents, popularity=PopularityShares((NOWHERE,) * 10, dict.fromkeys(NDCG, (NOWHERE,) * 10)))


EMPTY_SEGMENT = Segmentation(name="history length", segments=(Segment(name="none", users=0, metrics={}),))
ONE_EPOCH = replace(made.training(), epochs=(EpochPoint(1, 5.0, None),), best_epoch=1)
CONTENTS = {
    "full": made.contents,
    "simulated": lambda: made.contents(best=Best(0.4093, 0.2574)),
    "a leak": lambda: without(audit=made_evaluation.leaking_audit()),
    "nothing audited": lambda: without(audit={"findings": ()}),
    "one user": one_lonely_user,
    "no metrics": lambda: without(systems={}, comparisons=(), segmentations=()),
    "no numbers": no_numbers,
    "an empty segment": lambda: without(segmentations=(EMPTY_SEGMENT,)),
    "missing systems": lambda: without(missing={"recently_popular": "there is no calendar"}),
    "no validation": lambda: made.contents(training=ONE_EPOCH),
    "no training": lambda: made.contents(training=replace(ONE_EPOCH, epochs=())),
    "nothing optional": lambda: made.contents(
        calibration=None, item_map=None, examples=(), neighbourhoods=(), history_lengths=(), data_report=(), facts=()
    ),
    "no titles": lambda: made.contents(neighbourhoods=(Neighbourhood(ShownItem("12", "12"), ()),)),
    "hostile": hostile_contents,
    "endless names": lambda: hostile_contents("W" * 300),
}


@pytest.fixture(params=CONTENTS, scope="module")
def html(request):
    return render(CONTENTS[request.param]())


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_every_page_is_well_formed_and_has_every_part(page):
    anchors = [element.attributes["id"] for element in page.all("section")]
    assert anchors == [part.anchor for part in PARTS]
    ids = [element.attributes["id"] for element in page.elements if "id" in element.attributes]
    assert len(ids) == len(set(ids))
    assert {element.attributes["href"] for element in page.all("a")} <= {f"#{name}" for name in ids}


def test_nothing_is_loaded_from_anywhere_and_nothing_runs(page, html):
    for element in page.elements:
        assert element.name not in {"script", "img", "iframe", "object", "embed"}
        assert not any(name.startswith("on") for name in element.attributes)
        for name in ("src", "href", "xlink:href", "action", "style"):
            assert (element.attributes.get(name) or "#").startswith(("#", "data:,"))
    style = page.all("style")[0].words
    assert "url(" not in style
    assert "@import" not in style
    assert "default-src 'none'" in html


def test_what_is_no_number_is_never_shown_as_one(page):
    shown = [page.words, *(value or "" for element in page.elements for value in element.attributes.values())]
    assert not [text for text in shown if re.search(r"\b(None|nan|inf|undefined)\b", text)]


def test_tables_and_charts_say_what_they_are(page):
    assert len(page.all("table")) == len(page.all("caption"))
    assert all(element.attributes["scope"] for element in page.all("th"))
    for chart in page.charts.values():
        assert chart.attributes["role"] == "img"
        assert chart.attributes["aria-label"]


def test_all_charts_are_there():
    contents = made.contents()
    metrics = {f"systems-{name}" for name in ("HR@10", "NDCG@10", "MRR@10")}
    differences = {f"differences-{name}" for name in ("HR@10", "NDCG@10")}
    segments = {f"segments-{each.name}" for each in contents.evaluation.segmentations}
    shares = {f"popularity-{system}" for system in NDCG}
    trained = {f"{name}-{what}" for name in ("training", "ranker") for what in ("loss", "validation")}
    rest = {"item-map", "calibration", "ranker-calibration", "weights", "history-lengths"} | trained
    assert Page(render(contents)).charts.keys() == metrics | differences | segments | shares | rest


def test_the_values_are_those_of_the_contents():
    contents = made.contents()
    words = Page(render(contents)).words
    for system, result in contents.evaluation.systems.items():
        assert system_title(system) in words
        for value in result.metrics.values():
            assert f"{metric(value.value)} {interval(value)}" in words
    for comparison in contents.evaluation.comparisons:
        assert f"{comparison.difference.value:+.4f}" in words
    for finding in contents.evaluation.audit.findings:
        assert finding.found in words
    for fact, value in (*contents.data_report, *contents.facts):
        assert f"{fact} {value}" in words
    assert contents.command in words
    assert " ".join(contents.configuration.split()) in words


def test_a_missing_system_is_named_with_its_reason():
    contents = CONTENTS["missing systems"]()
    assert "Recently popular n/a there is no calendar" in Page(render(contents)).words


def test_what_was_clicked_next_is_marked_in_words():
    found = [each for each in made.contents().examples if each.target_rank is not None and each.target_rank <= 10]
    page = Page(render(made.contents()))
    marked = [element for element in page.all("li") if element.attributes.get("class") == "target"]
    assert [element.attributes["value"] for element in marked] == [str(each.target_rank) for each in found]
    assert all("clicked next" in element.words for element in marked)


def test_texts_from_data_are_shown_as_they_are_and_never_obeyed():
    html = render(hostile_contents())
    assert "<script" not in html
    assert Page(html).words.count(" ".join(HOSTILE.split())) > 10


def test_the_best_of_each_column_is_bold():
    page = Page(render(made.contents()))
    best = made_evaluation.system_result(NDCG["retriever"]).metrics
    assert [element.words for element in page.all("strong")][:3] == [
        metric(best[name].value) for name in ("HR@10", "NDCG@10", "MRR@10")
    ]


def test_the_same_contents_make_the_same_bytes():
    assert render(made.contents()) == render(made.contents())


def test_a_large_report_is_a_small_file():
    examples = tuple(made.example(index, index + 1) for index in range(10))
    html = render(made.contents(item_map=made.item_map(1500), examples=examples))
    assert len(html.encode()) < 500_000


def test_without_a_second_stage_nothing_is_said_of_it():
    page = Page(render(made.contents(ranker=None)))
    assert "ranker" not in [element.attributes["id"] for element in page.all("section")]
    assert not {"weights", "ranker-loss"} & page.charts.keys()
