"""Levels of noise: how often a net is trained at each of them."""

from typing import Annotated, ClassVar

from growlang.signatures.signature import Signature, argument
from growlang.signatures.tables import CallOf, read_call, table


class Uniform(Signature):
    """Uniform over the time of the noise schedule."""

    call: ClassVar[str] = "uniform"


class LogNormal(Signature):
    """A normal distribution of ln sigma (arXiv 2206.00364, table 1).

    sigma is that of the noise over that of the image's factor, at the size that is trained on:
    log-SNR = -2 ln sigma. What lies outside of the noise schedule becomes the nearest end of it.
    """

    call: ClassVar[str] = "log_normal"
    mean: float = argument("mean of ln sigma", -1.2)
    std: float = argument("standard deviation of ln sigma", 1.2, gt=0)


class LogitNormal(Signature):
    """A normal distribution of ln(t / (1 - t)) (arXiv 2403.03206, section 3.1).

    t is 1 for noise: a positive mean is more noise.
    """

    call: ClassVar[str] = "logit_normal"
    mean: float = argument("mean of ln(t / (1 - t))", 0.0)
    std: float = argument("standard deviation of ln(t / (1 - t))", 1.0, gt=0)


LEVELS = table(Uniform, LogNormal, LogitNormal)
Levels = Uniform | LogNormal | LogitNormal
CalledLevels = Annotated[Levels, CallOf(LEVELS), read_call(LEVELS)]
