"""Fully connected layers."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import Tensor, nn

from recsys.nn.dropout import Dropout


class Perceptron(nn.Module):
    """[N, width] -> [N, 1]: hidden layers with an activation and dropout, then a linear unit."""

    def __init__(
        self, width: int, hidden: Sequence[int], *, dropout: float, activation: Callable[[int], nn.Module]
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for narrow, wide in pairwise((width, *hidden)):
            layers += [nn.Linear(narrow, wide), activation(wide), Dropout(dropout)]
        last = hidden[-1] if hidden else width
        self.layers = nn.Sequential(*layers, nn.Linear(last, 1))

    def forward(self, x_NK: Tensor) -> Tensor:
        return self.layers(x_NK)


def leaky_relu(_: int) -> nn.Module:
    return nn.LeakyReLU()
