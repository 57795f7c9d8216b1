"""Reading and checking: `planning check` on the sample, a 300 MB table against plain pandas.

    python benchmarks/tables.py              about a minute
    python benchmarks/tables.py --mb 50      a quick look

Times are CPU seconds of a fresh process, imports included; memory is the peak of that process (Linux).
"""

from __future__ import annotations

import argparse
import datetime as dt
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MEASURE = """
import re, time
{code}
peak = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024
print(f"{{time.process_time():.2f}} {{peak:.0f}}")
"""
OURS = "from planning.config import load\nfrom planning.sources import check_all\nresult = check_all(load({path!r}))"
PANDAS = (
    "import pandas as pd\nframe = pd.read_csv({path!r}, parse_dates=['ds'])\n"
    "frame.duplicated(['ds', 'region', 'line']).sum()"
)


def measured(code: str) -> tuple[float, float]:
    """Returns CPU seconds and peak memory in MB of a fresh process that runs `code`."""
    run = [sys.executable, "-c", MEASURE.format(code=code)]
    seconds, peak = subprocess.run(run, capture_output=True, text=True, check=True, cwd=ROOT).stdout.split()
    return float(seconds), float(peak)


def write_panel(path: Path, size: int) -> None:
    """Writes a valid panel of about `size` bytes: 72 months of as many regions and lines as it takes."""
    days = [f"{2021 + month // 12}-{1 + month % 12:02d}-01" for month in range(72)]
    with path.open("w", encoding="utf-8") as file:
        file.write("ds,region,line,customer_type,amount,units,note\n")
        start = 0
        while file.tell() < size:
            rows = range(start, start + 144_000)
            file.writelines(
                f"{days[i % 72]},Region {i // 72 % 2000:05d},Line {i // 144_000},OEM,{i % 977}.25,{i % 13},"
                f"a note of some length {i % 97}\n"
                for i in rows
            )
            start += 144_000


def main() -> None:
    """Prints the figures with their date and command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mb", type=int, default=300, help="size of the large table")
    size = parser.parse_args().mb
    print(f"{dt.date.today()}  python {' '.join(sys.argv)}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "data").mkdir()
        code = f"from planning import sample; sample.write({str(folder / 'data' / 'sample')!r})"
        subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
        (folder / "workbench.toml").write_bytes((ROOT / "workbench.toml").read_bytes())
        seconds, peak = measured(OURS.format(path=name))
        print(f"planning check on the sample, 17 tables: {seconds:.2f} s CPU, peak {peak:.0f} MB (limit 3 s)")
        table = folder / "large.csv"
        write_panel(table, size * 1_000_000)
        (folder / "workbench.toml").write_text('[sources.sales]\npath = "large.csv"\n', encoding="utf-8")
        ours, theirs = measured(OURS.format(path=name)), measured(PANDAS.format(path=str(table)))
        megabytes = table.stat().st_size / 2**20
        for label, (seconds, peak) in (("planning check", ours), ("pandas read_csv + duplicated", theirs)):
            times = f"{peak / megabytes:.2f} times the file"
            print(f"{label}, {megabytes:.0f} MB: {seconds:.1f} s CPU, peak {peak:.0f} MB, {times}")


if __name__ == "__main__":
    main()
