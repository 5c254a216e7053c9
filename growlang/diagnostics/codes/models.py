"""Codes of shapes and arguments."""

from __future__ import annotations

from growlang.diagnostics.codes.code import Code

MODELS = {
    "G201": Code(
        "bad-value",
        "A value has the wrong type or is out of range.",
        "Every argument has a type and a range, which the message names. Values that come "
        "from a param point back to the line that gave them.",
    ),
    "G202": Code(
        "missing-argument",
        "A required argument is not given.",
        "An argument without a default must be given, by its position or by its name.",
    ),
    "G203": Code(
        "unknown-argument",
        "A call has no argument of that name, or too many.",
        "The call's signature is fixed; unknown arguments are errors and are never passed on.",
    ),
    "G204": Code(
        "resolution",
        "The resolutions of two places do not match.",
        "Stem, stages, core and head are on grids that divide one another: each place must get "
        "the resolution that it states, and the head must end at the image's.",
    ),
    "G205": Code(
        "width",
        "The widths of two places do not match.",
        "A place takes the width of its first op, and its input must have that width. Between "
        "stages `down` and `up` change it; elsewhere an op must.",
    ),
    "G206": Code(
        "skips",
        "Encode and decode sides have different numbers of skips, or skips join nothing.",
        "With `skips = block` each residual op of a decode side takes the output of one "
        "residual op of the encode side, last first, so their numbers are equal in each stage; one "
        "more on the decode side takes what comes into the stage. "
        "A model that sets `skips` explicitly must have at least one.",
    ),
    "G207": Code(
        "heads",
        "The number of heads does not divide the width.",
        "Attention splits the channels evenly over its heads, unless `head_width` says how many "
        "each has.",
    ),
    "G208": Code(
        "attend",
        "A name in `attend` is not a condition of the model, or no op attends to a condition.",
        "`attend` lists `self` and names of the model's conditions, each of which becomes a "
        "sublayer of its own. A condition that no op attends to would have no effect. A label "
        "without a width, `classes(1000)`, is no condition: `classify(label)` predicts it.",
    ),
    "G209": Code(
        "stage-order",
        "Resolutions of stages do not decrease strictly towards the core.",
        "Stages are written from the image to the core, each at a lower resolution than the one "
        "before it, and above the core's; the last may be at the core's, with its blocks on both "
        "sides of it.",
    ),
    "G210": Code(
        "missing-slot",
        "A model has no input, stem, core or head, or there are recipes without a model.",
        "A model needs an image (or tokens), a stem, a core and a head; with `grows`, what is "
        "kept from the parent counts, and so does its input. A file without a model is a "
        "library: it holds params, blocks and data, and nothing to train.",
    ),
    "G212": Code(
        "wrong-kind",
        "An op gets another kind of input than it takes.",
        "Values are grids, embedded tokens or token ids. In an image model a grid becomes "
        "tokens, and back, where an op needs it; a token model has no grid, and ids must be "
        "embedded first.",
    ),
    "G213": Code(
        "unjoined",
        "No skip joins the two sides of a stage.",
        "With `skips = block`, the default, the residual ops of a stage's sides are joined. A "
        "stage of other ops passes nothing from its encode side to its decode side, and a U-Net "
        "without skips loses what its core does not carry. It is a warning, since it may be "
        "intended: `skips = none` says so. A side that computes nothing, such as `identity`, "
        "needs no skip.",
        "warning",
    ),
    "G214": Code(
        "vae",
        "The latents of a model are not those of its VAE.",
        '`image = latent(32, channels = 4, vae = "folder")` says what the VAE gives, so that a '
        "spec is compiled without it. Where the folder is on this machine, its config is held "
        "against that: it has to be an AutoencoderKL of diffusers with as many channels of "
        "latents, pixels a side for each of them and colours. It is loaded when training starts, "
        "and checked again.",
    ),
    "G220": Code(
        "other-data",
        "A source of data names what it does not read.",
        "`webdataset` reads tar shards, `folder` a folder of images. Images and tables of captions "
        "are read in place by `folder`, or packed into shards by `growlang pack`.",
    ),
}
