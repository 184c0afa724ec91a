"""`recsys.Client` and `recsys similar --url`: Python's answers, from elsewhere."""

import subprocess
import sys

import pytest

import recsys
from recsys.recommender import Recommender
from recsys.serving.client import ServerError
from recsys.serving.requests import RecommendationsRequest
from tests.pipelines.commands import assert_one_message, command
from tests.serving.servers import Running


def test_answers_are_those_of_python(server: Running, recommender: Recommender) -> None:
    client = recsys.Client(server.url)
    near = client.similar("i050", k=3)
    assert [(one.item, one.title) for one in near] == [
        (one.item, one.title) for one in recommender.similar("i050", k=3)
    ]
    found = client.recommend(["i050", "zzz"], k=4)
    assert (found.bundle, found.unknown) == (recommender.bundle.content_id, ["zzz"])
    assert [one.item for one in found.recommendations] == [one.item for one in recommender.recommend(["i050"], k=4)]
    [alone, popular] = client.recommend_many(
        [RecommendationsRequest(history=["i050"]), RecommendationsRequest(history=[])]
    )
    assert (alone.source, popular.source) == ("retriever", "popular")
    assert client.search("film 12").items[0].item == "i120"
    assert client.bundle().num_items == 40


def test_what_the_server_refuses_is_one_message(server: Running) -> None:
    client = recsys.Client(server.url)
    with pytest.raises(ServerError, match="the model that is served knows no such item") as caught:
        client.similar("a/b ?&ä")
    assert caught.value.status == 404
    with pytest.raises(ServerError, match="ids of this bundle are of type string"):
        client.recommend([5])
    with pytest.raises(ServerError, match=r"no answer from http://127\.0\.0\.1:9 .*is `recsys serve` running there\?"):
        recsys.Client("http://127.0.0.1:9", timeout=1).bundle()


def test_similar_asks_a_server_where_one_is_named(server: Running, tmp_path) -> None:
    done = command(tmp_path, "similar", "--url", server.url, "i050", "--k", "3")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Nearest to i050")
    assert len([line for line in done.stdout.splitlines() if line.startswith("│")]) == 3
    assert_one_message(command(tmp_path, "similar", "--url", server.url, "zzz"), "knows no such item")


def test_a_client_needs_neither_torch_nor_numpy() -> None:
    code = (
        "import sys, recsys; recsys.Client('http://localhost'); "
        "print({'torch', 'numpy', 'faiss', 'polars'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
