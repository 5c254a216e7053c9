"""What a help says is done to the spec of its fixture, which is clean then."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from followed_help import followed

from growlang.checking import check

ERRORS = Path(__file__).parent / "fixtures" / "errors"
BROKEN = sorted(ERRORS.glob("g*.grow"))
NO_EDIT = {
    "a value of the author's own is asked for": """
        g001_missing_value g003_colon g003_number g101_inherited_drop g104_blocks g104_params
        g104_parents g105_shadowed g107_lr g201_division g201_from_param g201_image g201_range
        g201_type g207_given_width g210_no_input g210_no_model g307_no_parent g404_missing_setting
        g101_data_itself g101_param_itself g321_smaller g201_interval
         g201_activation g441_count g441_name g502_texts g502_where g214_vae_folder g502_no_labels
         g502_hf
    """,
    "two places have to meet, and either may be at fault": """
        g106_change_in_pipe g204_channels g204_factor g204_head g204_learned g204_stages g204_tokens
        g204_variance g205_core g205_level_core g205_level_sides g206_skips g209_order g212_embed
        g212_grid g212_unembed
        g330_condition g330_predicts g331_size g102_level g208_attend_label g502_classify
        g208_unpredicted g208_label_with_width g208_label_with_names g208_joint_label
        g212_behind_classify g503_label
        g304_like_past_the_end g304_moved_past_the_end g305_past_the_end g305_unequal g309_unequal
        g306_grow g320_fraction g502_tokenizers
    """,
    "it says what may be named, and what is meant is open": """
        g103_missing_import g104_imports g302_kept_differs g302_table g304_inside g304_like
        g304_no_such_component g305_moved_differs g308_new_weights g308_other_condition
        g309_identity g309_kept g309_like g309_scratch g309_series g309_series_inside
        g401_all_frozen
    """,
    "it closes what is open, where the author thinks it ends": """
        g001_missing_brace g003_unclosed_string
    """,
}
"""The fixtures whose help is no edit, by the reason."""
LISTED = {stem for stems in NO_EDIT.values() for stem in stems.split()}


def mends(path: Path, folder: Path) -> bool:
    """Whether one of the texts that the help of the only finding may mean is clean."""
    for other in ERRORS.glob("_*.grow"):
        shutil.copy(other, folder)
    (found,) = check(path).diagnostics
    target = folder / path.name
    for text in dict.fromkeys(followed(path, found)):
        target.write_text(text)
        if not check(target).diagnostics:
            return True
    return False


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=[pytest.mark.slow] if number % 2 else [])
        for number, path in enumerate(p for p in BROKEN if p.stem not in LISTED)
    ],
)
def test_following_the_help_mends_the_spec(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ERRORS)  # where a spec names a folder
    said = "the spec is not clean once its help is followed; a help that is no edit is in NO_EDIT"
    assert mends(path, tmp_path), said


def test_what_is_listed_is_there() -> None:
    assert {path.stem for path in BROKEN} >= LISTED
