"""How the index is searched."""

from typing import Literal

from recsys.section import Section


class IndexConfig(Section):
    kind: Literal["flat"] = "flat"
    """`flat` compares a query with every item: exact."""
