"""What is proposed for two specs that are not related, and that it holds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from corruptions import CORRUPTIONS, flat, places
from fixture_specs import SHIPPED, checked, findings
from work import Calls  # noqa: F401 - the counter of calls, as other tests of work have it

from growlang.checking import Checked
from growlang.comparing import Difference, diff
from growlang.proposing import matching
from growlang.proposing.matching import matched
from growlang.proposing.runs import blocks, runs_of
