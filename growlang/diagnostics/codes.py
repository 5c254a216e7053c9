"""The table of diagnostic codes: name, severity and meaning of each."""

from __future__ import annotations

from typing import NamedTuple

from growlang.diagnostics import Severity


class Code(NamedTuple):
    """One kind of finding. `name` is stable, like the code itself."""

    name: str
    meaning: str
    """One line."""
    cause: str = ""
    """The rule behind it, and why there is one."""
    severity: Severity = "error"


FAMILIES = {
    "G0": "Syntax",
    "G1": "Names and imports",
    "G2": "Shapes and arguments",
    "G3": "Growth and mapping",
    "G4": "Schedule",
    "G5": "Data and environment",
    "G9": "Internal",
}
"""What the codes that begin alike are about."""


CODES = {
    "G001": Code(
        "syntax",
        "The text does not follow the grammar.",
        "The parser met a token that it did not expect. Each statement is parsed separately, so "
        "all others are checked as usual; nothing is reported for what the incomplete statement "
        "may have declared.",
    ),
    "G002": Code(
        "edition",
        "The edition statement is missing or unknown.",
        "The first statement of every file is the edition of the language, so that a later "
        "edition can change a meaning without changing that of your files.",
    ),
    "G003": Code(
        "bad-token",
        "A character, number, name or string is malformed.",
        "Strings are written in double quotes and end on their line, names are lower case, "
        "numbers end at a word boundary and take one suffix.",
    ),
    "G101": Code(
        "unknown-name",
        "A name is not defined.",
        "A bare word is looked up among the choices of its argument, then among the params in "
        "scope: the file's own, then those of its parent. It is in neither.",
    ),
    "G102": Code(
        "duplicate-name",
        "A name is defined twice in one scope, or a model has two inputs.",
        "Every param, block, data source, recipe, slot and setting is defined once in its "
        "scope, and a model takes an image or tokens. Nothing is overridden silently, so the "
        "second definition is an error; so is a model that differs between its Grow file and "
        "its YAML file in one folder.",
    ),
    "G103": Code(
        "unreadable-file",
        "A parent or an imported file cannot be read.",
        "Paths after `grows` and `import` are relative to the file that names them. The file "
        "does not exist, is not UTF-8 text, or is larger than 2 MB.",
    ),
    "G104": Code(
        "cycle",
        "Files, params, blocks or data are circular.",
        "A value, a block, a data source or a spec depends on itself. Repetition is written as "
        "`* n`, growth in steps as a chain of files.",
    ),
    "G105": Code(
        "shadowed-choice",
        "A name in scope is also a choice of the argument.",
        "A bare word that is a choice of its argument always means the choice. A param of that "
        "name would be shadowed silently, so it must have another name.",
    ),
    "G106": Code(
        "unknown-call",
        "An op, block, encoder, rule or other call does not exist.",
        "Only ops, blocks, encoders, rules and the calls that a setting lists can be called. "
        "Ops that change the resolution between stages belong in a stage's options.",
    ),
    "G107": Code(
        "unknown-setting",
        "A setting, option or model binding does not exist.",
        "A model, slot, recipe, phase or section takes a fixed set of settings. An unknown one "
        "would otherwise be ignored, and the run would not be what you wrote.",
    ),
    "G108": Code(
        "unused",
        "A param, import, block or data source is unused.",
        "Nothing in the file reads it. A child that grows the file may, so it is a warning, and "
        "warnings alone exit 0.",
        "warning",
    ),
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
        "residual op of the encode side, last first, so their numbers are equal in each stage. "
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
        "sublayer of its own. A condition that no op attends to would have no effect.",
    ),
    "G209": Code(
        "stage-order",
        "Resolutions of stages do not decrease strictly towards the core.",
        "Stages are written from the image to the core, each at a lower resolution than the one "
        "before it, and above the core's.",
    ),
    "G210": Code(
        "missing-slot",
        "A model has no input, stem, core or head, or there are recipes without a model.",
        "A model needs an image (or tokens), a stem, a core and a head; with `grows`, what is "
        "kept from the parent counts, and so does its input. A file without a model is a "
        "library: it holds params, blocks and data, and nothing to train.",
    ),
    "G211": Code(
        "not-available",
        "The feature is not supported yet.",
        "The language defines it, and this version cannot build it yet. It is an error at once, "
        "so that no run differs from its spec.",
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
        "not-carried-out",
        "A section is checked, but has no effect in this version.",
        "The language defines it, and no command of this version runs it: nothing is measured. "
        "It is a warning, since a run does not depend on it, and the section may stay in the "
        "spec for a version that does.",
        "warning",
    ),
    "G220": Code(
        "other-data",
        "A source of data names what it does not read.",
        "`webdataset` reads tar shards, `folder` a folder of images. Images and tables of captions "
        "are read in place by `folder`, or packed into shards by `growlang pack`.",
    ),
    "G301": Code(
        "unaccounted",
        "A component of the parent is neither kept, dropped, moved nor grown.",
        "A child states what happens to every component of its parent. A component that is not "
        "mentioned would be lost silently.",
    ),
    "G302": Code(
        "kept-differs",
        "A kept component would not have the parent's tensors.",
        "`keep` promises the parent's tensors bit for bit, but in the child a tensor of the "
        "component would have another shape or meaning. The message names the first.",
    ),
    "G303": Code(
        "kept-and-declared",
        "A component is both kept and redeclared.",
        "`keep` takes a component as the parent declares it. A new declaration would contradict "
        "it.",
    ),
    "G304": Code(
        "no-such-component",
        "A growth statement names what the parent does not have.",
        "`keep`, `drop`, `retain`, `moved` and `like` name places of the parent: it has nothing of "
        "that name, or a range runs past its end.",
    ),
    "G305": Code(
        "moved-differs",
        "Moved tensors do not fit their new place.",
        "`moved` renames tensors without changing them, so the new place must declare tensors "
        "of the same names and shapes. Ranges pair up, so both must be of equal length.",
    ),
    "G306": Code(
        "accounted-twice",
        "A component has conflicting growth statements.",
        "Each component of the parent is kept, dropped, moved or grown once. Two statements "
        "name this one.",
    ),
    "G307": Code(
        "no-parent",
        "A growth statement is in a model without a parent.",
        "`keep`, `drop`, `retain`, `moved`, `grow` and `init` refer to a parent's tensors, and the "
        "model names no parent with `grows`.",
    ),
    "G308": Code(
        "changed-condition",
        "A kept component reads another condition than it was trained with.",
        "The kept tensors fit, but the condition that they were trained to attend to has "
        "changed: it is declared differently, or its own tensors are reinitialised. It is a "
        "warning, since a phase that trains the component can adapt it. A `time` that is "
        "declared differently is an error (G302).",
        "warning",
    ),
    "G309": Code(
        "bad-init",
        "An `init` does not apply to what it names.",
        "`init` says how new or redeclared tensors are initialised, not those that are kept or "
        "moved. `identity` is for square maps, `like` for tensors with the shapes of the "
        "parent's, and two maps in series cannot both be zero, since neither would get a "
        "gradient.",
    ),
    "G310": Code(
        "orphaned",
        "A change would orphan the weights trained from the spec before it.",
        "Checkpoints trained from the spec at the commit that `--against` names would no longer "
        "fit: tensors were renamed, reshaped or replaced. Revert the change, or put it into a "
        "child that grows the old file.",
    ),
    "G311": Code(
        "recomputed",
        "A change keeps every tensor but not what is computed with it, or how it is read.",
        "Checkpoints trained from the spec at the commit that `--against` names would load, but "
        "the net would compute something different with them; or its prediction would be taken "
        "for another prediction, or for one at other noise levels.",
    ),
    "G312": Code(
        "deleted",
        "A deleted spec is still needed.",
        "Other specs grow from it, or, with `--runs`, runs were trained from it, which can be "
        "neither resumed nor grown from without it.",
    ),
    "G320": Code(
        "not-exact",
        "A component that is to grow exactly would not compute what it did, or never train.",
        "`widen(exact)`, `extend(exact)` and `heads` promise the same function. The finding names "
        "the norm or the space at fault with its sizes, why it cannot hold, and what is nearest: "
        "another norm, another width, or a rule without the promise.",
    ),
    "G321": Code(
        "cannot-grow",
        "A component cannot grow into what is declared.",
        "The new declaration gives the numbers and the rules say how they are reached: a width by "
        "`widen`, repeats by `deepen`, words and classes by `extend`, kernels and positions by "
        "`resize`. Nothing is guessed where no rule speaks, nothing is made smaller, and two "
        "components that share a space grow together.",
    ),
    "G322": Code(
        "idle-rule",
        "A rule of `grow` has nothing to do.",
        "What is declared differs from the parent's in nothing that the rule gives: `deepen` where "
        "the repeats are as many, `widen` where the widths are the same. Mostly a number was "
        "forgotten. A statement over several components needs a use for each rule in one of them. "
        "It is a warning.",
        "warning",
    ),
    "G330": Code(
        "retained-in-part",
        "Retained ends would not compute what they did.",
        "`retain` leaves the parent's ends as the path to smaller images, and what they compute "
        "must stay: the stem, the head and every stage are retained (a stage may be kept), the "
        "core, `time` and the conditions that they read are kept, and ends that were retained "
        "before are kept with those that add detail to them.",
    ),
    "G331": Code(
        "not-a-multiple",
        "The image is no whole multiple of that of the retained ends.",
        "D, the mean over k x k pixels, makes the image of the retained ends out of the new one: k "
        "is a whole number from 2 on, the same on both sides, and the channels are the same.",
    ),
    "G332": Code(
        "other-levels",
        "A recipe does not train as the retained ends were trained.",
        "The retained ends see D of the noisy image, whose log-SNR is larger by 2 ln k, and are "
        "told the reference log-SNR of that time: both must go together as they did, for all "
        "times. One `base`, `min` and `max` do that, or a `shift` that is smaller by 2 ln k. The "
        "prediction must be the same too.",
    ),
    "G333": Code(
        "no-bridge",
        "A recipe's `bridge` has nothing to lead from.",
        "`transition = bridge(for = N)` begins as the parent's function, of which the ends that "
        "the child drops are a part, and lets it fade over N steps. That needs a parent to start "
        "from, whose image is smaller by a whole factor, a core that is kept and reads one value "
        "of the ends, and new ends that can begin at zero. Retained ends do not fade, and no run "
        "ends within the fade: its net would never have been trained alone.",
    ),
    "G334": Code(
        "no-detail",
        "A setting of detail is written for a model that retains no ends.",
        "`detail_scale` and `detail_temperature` say how much of the detail is drawn that new ends "
        "add to retained ones. A model without retained ends draws its image as a whole.",
        "warning",
    ),
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
    "G501": Code(
        "transform",
        "The transform does not produce images of the model's size.",
        "All images of a batch have one size, that of the model's image, whatever size the "
        "files have. A resize of the short side leaves the other as it is, so a crop must "
        "follow; a crop must not be larger than what the resize leaves. An inherited transform "
        "is evaluated in the child, so write `image.size` in it and not a number.",
    ),
    "G901": Code(
        "internal",
        "growlang itself has failed.",
        "It is a bug in growlang or in an installed op, not in your files. The message names "
        "the file that holds the traceback: please report it, with the command and the spec.",
    ),
}
