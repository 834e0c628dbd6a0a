"""Prices: what ships, what a file of one's own may change, and what is refused."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from earmark.errors import ConfigurationError
from runtime.cost.around import MESSAGE_BYTES, ROWS_BYTES, around
from runtime.cost.prices import doubts, load_prices
from workers.models.provider import FRESH_DAYS, load_providers

DAY = date(2026, 6, 1)
POOLS = ("l4", "a100", "h100")
PRICE = 'usd = 1.25\nas_of = 2026-05-01\nsource = "our contract"\n'


def written(folder: Path, text: str) -> Path:
    """A file of prices."""
    path = folder / "mine.toml"
    path.write_text(text)
    return path


def test_what_ships() -> None:
    """Machines for every pool, each price with a date and a source; so have OpenAI's."""
    prices = load_prices()
    assert {"l4", "a100", "h100", "cpu"} <= set(prices.machines)
    assert all(machine.usd_per_hour.usd > 0 and machine.usd_per_hour.source for machine in prices.machines.values())
    for machine in prices.machines.values():
        assert machine.spot_usd_per_hour is None or machine.spot_usd_per_hour.usd < machine.usd_per_hour.usd
    assert load_providers()["openai"].prices.as_of is not None
    assert load_providers()["openai"].repair_prices.as_of is not None


def test_the_pools_of_terraform_have_prices() -> None:
    """The machine a price is of is the one that Terraform makes."""
    pools = Path(__file__).parents[2] / "infra" / "terraform" / "envs" / "prod" / "main.tf"
    if pools.exists():
        text = pools.read_text()
        assert all(f'"{machine.type}"' in text for name, machine in load_prices().machines.items() if name in POOLS)


@pytest.mark.parametrize(
    ("hardware", "machine"),
    [
        ("NVIDIA L4", "l4"),
        ("NVIDIA A100-SXM4-40GB", "a100"),
        ("NVIDIA A100-SXM4-80GB", "a100-80gb"),
        ("NVIDIA A100 80GB PCIe", "a100-80gb"),
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("AMD Instinct MI300X", None),
        ("NVIDIA L40S", None),
        ("NVIDIA H200", None),
        ("AMD EPYC 7B13", "cpu"),
        ("", None),
    ],
)
def test_a_machine_is_known_by_its_hardware(hardware: str, machine: str | None) -> None:
    """A GPU without a price is no processor, and no other GPU whose name begins alike."""
    assert load_prices().machine_of(hardware) == machine


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    """It adds machines and replaces a price with its date; all else stays."""
    path = written(
        tmp_path,
        f"[machines.l4.usd_per_hour]\n{PRICE}"
        f'[machines.t4]\ntype = "n1"\nhardware = ["T4"]\n[machines.t4.usd_per_hour]\n{PRICE}',
    )
    shipped, mine = load_prices(), load_prices(path)
    assert (mine.machine("l4").usd_per_hour.usd, mine.machine("l4").usd_per_hour.as_of) == (1.25, date(2026, 5, 1))
    assert mine.machine("l4").spot_usd_per_hour == shipped.machine("l4").spot_usd_per_hour
    assert mine.machine_of("Tesla T4") == "t4"
    assert mine.storage == shipped.storage
    with pytest.raises(ConfigurationError, match=r"'t4'.*There are: .*l4"):
        shipped.machine("t4")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (PRICE.replace("1.25", "-1"), r"usd_per_hour\.usd.*greater than or equal to 0"),
        (PRICE.replace("1.25", "nan"), r"usd_per_hour\.usd.*(finite|greater)"),
        (PRICE.replace("1.25", "inf"), r"usd_per_hour\.usd.*(finite|less)"),
        (PRICE.replace("1.25", "true"), r"usd_per_hour\.usd"),
        (PRICE.replace("1.25", '"1"'), r"usd_per_hour\.usd"),
        ("usd = 1\n" + 'source = "x"\n', r"usd_per_hour\.as_of.*required"),
        ("usd = 1\nas_of = 2026-01-01\n", r"usd_per_hour\.source.*required"),
        (PRICE.replace("2026-05-01", '"soon"'), r"usd_per_hour\.as_of"),
        (PRICE + "usd_per_day = 3\n", "usd_per_day"),
        ("usd = = 1", "Cannot read the prices"),
    ],
)
def test_hostile_prices(tmp_path: Path, text: str, named: str) -> None:
    """Each is refused with file and key; a price without its own date does not get that of the one it replaces."""
    path = written(tmp_path, f"[machines.l4.usd_per_hour]\n{text}")
    with pytest.raises(ConfigurationError, match=named) as refused:
        load_prices(path)
    assert "mine.toml" in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "machines = 3",
        "[machines]\nl4 = 3",
        '[machines.t4]\ntype = "n1"',
        "[petrol]\nusd = 1",
        "[machines.'T 4']\ntype='x'",
    ],
)
def test_tables_that_are_none(tmp_path: Path, text: str) -> None:
    """Wrong shapes, machines without a price, unknown tables and odd names are refused, and no other error comes."""
    with pytest.raises(ConfigurationError, match="cannot be used"):
        load_prices(written(tmp_path, text))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """It is named; so is one that is no text."""
    with pytest.raises(ConfigurationError, match=r"nowhere\.toml"):
        load_prices(tmp_path / "nowhere.toml")
    (tmp_path / "odd.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match=r"odd\.toml"):
        load_prices(tmp_path / "odd.toml")


@pytest.mark.parametrize(
    ("as_of", "usd", "said"),
    [
        (DAY, 1.0, ""),
        (DAY - timedelta(days=FRESH_DAYS), 1.0, ""),
        (DAY - timedelta(days=FRESH_DAYS + 1), 1.0, "more than a year ago"),
        (DAY + timedelta(days=1), 1.0, "not yet"),
        (None, 1.0, "has no date"),
        (None, 0.0, ""),
    ],
)
def test_old_prices_are_doubted(as_of: date | None, usd: float, said: str) -> None:
    """A year is long enough; what is free needs no date."""
    found = doubts({"l4": (as_of, usd)}, DAY)
    assert [said in each and "l4" in each for each in found] == ([True] if said else [])


def test_what_a_job_costs_besides(tmp_path: Path) -> None:
    """By hand: 1000 jobs of a MiB each are a 1.024th of a GiB, twice a message each, and their rows."""
    path = written(tmp_path, f"[storage.standard.usd_per_gb_month]\n{PRICE}\n[queue.usd_per_tib]\n{PRICE}")
    found = around(load_prices(path), 2**20)
    assert found.storage_usd["standard"] == pytest.approx(1.25 * 1000 / 1024)
    assert found.storage_usd["archive"] < found.storage_usd["coldline"] < found.storage_usd["standard"]
    assert found.queue_usd == pytest.approx(1.25 * 2000 * MESSAGE_BYTES / 1024**4)
    assert found.rows_usd == pytest.approx(0.02 * 1000 * ROWS_BYTES / 1024**3)
