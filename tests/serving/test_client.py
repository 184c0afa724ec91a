"""`recsys.Client` and `recsys similar --url`: Python's answers, from elsewhere."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing

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


def test_similar_as_json_is_for_programs_and_names_the_bundle(
    server: Running, recommender: Recommender, tmp_path
) -> None:
    done = command(tmp_path, "similar", "--url", server.url, "i050", "i070", "--k", "3", "--json")
    told = json.loads(done.stdout)
    assert (told["bundle"], told["metric"]) == (recommender.bundle.content_id, "cosine")
    assert [answer["items"] for answer in told["answers"]] == [["i050"], ["i070"]]
    expected = [(one.item, one.title) for one in recommender.similar("i070", k=3)]
    assert [(one["item"], one["title"]) for one in told["answers"][1]["neighbours"]] == expected


@pytest.mark.parametrize("more", [["--together"], ["--all", "near.parquet"], ["--index", "exact"]])
def test_what_a_server_cannot_be_asked_is_refused(tmp_path, more: list[str]) -> None:
    done = command(tmp_path, "similar", "--url", "http://127.0.0.1:9", "i050", *more)
    assert_one_message(done, "leave --together, --all and --index out, or name a bundle instead of --url")
    assert done.returncode == 2


@pytest.fixture(params=[b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>", b"220 mail ready\r\n", b""])
def stranger(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a server that is none of ours."""

    def answer() -> None:
        with listener.accept()[0] as connection:
            connection.recv(1 << 16)
            connection.sendall(request.param)

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


def test_another_server_is_told_from_ours(stranger: str) -> None:
    with pytest.raises(
        ServerError, match=rf"what answers at {stranger} is no `recsys serve`|no answer from {stranger}"
    ):
        recsys.Client(stranger, timeout=5).similar("i050")


@pytest.mark.parametrize("url", ["foo", "file:///etc", "http://", "http://a b"])
def test_what_is_no_address_is_one_message(url: str) -> None:
    with pytest.raises(ServerError, match=r"is no server's address: name one like|no answer from"):
        recsys.Client(url, timeout=1).bundle()


def test_a_client_needs_neither_torch_nor_numpy() -> None:
    code = (
        "import sys, recsys; recsys.Client('http://localhost'); "
        "print({'torch', 'numpy', 'faiss', 'polars'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
