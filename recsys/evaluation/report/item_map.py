"""The most clicked items as points of a plane: those that the model holds to be alike lie together."""

import numpy as np
from numpy.typing import NDArray
from sklearn.manifold import TSNE

from recsys.data.dataset import Dataset
from recsys.evaluation.report.contents import ItemMap, MapPoint
from recsys.evaluation.report.map_groups import Groups, by_clicks, by_feature
from recsys.evaluation.report.shown import shown_items

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]

FEWEST, FEWEST_FOR_TSNE, MOST = 5, 30, 1_500
PERPLEXITY = 30.0


def item_map(dataset: Dataset, directions: Float32) -> ItemMap | None:
    """Of items clicked in training; `directions` are unit item vectors."""
    counts = dataset.training_counts()
    items = np.flatnonzero(dataset.candidates & (counts > 0))
    items = items[np.argsort(-counts[items], kind="stable")][:MOST]
    if len(items) < FEWEST:
        return None
    method, places = _plane(directions[items])
    groups = _groups(dataset, items)
    names = [item.name for item in shown_items(dataset, items)]
    xs, ys = _framed(places).T.tolist()
    clicks = counts[items].tolist()
    return ItemMap(
        coloured_by=groups.coloured_by,
        groups=groups.names,
        points=tuple(map(MapPoint, xs, ys, names, groups.places.tolist(), clicks)),
        about=f"{method} of the {len(items):,} most clicked items",
    )


def _plane(directions: Float32) -> tuple[str, Float32]:
    """The method, and [N, 2] coordinates."""
    if len(directions) < FEWEST_FOR_TSNE:
        return "PCA", _principal(directions)
    perplexity = min(PERPLEXITY, (len(directions) - 1) / 3)
    return "t-SNE", TSNE(init="pca", perplexity=perplexity, random_state=0, n_jobs=1).fit_transform(directions)


def _principal(vectors: Float32) -> Float32:
    """Signs are such that the largest loading is positive."""
    centred = vectors - vectors.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2][:2]
    largest = np.abs(axes).argmax(axis=1)[:, None]
    return centred @ (axes * np.sign(np.take_along_axis(axes, largest, axis=1))).T


def _framed(places: Float32) -> NDArray[np.float64]:
    """Both axes on one scale, the longer one from -1 to 1."""
    low, high = places.min(axis=0).astype(np.float64), places.max(axis=0).astype(np.float64)
    half = max(float((high - low).max()) / 2, np.finfo(np.float32).tiny)
    return np.clip((places - (low + high) / 2) / half, -1.0, 1.0)


def _groups(dataset: Dataset, items: Int64) -> Groups:
    feature = next(iter(dataset.features), None)
    return by_clicks(dataset, items) if feature is None else by_feature(feature, items)
