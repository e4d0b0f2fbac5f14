"""Which Docker API version changed what we show; a version is a tuple such as `(1, 44)`, or anything that orders so."""

from __future__ import annotations

from typing import Final, TypeAlias

Version: TypeAlias = tuple[int, ...]

V1_42: Final = (1, 42)
V1_43: Final = (1, 43)
V1_44: Final = (1, 44)
V1_45: Final = (1, 45)
V1_46: Final = (1, 46)
V1_47: Final = (1, 47)
V1_48: Final = (1, 48)
V1_50: Final = (1, 50)
V1_52: Final = (1, 52)
