"""What goes into a bundle, and the files that it becomes."""

from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import JsonValue

from recsys.blend import Blend
from recsys.bundle.golden import make_golden
from recsys.bundle.manifest import Manifest, payload_of
from recsys.data.dataset import Dataset
from recsys.data.feature_table import Features
from recsys.data.titles import Titles
from recsys.data.user_features import UserFeatures
from recsys.data.vocabulary import Vocabulary
from recsys.durable import json_bytes
from recsys.errors import UserError
from recsys.index.build import build_index
from recsys.index.config import AutoIndex, IndexConfig
from recsys.index.effort import LookupTimes
from recsys.index.timing import lookup_times
from recsys.index.trial import Tell, untold
from recsys.index.vectors import unit_rows
from recsys.model.ranking.ranker import Ranker
from recsys.model.ranking.store import save_ranker
from recsys.model.retriever import Retriever
from recsys.model.store import save_retriever

ITEMS = "items"
CONFIG, METRICS, GOLDEN = "config.json", "metrics.json", "golden.json"
SIMILAR, RECOMMEND = "similar", "recommend"
"""The names of the indices: of unit vectors, and of vectors as the trained score has them."""
VECTORS, CANDIDATES, KNOWN, POPULARITY = "item_vectors.npy", "candidates.npy", "known.npy", "popularity.npy"


@dataclass(frozen=True)
class Ranked:
    """A ranker, how many of the retriever's items it puts in order, and what its word weighs."""

    ranker: Ranker
    num_candidates: int
    blend: Blend


@dataclass(frozen=True)
class Indexed:
    """How items are looked up, whether recommending may go through an index too, and who is told how it is built."""

    config: IndexConfig = field(default_factory=AutoIndex)
    is_recommend_approximate: bool = False
    tell: Tell = untold


@dataclass(frozen=True)
class BundleContents:
    """Arrays are indexed by item, row 0 being padding.

    `candidates` may be recommended, `known` may stand in a history that the model reads, `popularity` counts
    training clicks. `user_features` are kept for a ranker that reads them, `config` and `metrics` for the record.
    """

    retriever: Retriever
    items: Vocabulary
    titles: Titles | None
    features: Features
    candidates: NDArray[np.bool_]
    known: NDArray[np.bool_]
    popularity: NDArray[np.int64]
    config: JsonValue
    metrics: JsonValue
    ranked: Ranked | None = None
    indexed: Indexed = Indexed()
    user_features: UserFeatures = field(default_factory=UserFeatures)

    @classmethod
    def of(
        cls,
        dataset: Dataset,
        retriever: Retriever,
        *,
        config: JsonValue,
        metrics: JsonValue,
        ranked: Ranked | None = None,
        indexed: Indexed | None = None,
    ) -> "BundleContents":
        return cls(
            retriever=retriever,
            ranked=ranked,
            indexed=indexed or Indexed(),
            items=dataset.items,
            titles=dataset.titles,
            features=dataset.features,
            candidates=np.asarray(dataset.candidates),
            known=dataset.known_items,
            popularity=dataset.training_counts(),
            config=config,
            metrics=metrics,
            user_features=UserFeatures.of(dataset.user_features),
        )

    def write(self, directory: Path) -> tuple[Manifest, LookupTimes]:
        """Into an empty directory; the manifest that describes it all, and how fast lookups are."""
        vectors = self._item_vectors()
        times = self._write_indices(directory, vectors[self.candidates])
        save_retriever(self.retriever, directory)
        if self.ranked is not None:
            save_ranker(self.ranked.ranker, directory)
            if self.ranked.ranker.shape.user_features:
                self.user_features.save(directory)
        self.items.save(directory, ITEMS)
        self.features.save(directory)
        if self.titles is not None:
            self.titles.save(directory)
        arrays = {VECTORS: vectors, CANDIDATES: self.candidates, KNOWN: self.known, POPULARITY: self.popularity}
        for name, array in arrays.items():
            np.save(directory / name, array, allow_pickle=False)
        (directory / CONFIG).write_bytes(json_bytes(self.config))
        (directory / METRICS).write_bytes(json_bytes(self.metrics))
        golden = make_golden(self.retriever, vectors, self.candidates, self.popularity)
        (directory / GOLDEN).write_bytes(json_bytes(golden.model_dump(mode="json")))
        return self._manifest(directory), times

    def _write_indices(self, directory: Path, vectors: NDArray[np.float32]) -> LookupTimes:
        config, tell = self.indexed.config, self.indexed.tell
        similar = build_index(unit_rows(vectors), config, tell=tell)
        similar.save(directory, SIMILAR)
        if self.indexed.is_recommend_approximate:
            build_index(vectors, config, tell=tell).save(directory, RECOMMEND)
        return lookup_times(similar)

    def _item_vectors(self) -> NDArray[np.float32]:
        with torch.inference_mode():
            vectors = self.retriever.item_vectors().float().cpu().numpy()
        if not np.isfinite(vectors).all():
            raise UserError("the trained item vectors must be finite: training diverged, lower training.learning_rate")
        return vectors

    def _manifest(self, directory: Path) -> Manifest:
        config = self.retriever.config
        return Manifest(
            library_version=version("recsys"),
            recommend_metric=config.score.kind,
            id_type=self.items.id_type,
            num_items=len(self.items),
            num_candidates=int(self.candidates.sum()),
            dim=config.dim,
            max_length=config.max_length,
            is_recommend_approximate=self.indexed.is_recommend_approximate,
            num_ranked=0 if self.ranked is None else self.ranked.num_candidates,
            blend=None if self.ranked is None else self.ranked.blend,
            files=payload_of(directory),
        )
