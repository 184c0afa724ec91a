"""An opened bundle: everything that answering needs, and nothing that training needs."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue
from safetensors import SafetensorError

from recsys.bundle.contents import CANDIDATES, GOLDEN, ITEMS, KNOWN, METRICS, POPULARITY, RECOMMEND, SIMILAR, VECTORS
from recsys.bundle.golden import Golden
from recsys.bundle.manifest import MANIFEST, RECORD, Manifest, Record, content_id, resolved, verify
from recsys.data.feature_table import Features
from recsys.data.titles import Titles
from recsys.data.user_features import UserFeatures
from recsys.data.vocabulary import Vocabulary
from recsys.errors import BundleError
from recsys.index.item_index import ItemIndex
from recsys.model.ranking.ranker import Ranker
from recsys.model.ranking.store import load_ranker
from recsys.model.retriever import Retriever
from recsys.model.store import load_retriever


@dataclass(frozen=True)
class Bundle:
    """Arrays are indexed by item, row 0 being padding; the rows of an index are the candidates in index order."""

    path: Path
    content_id: str
    manifest: Manifest
    record: Record
    retriever: Retriever
    item_vectors: NDArray[np.float32]
    items: Vocabulary
    titles: Titles | None
    features: Features
    candidates: NDArray[np.bool_]
    known: NDArray[np.bool_]
    popularity: NDArray[np.int64]
    metrics: JsonValue
    """What the evaluation said when it was made."""
    golden: Golden
    index: ItemIndex
    """Of unit vectors."""
    recommend_index: ItemIndex | None = None
    """Of vectors as the trained score has them, where recommending may go through an index."""
    ranker: Ranker | None = None
    user_features: UserFeatures = field(default_factory=UserFeatures)
    """What the ranker reads of a user, if it reads anything."""


# What parsing raises of files that are whole, but were written by a library that knew more than this one.
ILLEGIBLE = (ValueError, LookupError, RuntimeError, SafetensorError)


def open_bundle(path: Path) -> Bundle:
    """Verified before anything in it is parsed; a pointer that moves on later does not matter."""
    directory = resolved(path)
    manifest = verify(directory)
    try:
        return _parsed(directory, manifest)
    except ILLEGIBLE as error:
        raise BundleError(
            f"bundle {directory} is refused: recsys {manifest.library_version} wrote it, and this one cannot read it "
            f"({_first_line(error)}); use that version, or publish it again with this one"
        ) from error


def _parsed(directory: Path, manifest: Manifest) -> Bundle:
    return Bundle(
        path=directory,
        content_id=content_id((directory / MANIFEST).read_bytes()),
        manifest=manifest,
        record=Record.model_validate_json((directory / RECORD).read_bytes()),
        retriever=load_retriever(directory),
        item_vectors=_array(directory, VECTORS),
        items=Vocabulary.open(directory, ITEMS),
        titles=Titles.open(directory),
        features=Features.open(directory),
        candidates=_array(directory, CANDIDATES),
        known=_array(directory, KNOWN),
        popularity=_array(directory, POPULARITY),
        metrics=json.loads((directory / METRICS).read_bytes()),
        golden=Golden.read(directory / GOLDEN, remedy="publish the bundle again"),
        index=_index(directory, SIMILAR),
        recommend_index=_index(directory, RECOMMEND) if manifest.is_recommend_approximate else None,
        ranker=load_ranker(directory) if manifest.num_ranked else None,
        user_features=UserFeatures.open(directory),
    )


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _index(directory: Path, name: str) -> ItemIndex:
    try:
        return ItemIndex.open(directory, name, is_verified=True)
    except ValueError as error:
        raise BundleError(f"bundle {directory} is refused: its index {name!r}: {error}; publish it again") from None


def _array(directory: Path, name: str) -> NDArray[Any]:
    """Mapped, so that the processes of a server share it; copied where it is written to, which nobody does."""
    return np.asarray(np.load(directory / name, mmap_mode="c", allow_pickle=False))
