"""The JSON Schema of the YAML syntax, from the signatures; for editors.

Valid as draft-07 and as 2020-12. It is wider than the language where only the compiler can tell:
every value may also be an expression, and an element of a pipe may be a user's block.
"""

from __future__ import annotations

from growlang.yaml.schema import calls, model, pieces, recipes
from growlang.yaml.schema.pieces import Json, a_list, a_table, about, an_object, reference


def schema() -> Json:
    """The JSON Schema of edition 1."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Grow, edition 1",
        **an_object(
            "A spec of a neural network that grows.",
            {
                "grow": about("edition of the language", 1, {"const": 1}),
                "imports": about(
                    "files whose blocks and params are used",
                    [{"file": "lib/blocks.grow", "as": "lib"}],
                    a_list(reference("import")),
                ),
                "params": about("names for values", {"width": 1024}, a_table(reference("value"))),
                "blocks": about(
                    "ops made of ops",
                    {"twice": {"parameters": {"width": None}, "pipe": ["identity"]}},
                    a_table(reference("block")),
                ),
                "model": about("what the model is", {"name": "core_64"}, reference("model")),
                "data": about(
                    "sources of images",
                    {"cc12m": {"webdataset": {"urls": "cc12m.tar"}}},
                    a_table(reference("source")),
                ),
                "train": about(
                    "recipes; the first is the default",
                    [{"recipe": "main", "phases": [{"name": "all", "for": 1000}]}],
                    a_list(reference("recipe")),
                ),
                "sample": about("how images are sampled", {"guidance": 4.0}, reference("sample")),
                "evaluate": about("what is measured", {"count": 30000}, reference("evaluate")),
            },
            ["grow"],
        ),
        "definitions": {
            **calls.definitions(),
            **pieces.definitions(),
            **model.definitions(),
            **recipes.definitions(),
        },
    }
