"""A bundle of made item vectors, for what depends on nothing but how many they are and how they lie."""

from pathlib import Path

import numpy as np
import torch

from recsys.benchmark.vectors import vectors_of
from recsys.bundle.contents import BundleContents, Indexed
from recsys.bundle.manifest import Record
from recsys.bundle.publish import publish
from recsys.data.feature_table import Features
from recsys.data.texts import Texts
from recsys.data.vocabulary import TextVocabulary
from recsys.index.trial import Tell
from recsys.model.retriever import Retriever, RetrieverConfig

NEVER = "1970-01-01T00:00:00+00:00"


def publish_made(source: str, workdir: Path, *, tell: Tell) -> Path:
    """The bundle's directory; `source` is such as clustered:1000000x64. Its encoder was never trained."""
    vectors = vectors_of(source).vectors
    live = np.arange(len(vectors) + 1) > 0
    config = RetrieverConfig(dim=vectors.shape[1])
    retriever = Retriever.for_catalogue(config, len(vectors), Features()).eval()
    with torch.no_grad():
        retriever.clicked.weight_VD[1:] = torch.from_numpy(vectors)
    contents = BundleContents(
        retriever=retriever,
        items=TextVocabulary(Texts.of(f"i{number:08}" for number in range(len(vectors)))),
        titles=None,
        features=Features(),
        candidates=live,
        known=live,
        popularity=live.astype(np.int64),
        config={"made": source},
        metrics={},
        indexed=Indexed(tell=tell),
    )
    return publish(contents, workdir, Record(published=NEVER, trained=NEVER))
