"""Lists of another system, whatever made them: a Parquet file of user_id, item_id and rank, from 1 for the best."""

from pathlib import Path

import polars as pl

from recsys.errors import DataError

COLUMNS = ("user_id", "item_id", "rank")


def read_lists(path: Path, asked: pl.DataFrame, k: int) -> pl.DataFrame:
    """The first k places of the users who are `asked`, in the types of their ids; DataError where they are no lists."""
    try:
        schema = pl.read_parquet_schema(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path} is no Parquet file of lists: {str(error).splitlines()[0]}") from None
    missing = [column for column in COLUMNS if column not in schema]
    if missing:
        raise DataError(
            f"{path} has no column {missing[0]!r}, only {', '.join(schema)}: lists have {', '.join(COLUMNS)}"
        )
    ids = {column: asked.schema[column] for column in ("user_id", "item_id")}
    for column, wanted in ids.items():
        if not (schema[column].is_integer() and wanted.is_integer()) and schema[column] != wanted:
            raise DataError(f"{path}: {column} is {schema[column]}, and that of the run it is compared with {wanted}")
    if not schema["rank"].is_integer():
        raise DataError(f"{path}: rank is {schema['rank']}; it has to be a whole number, 1 for the best")
    typed = [pl.col(column).cast(kind, strict=False) for column, kind in {**ids, "rank": pl.Int64()}.items()]
    lists = pl.read_parquet(path, columns=list(COLUMNS)).select(typed)
    lists = lists.join(asked.select("user_id"), on="user_id", how="semi").sort("user_id", "rank")
    _require_lists(path, lists, k)
    return lists.filter(pl.col("rank") <= k)


def _require_lists(path: Path, lists: pl.DataFrame, k: int) -> None:
    if lists.is_empty():
        raise DataError(f"{path} has none of the users who are asked: are they another log's?")
    if lists.null_count().sum_horizontal().item():
        raise DataError(f"{path} has empty values, or ids that the log cannot have: leave those rows out")
    lowest, longest = lists.select(low=pl.min("rank"), high=pl.max("rank")).row(0)
    if lowest != 1 or longest < k:
        raise DataError(f"{path} has ranks from {lowest} to {longest}: they have to go from 1 to {k} at least")
    for pair, told in ((["user_id", "rank"], "two items of one rank"), (["user_id", "item_id"], "one item twice")):
        twice = lists.filter(pl.struct(pair).is_duplicated())
        if len(twice):
            raise DataError(f"{path}: user {twice['user_id'][0]!r} has {told}")
