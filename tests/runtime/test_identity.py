"""What the data of a run is, as a value and as plans record it."""

import pytest

from growlang_runtime.data.identity import (
    Identity,
    read_recorded,
    recorded,
    recorded_of_phases,
)

IMAGES, LATENTS = Identity("12ab by simplejpeg"), Identity("12ab by simplejpeg", "9f")


@pytest.mark.parametrize(
    ("identity", "text"),
    [(IMAGES, "12ab by simplejpeg"), (LATENTS, "12ab by simplejpeg as latents of 9f")],
)
def test_an_identity_is_read_as_it_is_recorded(identity: Identity, text: str) -> None:
    assert recorded({"a": identity}) == {"a": text}
    assert Identity.read(text) == identity


def test_latents_are_of_the_images_without_their_vae() -> None:
    assert LATENTS.without_vae() == IMAGES == IMAGES.without_vae()


def test_sources_of_one_name_in_several_phases_are_all_recorded() -> None:
    found = recorded_of_phases([{"a": IMAGES}, {"a": LATENTS, "b": IMAGES}, {"a": IMAGES}])
    assert found == {"a": f"{IMAGES}+{LATENTS}", "b": str(IMAGES)}
    assert read_recorded(found) == {IMAGES, LATENTS}
