"""Samplers: how images are drawn with a trained net."""

from typing import Annotated, ClassVar

from pydantic import Field, SerializeAsAny

from growlang.signatures.signature import Signature, argument
from growlang.signatures.tables import CallOf, Table, read_call

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[int, Field(ge=1)]


class Sampler(Signature):
    """Base of the samplers.

    A package declares one as an entry point of the group `growlang.samplers`.
    """

    runtime: ClassVar[str]
    """`module:function` of its computation, which a run imports: (sampler, noise (N, C, H, W),
    `growlang_runtime.diffusion.sampling.Levels`) -> images (N, C, H, W). It calls
    `levels.denoised` for each evaluation of the net, at t = 1 first and never at a later time
    than before."""
    steps: Positive = argument("number of network evaluations", 50)


class DDIM(Sampler):
    """Deterministic or partly stochastic sampler (arXiv 2010.02502)."""

    call = "ddim"
    runtime = "growlang_runtime.diffusion.schedulers:ddim"
    steps: Positive = argument("number of network evaluations", 256)
    eta: Fraction = argument("share of the ancestral noise", 0.0)


class DDPM(Sampler):
    """Ancestral sampler (arXiv 2006.11239)."""

    call = "ddpm"
    runtime = "growlang_runtime.diffusion.schedulers:ddpm"
    steps: Positive = argument("number of network evaluations", 256)


class DPMSolver(Sampler):
    """DPM-Solver++ multistep sampler (arXiv 2211.01095)."""

    call = "dpm_solver"
    runtime = "growlang_runtime.diffusion.schedulers:deterministic"
    steps: Positive = argument("number of network evaluations", 50)
    order: Annotated[int, Field(ge=1, le=3)] = argument("order of the solver", 2)


class Heun(Sampler):
    """Heun's method of second order on the probability-flow ODE (arXiv 2206.00364, algorithm 1)."""

    call = "heun"
    runtime = "growlang_runtime.diffusion.schedulers:deterministic"
    steps: Positive = argument(
        "number of steps, each of which evaluates the network twice, but the last once", 32
    )


class Euler(Sampler):
    """Euler's method on the probability-flow ODE (arXiv 2206.00364)."""

    call = "euler"
    runtime = "growlang_runtime.diffusion.schedulers:deterministic"
    steps: Positive = argument("number of network evaluations", 50)


SAMPLERS = Table(Sampler, [DDIM, DDPM, DPMSolver, Heun, Euler], group="growlang.samplers")
CalledSampler = Annotated[SerializeAsAny[Sampler], CallOf(SAMPLERS), read_call(SAMPLERS)]
