"""Picking the best of many scores."""

import random

import numpy as np
import pytest

from knowledge.timeline import best


@pytest.mark.parametrize("most", [0, 1, 3, 40, 60])
def test_the_best_are_those_of_a_whole_sort(most: int) -> None:
    values = np.array(random.Random(7).choices([-np.inf, 0.0, 0.5, 0.7, 1.0], k=50))
    assert best(values, most).tolist() == np.argsort(-values, kind="stable")[:most].tolist()
    assert best(values[:0], most).tolist() == []
