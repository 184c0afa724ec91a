"""How many threads FAISS takes."""

import faiss


def set_num_threads(number: int) -> None:
    """Of calls from this very thread of Python: OpenMP has a number for each."""
    faiss.omp_set_num_threads(number)
