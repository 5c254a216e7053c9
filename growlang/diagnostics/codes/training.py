"""Codes of schedules, data and environment, and of a failure of growlang itself."""

from __future__ import annotations

from growlang.diagnostics.codes.code import Code

TRAINING = {
    "G401": Code(
        "all-frozen",
        "A phase freezes every tensor.",
        "A phase in which nothing trains would waste its steps.",
    ),
    "G402": Code(
        "empty-selector",
        "A selector matches nothing, or its range runs past the end.",
        "A selector that matches no tensor would freeze or scale nothing silently, and a range "
        "that runs past the end would match less than it says; it is mostly a typo, or a "
        "component or block that was removed.",
    ),
    "G403": Code(
        "no-phases",
        "A recipe has no phases.",
        "A recipe is trained phase by phase, and phases are never inherited: each recipe "
        "states how long it runs.",
    ),
    "G404": Code(
        "missing-setting",
        "A recipe is missing a setting that has no default.",
        "`data` and `batch` have no default, and neither the file's first recipe nor the "
        "parent's sets one.",
    ),
    "G405": Code(
        "bad-start",
        "The recipe cannot start where it says.",
        "`start` names a parent, a recipe or weights that the model does not have.",
    ),
    "G406": Code(
        "long-warmup",
        "A warm-up is longer than its run or phase.",
        "The learning rate rises linearly over the first `warmup` steps. If there are fewer "
        "steps than that, it never reaches the value of the optimizer, and the schedule after "
        "the warm-up never begins. The length of `for epochs(N)` is known only once the data is "
        "opened, so `train` warns then. It is a warning.",
        "warning",
    ),
    "G407": Code(
        "guidance-without-drop",
        "Images are sampled with guidance, but a condition is never dropped in training.",
        "Guidance other than 1 extrapolates from the unconditional to the conditional "
        "prediction. The unconditional prediction has to be trained: `drop` of the objective is "
        "the probability that conditions are dropped in training, 0 is never, and a list drops "
        "only what it names. It is a warning, since the weights that a child keeps may have "
        "been trained with it.",
        "warning",
    ),
    "G410": Code(
        "long-average",
        "The averaged weights have a longer memory than the run.",
        "An average with decay d spans about 1 / (1 - d) steps: 10,000 at the default of 0.9999. "
        "In a shorter run it never does: the decay of the first steps is smaller, min(d, (1 + n) / "
        "(10 + n)) after n steps, and where the parent's averages go on (`moments = carry`) they "
        "hardly move. `ema = auto` averages over a twentieth of the run. `compile` and `train` "
        "warn of it; `check` does not. Runs of fewer than 50 steps are not judged.",
        "warning",
    ),
    "G411": Code(
        "too-short-to-learn",
        "The learning rate is too small for what is new to learn within the run.",
        "AdamW moves a weight by about the learning rate a step, whatever the gradient's size: at "
        "1e-4, within 400 steps, by at most 0.04. Weights that begin at random values of 0.1 "
        "hardly leave them, and the samples are noise. It adds up the steps of all phases that "
        "train what is new, and does not judge runs of fewer than 50 steps. `compile` and `train` "
        "warn of it; `check` does not.",
        "warning",
    ),
    "G412": Code(
        "large-embedding",
        "An embedding is most of the model's parameters.",
        "A step trains only the rows of a table that its batch names. With a small model and "
        "the default vocabulary of `words`, most parameters are rows that are seldom trained, and "
        "each is stored, averaged and checkpointed. Words share rows where the vocabulary is "
        "smaller than their number, which does little harm. `compile` and `train` warn of it; "
        "`check` does not.",
        "warning",
    ),
    "G430": Code(
        "two-validations",
        "A recipe sets both `validate` and `holdout`.",
        "The loss of a recipe is measured on data of its own (`validate = NAME`) or on a share of "
        "the recipe's data that no step trains on (`holdout = 2%`), not on both.",
    ),
    "G431": Code(
        "validated-on-training-data",
        "The loss is measured on images that the recipe trains on.",
        "`validate` names the data that the recipe draws from, so its loss says nothing about "
        "images that the net has not seen. It is a warning.",
        "warning",
    ),
    "G440": Code(
        "unread-prompt",
        "No condition of the model reads a prompt of `sample`.",
        "The grids of a run and `growlang sample` draw an image for each prompt. A model that "
        "reads classes alone takes labels, and one without conditions takes only the empty "
        "prompt; any other would be an unconditional image under a caption that promises more. "
        "Prompts in a file are read, and refused in the same way, when the run begins.",
    ),
    "G441": Code(
        "unread-number",
        "Numbers of `sample` are those of no condition of the model.",
        "`numbers` gives the conditions that read numbers theirs, by the name of the condition: as "
        "many as it has fields.",
    ),
    "G450": Code(
        "out-of-memory",
        "A phase does not fit the memory of its devices.",
        "A device holds its part of the weights, averages, moments and gradients, whole modules "
        "while they are computed, and what the backward pass needs of the images of one pass. "
        "`compile --devices N --memory SIZE` adds it up, and names the nearest setting that fits: "
        "a smaller micro-batch, then activation checkpointing, then more devices. `check` does "
        "not look at it.",
    ),
    "G460": Code(
        "too-few-images",
        "`evaluate` generates too few images for a metric.",
        "A Frechet distance needs more images than features, or the covariance is singular and "
        "the value says more about the number of images than about the images; a kernel distance "
        "needs a whole subset. It is a warning, since training does not depend on it; "
        "`growlang evaluate` refuses it.",
        "warning",
    ),
    "G461": Code(
        "nothing-held-out",
        "`evaluate` asks for held-out images, and no recipe holds any out.",
        "`held_out_loss` and `reference = held_out` need images that no step trains on: a recipe "
        "says `validate = NAME`, or `holdout = 5%` of its own data. It is a warning, since "
        "training does not depend on it; `growlang evaluate` refuses it.",
        "warning",
    ),
    "G470": Code(
        "idle-guidance",
        "A setting of guidance changes nothing, since there is no guidance.",
        "`guidance_interval` and `guidance_rescale` say how guidance is applied. With "
        "`guidance = 1`, which is its default, images are drawn without any. It is a warning.",
        "warning",
    ),
    "G471": Code(
        "too-many-steps",
        "A sampler has more steps than the noise schedule has levels.",
        "With `linear_beta` a net is trained at `steps` noise levels and at none between them. A "
        "sampler evaluates it at some of these, each at most once.",
    ),
    "G472": Code(
        "misfit-scales",
        "A loss is to be taken at scales that do not divide the image.",
        "`scales = [1, 2, 4]` averages 2 x 2 and 4 x 4 pixels of the error, so each of them must "
        "divide both sides of the image.",
    ),
    "G473": Code(
        "no-steps",
        "A step between noise levels is read or learned, and the objective has no steps.",
        "`time = fourier(..., of = step)` embeds the number of a discrete noise level, as DDPM and "
        "DiT do, and `variance = learned` learns the variance of the step from one level to the "
        "next. `linear_beta` and `cosine_beta` have such levels; those of a cosine, of `flow` and "
        "of `edm` are continuous.",
    ),
    "G501": Code(
        "transform",
        "The transform does not produce images of the model's size.",
        "All images of a batch have one size, that of the model's image, whatever size the "
        "files have. A resize of the short side leaves the other as it is, so a crop must "
        "follow; a crop must not be larger than what the resize leaves. An inherited transform "
        "is evaluated in the child, so write `image.size` in it and not a number; of latents it is "
        "`image.pixels`, which counts the pixels of the images.",
    ),
    "G502": Code(
        "other-kind",
        "A recipe says something for another kind of model.",
        "A model of tokens trains on texts, with `next_token`; a model of images on images, and "
        "one that predicts a label on images with labels, with `classify`. A "
        "transform, a condition on rows and `evaluate` are for images, and `time` for models that "
        "denoise them. The vocabulary has to hold every id that the tokenizer gives.",
    ),
    "G503": Code(
        "sees-the-answer",
        "A model is shown what it is trained to predict: a token, or a label.",
        "`next_token` predicts every token of a sequence from those before it, all at once. "
        "Attention without `causal = true` reads those behind it too, so the loss falls to zero "
        "and the model has learned nothing. So does that of `classify` where a condition reads the "
        "label.",
    ),
    "G901": Code(
        "internal",
        "growlang itself has failed.",
        "It is a bug in growlang or in an installed op, not in your files. The message names "
        "the file that holds the traceback: please report it, with the command and the spec.",
    ),
}
