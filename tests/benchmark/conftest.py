"""Matrix products are timed for moments only: their rates are of no interest here."""

import pytest

from recsys.benchmark import products


@pytest.fixture(autouse=True)
def quick_products(monkeypatch):
    monkeypatch.setattr(products, "TIMED_SECONDS", 0.001)
