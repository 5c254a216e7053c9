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
        "The parser met something that cannot stand there. Each statement is read by itself, "
        "so all others are checked as usual; what the statement at fault may have meant to say "
        "is held against none of them.",
    ),
    "G002": Code(
        "edition",
        "The file does not begin with an edition that is known.",
        "The first statement of every file is the edition of the language, so that a later "
        "edition can change a meaning without changing that of your files.",
    ),
    "G003": Code(
        "bad-token",
        "A character, number, name or string is malformed.",
        "Strings stand in double quotes and end on their line, names are lower case, numbers "
        "end at a word boundary and take one suffix.",
    ),
    "G101": Code(
        "unknown-name",
        "A name is used that nothing binds.",
        "A bare word is looked up among the choices of its argument, then among the params in "
        "scope: the file's own, then those of its parent. It is in neither.",
    ),
    "G102": Code(
        "duplicate-name",
        "The same name is bound twice in one place, or a model has two inputs.",
        "Every param, block, data source, recipe, slot and setting is bound once in its "
        "place, and a model has an image or tokens. Nothing overrides in silence, so the second "
        "one is refused; so is a model of a folder that is not the same in Grow and in YAML.",
    ),
    "G103": Code(
        "unreadable-file",
        "A parent or an imported file cannot be read.",
        "Paths after `grows` and `import` are relative to the file that names them. The file "
        "is not there, is not UTF-8 text, or is larger than 2 MB.",
    ),
    "G104": Code(
        "cycle",
        "Files, params or blocks refer to each other in a circle.",
        "A value, a block, a data source or a spec needs itself to be known. A repetition is "
        "written as `* n`, growth in steps as a chain of files.",
    ),
    "G105": Code(
        "shadowed-choice",
        "A name in scope is also a choice of the argument.",
        "A bare word that is a choice of its argument always means the choice. A param of "
        "that name would read as if it were meant, so one of the two must have another name.",
    ),
    "G106": Code(
        "unknown-call",
        "An op, block, encoder, rule or other call does not exist.",
        "Only ops, blocks, encoders, rules and the calls that a setting lists can be called. Ops "
        "that change the resolution between stages stand in a stage's options.",
    ),
    "G107": Code(
        "unknown-setting",
        "A setting, option or model binding does not exist.",
        "A model, slot, recipe, phase or section takes a fixed set of settings. An unknown "
        "one would otherwise be ignored, and the run would not be what you wrote.",
    ),
    "G108": Code(
        "unused",
        "A param, import, block or data is bound and not used.",
        "Nothing in the file reads it, and a child that grows the file may: it is a warning, and "
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
        "The call's signature is fixed; arguments that it does not have are refused and never "
        "passed on.",
    ),
    "G204": Code(
        "resolution",
        "Resolutions of two places do not meet.",
        "Stem, stages, core and head lie on grids that divide one another: each place must "
        "get the resolution that it states, and the head must end at the image's.",
    ),
    "G205": Code(
        "width",
        "Widths of two places do not meet.",
        "A place takes the width of its first op, and what comes to it must have that width. "
        "Between stages `down` and `up` change it; elsewhere an op must.",
    ),
    "G206": Code(
        "skips",
        "Encode and decode sides have different numbers of skips, or skips join nothing.",
        "With `skips = block` each residual op of a decode side takes the output of one "
        "residual op of the encode side, last first, so their numbers are equal in each "
        "stage. A model that asks for skips in so many words has at least one.",
    ),
    "G207": Code(
        "heads",
        "The number of heads does not divide the width.",
        "Attention splits the channels evenly over its heads.",
    ),
    "G208": Code(
        "attend",
        "A name in `attend` is not a condition of the model, or no op attends to a condition.",
        "`attend` lists `self` and names of the model's conditions, each of which becomes a "
        "sublayer of its own. A condition that no op attends to would change nothing.",
    ),
    "G209": Code(
        "stage-order",
        "Stages do not fall strictly to the core.",
        "Stages are written from the image to the core, each at a lower resolution than the "
        "one before it, and above the core's.",
    ),
    "G210": Code(
        "missing-slot",
        "A model lacks its input, stem, core or head, or recipes lack a model.",
        "A model needs an image (or tokens), a stem, a core and a head; with `grows`, what is "
        "kept from the parent counts, and so does its input. A file without a model is a library: "
        "it holds params, blocks and data, and nothing to train.",
    ),
    "G211": Code(
        "not-available",
        "The language has it; this version cannot build it yet.",
        "The language defines it, and this version cannot build it yet. It is refused at "
        "once, so that no run differs from its spec.",
    ),
    "G212": Code(
        "wrong-kind",
        "An op is given another kind of value than it takes.",
        "Values are grids, embedded tokens or ids of tokens. In a model of images a grid becomes "
        "tokens, and back, where an op needs it; a model of tokens has no grid, and ids are "
        "embedded before anything else is done with them.",
    ),
    "G213": Code(
        "unjoined",
        "No skip joins the two sides of a stage.",
        "With `skips = block`, the default, the residual ops of a stage's sides are joined. A "
        "stage of other ops passes nothing from its encode side to its decode side, and a U "
        "without skips loses what its core does not carry. It is a warning, for it may be meant: "
        "`skips = none` says so. A side that computes nothing, such as `identity`, needs no skip.",
        "warning",
    ),
    "G214": Code(
        "not-carried-out",
        "A section is checked, and this version does not carry it out.",
        "The language defines it, and no command of this version does what it says: nothing is "
        "measured. It is a warning, for a run does not depend on it, and the section may stay in "
        "the spec for a version that does.",
        "warning",
    ),
    "G301": Code(
        "unaccounted",
        "A component of the parent is neither kept, dropped nor moved.",
        "A child says what becomes of every component of its parent. What is neither kept, "
        "dropped, moved nor grown would be lost in silence.",
    ),
    "G302": Code(
        "kept-differs",
        "A kept component would not have the parent's tensors.",
        "`keep` promises the parent's tensors bit for bit, but in the child a tensor of the "
        "component would have another shape or meaning. The message names the first.",
    ),
    "G303": Code(
        "kept-and-declared",
        "A component is kept and declared anew.",
        "`keep` takes a component over as the parent declares it. A new declaration would "
        "contradict it.",
    ),
    "G304": Code(
        "no-such-component",
        "A growth statement names what the parent does not have.",
        "`keep`, `drop`, `moved` and `like` speak of what the parent has: it has nothing of that "
        "name, or a range runs past its end.",
    ),
    "G305": Code(
        "moved-differs",
        "Moved tensors do not fit their new place.",
        "`moved` carries tensors to another name unchanged, so the new place must declare "
        "tensors of the same names and shapes. Ranges go pairwise, so both are of one length.",
    ),
    "G306": Code(
        "accounted-twice",
        "Two growth statements speak of the same component.",
        "A component of the parent has one fate. Two statements speak of this one.",
    ),
    "G307": Code(
        "no-parent",
        "A growth statement stands in a model without a parent.",
        "`keep`, `drop`, `moved`, `grow` and `init` speak of a parent's tensors, and the "
        "model names no parent with `grows`.",
    ),
    "G308": Code(
        "changed-condition",
        "A kept component reads another condition than it was trained with.",
        "The kept tensors fit, and what they were trained to attend to is not there any more: "
        "the condition is declared otherwise, or its own tensors begin anew. It is a warning, "
        "for a phase that trains the component can adapt it. A `time` that is declared "
        "otherwise is refused (G302).",
        "warning",
    ),
    "G309": Code(
        "bad-init",
        "An `init` cannot hold for what it names.",
        "`init` says how tensors begin that are declared anew: not those that are kept or moved. "
        "`identity` is for square maps, `like` for tensors of the shapes that the parent has, and "
        "two maps that lie one behind the other cannot both begin at zero, since neither would "
        "ever get a gradient.",
    ),
    "G310": Code(
        "orphaned",
        "A change would orphan the weights trained from the spec before it.",
        "Checkpoints trained from the spec as it was at the commit that `--against` names would "
        "no longer fit: tensors were renamed, reshaped or replaced. Revert the change, or put it "
        "into a child that grows the old file.",
    ),
    "G311": Code(
        "recomputed",
        "A change keeps every tensor but not what is computed with it, or how it is read.",
        "Checkpoints trained from the spec as it was at the commit that `--against` names would "
        "load, and the net would compute something else with them; or what it predicts would be "
        "taken for another prediction, or for one at other noise levels.",
    ),
    "G312": Code(
        "deleted",
        "A spec was deleted that is still needed.",
        "Others grow from the spec, or, with `--runs`, runs were trained by it, which can be "
        "neither resumed nor grown from without it.",
    ),
    "G401": Code(
        "all-frozen",
        "A phase freezes every tensor.",
        "A phase in which nothing trains would spend its steps for nothing.",
    ),
    "G402": Code(
        "empty-selector",
        "A selector matches nothing, or its range runs past the end.",
        "A selector that matches no tensor would freeze or scale nothing in silence, and a range "
        "that runs past the end less than it says; it is mostly a typing mistake, or a component "
        "or block that went away.",
    ),
    "G403": Code(
        "no-phases",
        "A recipe has no phases.",
        "A recipe is trained phase by phase, and phases are never inherited: each recipe "
        "states how long it runs.",
    ),
    "G404": Code(
        "missing-setting",
        "A recipe lacks a setting that has no default.",
        "`data` and `batch` have no default, and neither the file's first recipe nor the "
        "parent's gives one.",
    ),
    "G405": Code(
        "bad-start",
        "The recipe cannot start where it says.",
        "`start` names a parent, a recipe or weights that the model does not have.",
    ),
    "G406": Code(
        "long-warmup",
        "A warm-up is longer than the run or the phase that it begins.",
        "The learning rate rises linearly over the first `warmup` steps. Where they are more than "
        "there are, it never gets to the value of the optimizer, and the schedule behind the "
        "warm-up never begins. `for epochs(N)` is known only once the data is opened: `train` "
        "tells it then. It is a warning.",
        "warning",
    ),
    "G407": Code(
        "guidance-without-drop",
        "Images are sampled with guidance, and a condition is never dropped in training.",
        "Guidance other than 1 goes from what the model predicts without any condition to what "
        "it predicts with them. Without them it can predict only what it has seen: `drop` of the "
        "objective is how often they are left out in training, 0 is never, and a list drops "
        "only what it names. It is a warning, for the weights that a child keeps may have learnt "
        "it before.",
        "warning",
    ),
    "G501": Code(
        "transform",
        "The transform does not give pictures of the image's size.",
        "A batch holds pictures of one size, that of the model's image, whatever size the files "
        "have. A resize of the short side leaves the other as it comes, so a crop follows it; "
        "a crop is not larger than what the resize leaves. An inherited transform is evaluated "
        "in the child, so write `image.size` in it and not a number.",
    ),
    "G901": Code(
        "internal",
        "growlang itself has failed.",
        "It is a mistake in growlang or in an installed op, not in your files. The message names "
        "the file that holds the traceback: please report it, with the command and the spec.",
    ),
}
