"""Codes of growth and mapping."""

from __future__ import annotations

from growlang.diagnostics.codes.code import Code

GROWTH = {
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
        "prediction must be the same too. `flow` and `edm` give a net other noisy images than "
        "`diffusion`: with them no ends can be retained, and nothing fades over a `bridge`.",
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
}
