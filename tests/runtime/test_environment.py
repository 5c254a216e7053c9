import platform
from pathlib import Path

import pytest

from growlang_runtime.train.environment import processor


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "processor\t: 0\nmodel name\t: Some CPU: 2.00GHz\nmodel name\t: other\n",
            "Some CPU: 2.00GHz",
        ),
        ("processor\t: 0\nBogoMIPS\t: 50.00\n", None),
        (None, None),
    ],
)
def test_the_processor_is_named_by_its_model(
    tmp_path: Path, text: str | None, wanted: str | None
) -> None:
    if text is not None:
        (tmp_path / "cpuinfo").write_text(text)
    kind = platform.processor() or platform.machine()
    assert processor(tmp_path / "cpuinfo") == (wanted or kind)
