"""Small recordings of every format, written where a test wants them."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np

NO_FILES: Final[Mapping[str, str | None]] = MappingProxyType({})
START: Final = "1644226061"
START_NS: Final = 1_644_226_061_000_000_000
RR_MS: Final = (812, 790, 805, 831, 799, 780, 777, 802, 826, 818)


def e4(
    folder: Path,
    files: Mapping[str, str | None] = NO_FILES,
    *,
    seconds: int = 20,
    start: str = START,
    end: str = "\n",
    **named: str | None,
) -> Path:
    """Write an E4 export; a file given by its stem holds that text, or is missing (None)."""
    wave = np.round(np.sin(np.arange(seconds * 64) / 10) * 50, 2)
    texts: dict[str, str | None] = {
        "BVP": end.join([start, "64.000000", *map(str, wave)]) + end,
        "ACC": end.join([f"{start},{start},{start}", "32.0,32.0,32.0", *["2,-8,64"] * seconds * 32])
        + end,
        "IBI": end.join([f"{start}, IBI", "1.5,0.8125", "2.25,0.75", "4.0,0.796875"]) + end,
        "HR": end.join([str(int(float(start)) + 10), "1.0", *["75.5"] * (seconds - 10)]) + end
        if start.isdigit()
        else end.join([start, "1.0", *["75.5"] * (seconds - 10)]) + end,
        "tags": "",
        "EDA": f"{start}{end}4.0{end}0.1{end}",
    }
    texts.update(files, **named)
    folder.mkdir(parents=True, exist_ok=True)
    for stem, text in texts.items():
        if text is not None:
            (folder / f"{stem}.csv").write_bytes(text.encode())
    return folder


def mmash(folder: Path, *, minutes: int = 3, day: str = "1", actigraph: bool = True) -> Path:
    """Write an MMASH day: a strap whose clock starts at 10:10:17 and a wrist."""
    rng = np.random.default_rng(1)
    rr = np.round(rng.normal(0.8, 0.03, minutes * 75), 3)
    ends = 36_617.4 + np.cumsum(rr)
    lines = [
        f"{k},{ibi},{day},{clock(end)}" for k, (ibi, end) in enumerate(zip(rr, ends, strict=True))
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "RR.csv").write_text("\n".join([",ibi_s,day,time", *lines]) + "\n")
    if actigraph:
        rows = [f"{k},{k % 2},60.0,{day},{clock(36_622 + k)}" for k in range(minutes * 60)]
        head = ",Steps,Vector Magnitude,day,time"
        (folder / "Actigraph.csv").write_text("\n".join([head, *rows]) + "\n")
    return folder


def clock(second: float) -> str:
    """Time of day of a second since midnight, its floor."""
    whole = int(second)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"


def zipped(folder: Path, top: str = "") -> Path:
    """Zip the files of a folder, under a top folder where one is named."""
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, f"{top}{file.name}")
    return path


def text(path: Path, content: str) -> Path:
    """Write a text file."""
    path.write_bytes(content.encode())
    return path
