"""Every item's nearest items as one Parquet file, written some thousands at a time."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
from tqdm import tqdm

from recsys.data.events.ids import id_column
from recsys.durable import replaced_file
from recsys.errors import DataError
from recsys.lookups import Nearest
from recsys.similar import SimilarItems, checked_k


@dataclass(frozen=True)
class Written:
    file: Path
    num_items: int
    num_without: int
    """Items of the catalogue that the model never saw: of these nothing is known."""

    def lines(self) -> list[str]:
        return [
            f"Neighbours: {self.file}",
            f"  of {self.num_items:,} items; {self.num_without:,} were never clicked in training and have none",
        ]


def write_neighbours(opened: SimilarItems, file: Path, *, k: int, exact: bool = False) -> Written:
    """Rows (item_id, rank, neighbour_id, score), best first; the file appears whole or not at all."""
    if file.suffix != ".parquet":
        raise DataError(f"neighbours are written to a Parquet file: {file} must end in .parquet")
    items = np.flatnonzero(opened.bundle.known)
    num_near = min(checked_k(k), len(opened.bundle.index))
    ids = id_column(opened.bundle.items)
    file.parent.mkdir(parents=True, exist_ok=True)
    schema = _frame(ids, items[:0], opened.lookups.near_each(items[:0], num_near)).to_arrow().schema
    with (
        replaced_file(file) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd") as writer,
        tqdm(total=len(items), desc="neighbours", unit="item", disable=None) as progress,
    ):
        for own, nearest in opened.lookups.parts(items, num_near, exact=exact):
            writer.write_table(_frame(ids, own, nearest).to_arrow())
            progress.update(len(own))
    return Written(file, len(items), len(opened.bundle.items) - len(items))


def _frame(ids: pl.Series, items: "np.ndarray[tuple[int], np.dtype[np.int64]]", nearest: Nearest) -> pl.DataFrame:
    places, ranks = np.nonzero(nearest.items)
    return pl.DataFrame(
        {
            "item_id": ids[items[places] - 1],
            "rank": (ranks + 1).astype(np.int32),
            "neighbour_id": ids[nearest.items[places, ranks] - 1],
            "score": nearest.scores[places, ranks],
        }
    )
