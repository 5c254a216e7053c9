"""Chains of tokens: embedded ids, causal blocks, logits; and what they do not have."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from fixture_specs import SHIPPED, SPECS, checked, edited, findings, growlang

from growlang.net import Net, Shape, tokens
from growlang.net.names import InvalidNet
from growlang.planning import plan
from growlang.torch_backend.initialisation import initialise
from growlang.torch_backend.lower import lower

CHAIN = SPECS / "chain.grow"


def test_the_input_is_ids_and_the_output_logits() -> None:
    net = checked(CHAIN).net
    assert net.of_tokens
    assert (net.inputs[0].name, net.inputs[0].shape) == ("tokens", Shape("ids", (12,)))
    assert net.result == tokens(12, 50)
    assert net.table["stem.embed.0.embedding.weight"].shape == (50, 16)
    assert net.table["head.unembed.0.proj.weight"].shape == (50, 32)
    assert net.table["core.position"].shape == (12, 16)
    assert Net.from_json(net.to_json()) == net


@pytest.mark.parametrize(
    ("option", "kind"), [("(position = sincos) ", "sincos"), ("(position = none) ", None)]
)
def test_the_position_is_that_of_a_sequence(tmp_path: Path, option: str, kind: str | None) -> None:
    path = edited(CHAIN, tmp_path / "a.grow", ("core  ", f"core {option}"))
    net = checked(path).net
    found = [(n.args["kind"], n.args["height"]) for n in net.nodes if n.op == "position"]
    assert found == ([(kind, None)] if kind else [])
    assert "core.position" not in net.table
    lower(net).graph.lint()


def test_a_causal_chain_does_not_see_later_tokens() -> None:
    net = checked(CHAIN).net
    module = initialise(lower(net), net, seed=0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn(parameter.shape), alpha=0.3)
    ids, topic = torch.randint(0, 50, (2, 12)), torch.tensor([[0, 1, 2], [3, 4, 5]])
    mask = torch.ones(2, 3, dtype=torch.bool)
    before = module(ids, topic, mask)
    assert before.shape == (2, 12, 50)
    later = ids.clone()
    later[:, 8] = (later[:, 8] + 1) % 50
    after = module(later, topic, mask)
    torch.testing.assert_close(after[:, :8], before[:, :8], rtol=0, atol=0)
    assert not torch.allclose(after[:, 8:], before[:, 8:])
    assert not torch.allclose(module(ids, topic.flip(0), mask), before)


def test_a_fresh_chain_gives_every_tensor_a_gradient_within_two_steps() -> None:
    net = checked(CHAIN).net
    module = initialise(lower(net), net, seed=0)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    ids, topic = torch.randint(0, 50, (4, 12)), torch.randint(0, 9, (4, 3))
    mask = torch.ones(4, 3, dtype=torch.bool)
    reached: set[str] = set()
    for _ in range(3):
        optimizer.zero_grad()
        logits = module(ids, topic, mask)[:, :-1]
        torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten()).backward()
        reached |= {n for n, p in module.named_parameters() if p.grad is not None and p.grad.any()}
        optimizer.step()
    assert reached == set(net.table)


def test_gpt2_had_an_unembedding_of_its_own() -> None:
    net = checked(SPECS / "gpt2_untied.grow").net
    assert net.parameters == 124_439_808 + 50_257 * 768
    assert checked(SHIPPED / "gpt2_small.grow").net.parameters == 124_439_808


# --- a table that is the unembedding too ---------------------------------------------------------

TIED = """grow 1
model tied {{
  tokens = tokens(50, 12)
  stem  {stem}
  core  transformer(16, heads = 2, causal = true)
  head  {head}
}}
"""


def tied(path: Path, stem: str = "embed(16)", head: str = "unembed(tied = true)") -> Path:
    """A chain whose unembedding is the table of its embedding."""
    path.write_text(TIED.format(stem=stem, head=head))
    return path


def test_a_tied_unembedding_is_the_table_of_the_embedding(tmp_path: Path) -> None:
    net = checked(tied(tmp_path / "a.grow")).net
    module = initialise(lower(net), net, seed=0)
    own = checked(tied(tmp_path / "b.grow", head="unembed")).net
    other = initialise(lower(own), own, seed=0)
    assert net.table.keys() == own.table.keys() - {"head.unembed.0.proj.weight"}
    weights = module.state_dict()
    table = weights["stem.embed.0.embedding.weight"]
    other.load_state_dict({**weights, "head.unembed.0.proj.weight": table})
    ids = torch.randint(0, 50, (2, 12))
    torch.testing.assert_close(module(ids), other(ids), rtol=0, atol=0)


def test_the_gradients_of_both_uses_of_a_table_are_added(tmp_path: Path) -> None:
    net = checked(tied(tmp_path / "a.grow")).net
    own = checked(tied(tmp_path / "b.grow", head="unembed")).net
    module, other = (initialise(lower(n), n, seed=0) for n in (net, own))
    table = "stem.embed.0.embedding.weight"
    weights = module.state_dict()
    other.load_state_dict({**weights, "head.unembed.0.proj.weight": weights[table]})
    ids = torch.randint(0, 50, (2, 12))
    for one in (module, other):
        one(ids).square().sum().backward()
    found = dict(other.named_parameters())
    both = [found[name].grad for name in (table, "head.unembed.0.proj.weight")]
    assert both[0] is not None and both[1] is not None
    torch.testing.assert_close(dict(module.named_parameters())[table].grad, both[0] + both[1])


def test_a_tied_net_comes_back_from_json_with_its_hash(tmp_path: Path) -> None:
    net = checked(tied(tmp_path / "a.grow")).net
    again = Net.from_json(net.to_json())
    assert again == net and again.net_hash == net.net_hash
    assert net.net_hash != checked(tied(tmp_path / "b.grow", head="unembed")).net.net_hash


def test_a_stored_net_that_takes_a_table_of_nothing_is_refused(tmp_path: Path) -> None:
    said = checked(tied(tmp_path / "a.grow")).net.to_json()
    said["nodes"][-1]["tables"] = ["stem.embed.1.embedding.weight"]
    with pytest.raises(InvalidNet, match="is no tensor of the net"):
        Net.from_json(said)


@pytest.mark.parametrize(
    ("stem", "head", "code", "said"),
    [
        ("embed(32) | linear(16)", "unembed(tied = true)", "G205", "which has 32 channels"),
        ("embed(16)", "linear(32) | unembed(tied = true)", "G205", "but its input has 32"),
    ],
)
def test_a_table_of_another_width_is_refused(
    tmp_path: Path, stem: str, head: str, code: str, said: str
) -> None:
    (found,) = findings(tied(tmp_path / "a.grow", stem, head))
    assert found.code == code and said in found.message
    assert found.help is not None and "tied = false" in found.help
    width = found.help.split("linear(")[1].split(")")[0]
    mended = head.replace("unembed", f"linear({width}) | unembed")
    checked(tied(tmp_path / "b.grow", stem, mended))


DROPPED = """grow 1
model child grows "a.grow" {{
  keep core
  {said}
  stem  embed(16)
  {head}
}}
"""


@pytest.mark.parametrize(
    ("said", "head", "code"),
    [
        ("keep head drop stem", "", "G302"),
        ("grow head by widen(exact) drop stem", "head unembed(tied = true)", "G321"),
    ],
)
def test_a_head_that_stays_needs_the_table_that_it_takes(
    tmp_path: Path, said: str, head: str, code: str
) -> None:
    tied(tmp_path / "a.grow")
    path = tmp_path / "b.grow"
    path.write_text(DROPPED.format(said=said, head=head))
    found = next(f for f in findings(path) if f.code == code)
    assert "takes the table" in found.message
    assert found.help is not None and "stem` too" in found.help


def test_eps_is_that_of_the_norms_and_at_its_default_nothing_new(tmp_path: Path) -> None:
    usual, said = (
        checked(tied(tmp_path / f"{n}.grow", head=head)).net
        for n, head in (("a", "unembed"), ("b", "unembed(eps = 0.1)"))
    )
    assert "eps" not in usual.nodes[-1].args
    assert (usual.nodes[-1].scope.eps, said.nodes[-1].scope.eps) == (1e-6, 0.1)
    assert usual.net_hash != said.net_hash
    assert Net.from_json(said.to_json()).nodes[-1].scope.eps == 0.1
    modules = [initialise(lower(net), net, seed=0) for net in (usual, said)]
    ids = torch.randint(0, 50, (2, 12))
    assert not torch.allclose(*(module(ids) for module in modules), rtol=1e-3)


CHILD = """grow 1
model child grows "chain.grow" {{
  keep stem, core, topic
  drop head
  {tokens}
  head linear(8) | unembed
}}
"""


def test_a_child_reads_the_tokens_of_its_parent(tmp_path: Path) -> None:
    (tmp_path / "chain.grow").write_text(CHAIN.read_text())
    path = tmp_path / "child.grow"
    path.write_text(CHILD.format(tokens=""))
    net = checked(path).net
    assert net.result == tokens(12, 50)
    path.write_text(CHILD.format(tokens="tokens = tokens(50, 24)"))
    (found,) = findings(path)
    assert (found.code, "`core.position` is 12x16" in found.message) == ("G302", True)


def test_the_numbers_of_the_input_have_names(tmp_path: Path) -> None:
    path = edited(CHAIN, tmp_path / "a.grow", ("linear(2 * width)", "linear(tokens.length)"))
    assert checked(path).net.table["head.unembed.0.proj.weight"].shape == (50, 12)


def test_an_image_is_no_name_of_a_chain(tmp_path: Path) -> None:
    path = edited(CHAIN, tmp_path / "a.grow", ("linear(2 * width)", "linear(image.size)"))
    (found,) = findings(path)
    assert (found.code, "image.size" in found.message) == ("G101", True)


def test_stages_are_resolutions_and_tokens_have_none(tmp_path: Path) -> None:
    stages = "stage @ 8 residual(16) stage @ 4 residual(16) core  "
    path = edited(CHAIN, tmp_path / "a.grow", ("core  ", stages))
    (found,) = findings(path)
    assert (found.code, "`stage @ 8` has a resolution" in found.message) == ("G204", True)


RECIPE = 'data texts = text("*.txt", tokenizer = "any") train {{ data = {data} batch = 4 {more} }}'


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        ("sample { guidance = 2.0 }", "G107", "`guidance`"),
        ("sample { sampler = ddim(steps = 5) }", "G107", "`sampler`"),
        ("evaluate { count = 10 }", "G502", "`evaluate` measures images"),
        (
            'data images = folder("images")' + RECIPE.format(data="images", more="phase all for 5"),
            "G502",
            "`images` holds images",
        ),
        (
            RECIPE.format(data="texts", more="objective = flow() phase all for 5"),
            "G502",
            "`flow` trains models of images",
        ),
        (
            RECIPE.format(data="texts", more="phase all for 5 { transform = [] }"),
            "G502",
            "`transform`",
        ),
    ],
)
def test_what_is_of_images_is_refused(tmp_path: Path, more: str, code: str, said: str) -> None:
    path = tmp_path / "a.grow"
    path.write_text(f"{CHAIN.read_text()}\n{more}\n")
    (found,) = findings(path)
    assert found.code == code and said in found.message


def test_a_chain_with_a_recipe_is_trained_on_tokens_and_sampled(tmp_path: Path) -> None:
    path = tmp_path / "a.grow"
    recipe = RECIPE.format(data="texts", more="phase all for 5")
    path.write_text(f"{CHAIN.read_text()}\n{recipe}\nsample {{ top_k = 3 }}\n")
    found = checked(path)
    assert [s.objective.call for s in (p.settings for p in plan(found).phases)] == ["next_token"]
    assert found.resolved.sample.top_k == 3


def test_training_a_chain_without_a_recipe_says_that_it_has_none() -> None:
    run = growlang("train", CHAIN)
    assert run.status == 2
    assert "has no recipe" in run.err


def test_what_show_prints_of_a_chain_is_the_same_chain(tmp_path: Path) -> None:
    path = tmp_path / "shown.grow"
    path.write_text(growlang("show", CHAIN, "--resolved").out)
    assert checked(path).resolved.spec_hash == checked(CHAIN).resolved.spec_hash
