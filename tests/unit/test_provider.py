"""Providers: what ships, what a file of one's own changes, and how faults in it are told."""

import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from earmark.errors import ConfigurationError
from workers.models.provider import SHIPPED, Prices, Provider, load_providers

WHOLE = "as_of = 2026-05-01\ntext_in = 1\ncached_in = 0.5\naudio_in = 5\ntext_out = 4\naudio_out = 0\n"
WHOLE_PRICES = Prices(text_in=1, cached_in=0.5, audio_in=5, text_out=4, as_of=date(2026, 5, 1))
SENTINEL = "sk-SENTINEL-0123456789"


def written(folder: Path, text: str) -> Path:
    """A file of providers."""
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_what_ships_can_be_used() -> None:
    """OpenAI by forced function with a price for everything, vLLM and Ollama on this machine for nothing."""
    providers = load_providers()
    assert set(providers) == {"openai", "vllm", "ollama"}
    openai = providers["openai"]
    assert openai.output == "function"
    assert openai.key_variable == "OPENAI_API_KEY"
    assert openai.repair_model
    assert all(getattr(openai.prices, name) > 0 for name in Prices.model_fields if name != "as_of")
    assert openai.prices.as_of is not None
    assert openai.regions == ()
    assert providers["vllm"].output == "structured_outputs"
    assert providers["vllm"].prices == Prices()


def test_every_key_is_described() -> None:
    """Somebody who writes a table finds what each key means."""
    described = {name for name, field in Provider.model_fields.items() if field.description}
    assert described == set(Provider.model_fields) - {"name"}


def test_a_file_adds_tables_and_changes_single_keys(tmp_path: Path) -> None:
    """What it does not name stays as it ships."""
    path = written(
        tmp_path,
        '[mine]\nurl = "https://audio.example/v1/"\nmodel = "m"\n[openai]\nconcurrency = 9\nregions = ["eu"]\n',
    )
    providers = load_providers(path)
    shipped = load_providers()["openai"]
    assert providers["mine"].url == "https://audio.example/v1"
    assert providers["openai"] == shipped.model_copy(update={"concurrency": 9, "regions": ("eu",)})
    assert providers["vllm"] == load_providers()["vllm"]


def test_another_model_needs_its_own_prices(tmp_path: Path) -> None:
    """The shipped prices are those of the shipped model; billing by them would be silently wrong."""
    with pytest.raises(ConfigurationError, match=r"Provider openai in .*mine\.toml.*other prices.*\[openai\.prices\]"):
        load_providers(written(tmp_path, '[openai]\nmodel = "gpt-audio-2"\n'))
    with pytest.raises(ConfigurationError, match=r"\[openai\.repair_prices\]"):
        load_providers(written(tmp_path, '[openai]\nrepair_model = "gpt-7"\n'))
    path = written(tmp_path, f'[openai]\nmodel = "gpt-audio-2"\n[openai.prices]\n{WHOLE}')
    assert load_providers(path)["openai"].prices == WHOLE_PRICES
    assert load_providers(written(tmp_path, '[openai]\nrepair_model = ""\n'))["openai"].repair_prices == Prices()


MINE = '[mine]\nurl = "https://a/v1"\nmodel = "m"\n'


def test_a_whole_table_of_prices_replaces_the_one_that_ships(tmp_path: Path) -> None:
    """With its date, and nothing else of the provider; a repair model needs no price of sound."""
    repair = "[openai.repair_prices]\nas_of = 2026-05-02\ntext_in = 1\ncached_in = 0\ntext_out = 3\n"
    found = load_providers(written(tmp_path, f"[openai.prices]\n{WHOLE}{repair}"))["openai"]
    assert found.prices == WHOLE_PRICES
    assert found.repair_prices == Prices(text_in=1, text_out=3, as_of=date(2026, 5, 2))
    assert found.url == load_providers()["openai"].url


@pytest.mark.parametrize("key", ["as_of", "text_in", "cached_in", "audio_in", "text_out", "audio_out"])
@pytest.mark.parametrize("head", ["[openai.prices]\n", f"{MINE}[mine.prices]\n"])
def test_a_price_that_is_left_out_is_refused(tmp_path: Path, head: str, key: str) -> None:
    """Bills and caps would count it as nothing."""
    left = "".join(f"{line}\n" for line in WHOLE.splitlines() if not line.startswith(key))
    with pytest.raises(ConfigurationError, match=rf"mine\.toml: \[\w+\.prices\] has no {key}\.  .*give as_of, text_in"):
        load_providers(written(tmp_path, head + left))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[openai.prices]\naudio_in = 64.0\n", r"has no as_of, text_in, cached_in, text_out, audio_out\."),
        ("[openai.prices]\nas_of = 2026-11-20\n", r"has no text_in, cached_in, audio_in, text_out, audio_out\."),
        ("[openai.prices]\n", r"\[openai\.prices\] has no as_of, text_in"),
        ("[openai]\nrepair_prices = {}\n", r"\[openai\.repair_prices\] has no as_of, text_in, cached_in, text_out\."),
        ('[openai]\nmodel = "gpt-audio-2"\nprices = {}\n', r"\[openai\.prices\] has no as_of"),
        (f'{MINE}repair_model = "r"\n[mine.prices]\n{WHOLE}', r"repair_model has no prices.*\[mine\.repair_prices\]"),
    ],
)
def test_nothing_that_is_billed_becomes_free_by_omission(tmp_path: Path, text: str, told: str) -> None:
    """Over a table that ships an empty one is no whole one either; zeros are written where they are meant."""
    with pytest.raises(ConfigurationError, match=told):
        load_providers(written(tmp_path, text))


@pytest.mark.parametrize("prices", ["", "prices = {}\n", 'repair_model = "r"\n', f"[mine.repair_prices]\n{WHOLE}"])
def test_a_provider_of_ones_own_may_bill_nothing(tmp_path: Path, prices: str) -> None:
    """By a table that is empty, or not there."""
    assert load_providers(written(tmp_path, MINE + prices))["mine"].prices == Prices()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[mine]\nurl = "https://a/v1"\nmodle = "m"\nmodel = "m"', r"Provider mine in .*mine\.toml.*modle.*mean model"),
        ('[openai]\noutput = "json"', r"openai.*output.*'function'"),
        ('[openai]\nurl = "api.openai.com/v1"', r"url.*https://"),
        ('[openai]\nurl = "https://a/v1?key=1"', r"url.*key_variable"),
        ("[openai.prices]\naudio_in = -1", r"prices\.audio_in.*greater than or equal to 0"),
        ("[openai.prices]\naudio = 1", r"prices\.audio.*mean audio_in"),
        ('[mine]\nurl = "https://a/v1"', r"Provider mine.*model.*is missing"),
        ('[mine]\nname = "x"\nurl = "https://a/v1"\nmodel = "m"', r"mine.*no key name.*heading"),
        ('[Mine]\nurl = "https://a/v1"\nmodel = "m"', r"name.*a-z"),
        ('concurrency = 3\n[mine]\nurl = "https://a/v1"', r"'concurrency' in .* outside a table"),
        ('[mine]\nnames = "x"\nurl = "https://a/v1"\nmodel = "m"', r"names: there is no such key; use url"),
        ('[openai]\nregions = "eu"', r"regions: give a list of texts, as"),
        ("[openai]\nretries = 99", r"retries.*less than or equal to 10"),
        ("[openai", r"Cannot read the providers in .*mine\.toml"),
    ],
)
def test_faults_are_told_with_place_and_remedy(tmp_path: Path, text: str, told: str) -> None:
    """File, table, key and what to do."""
    with pytest.raises(ConfigurationError, match=told):
        load_providers(written(tmp_path, text))


def test_a_file_that_is_missing_is_told(tmp_path: Path) -> None:
    """By its name."""
    with pytest.raises(ConfigurationError, match=r"nowhere\.toml"):
        load_providers(tmp_path / "nowhere.toml")


@pytest.mark.parametrize(
    "line",
    [
        f'api_key = "{SENTINEL}"',
        f'key = "{SENTINEL}"',
        f'key_variable = "{SENTINEL}"',
        f'url = "https://user:{SENTINEL}@a/v1"',
        f'url = "https://a/v1?api_key={SENTINEL}"',
        f'concurrency = "{SENTINEL}"',
        f'output = "{SENTINEL}"',
        f'retires = "{SENTINEL}"',
        f'prices = "{SENTINEL}"',
    ],
)
def test_a_key_in_the_file_is_refused_and_not_repeated(tmp_path: Path, line: str) -> None:
    """Wherever somebody puts it, the error says what is wrong and not what was written."""
    with pytest.raises(ConfigurationError) as caught:
        load_providers(written(tmp_path, f"[openai]\n{line}\n"))
    assert "SENTINEL" not in str(caught.value)
    assert "SENTINEL" not in repr(caught.value.__cause__)


@pytest.mark.parametrize(
    "key",
    [
        "sk-proj-abc",
        "sk_live_4242",
        "a1b2-c3d4",
        "A" * 65,
        "hf_aBcDeFgHiJkLmNoP1qRs",
        "c0ffee0123456789abcdef0123456789",
    ],
)
def test_a_key_where_its_variables_name_belongs_is_refused_unseen(tmp_path: Path, key: str) -> None:
    """Else it would be told as the name of a variable that is not set."""
    with pytest.raises(ConfigurationError, match="NAME of the environment variable") as caught:
        load_providers(written(tmp_path, f'[openai]\nkey_variable = "{key}"\n'))
    assert key not in str(caught.value)


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "openai_key_2", "MY_KEY_20261120", "Openai_Key", "_K"])
def test_usual_names_of_variables_are_taken(tmp_path: Path, name: str) -> None:
    """In whatever case, with a number or a date."""
    assert load_providers(written(tmp_path, f'[openai]\nkey_variable = "{name}"\n'))["openai"].key_variable == name


def test_no_shipped_provider_promises_a_region() -> None:
    """So that a tenant bound to one is sent nowhere until somebody who has a contract says so."""
    assert {provider.regions for provider in load_providers().values()} == {()}


def test_days_until_a_model_is_turned_off() -> None:
    """Negative when it was; unknown where nothing is announced."""
    provider = load_providers()["vllm"]
    assert provider.days_left(date(2026, 1, 1)) is None
    ending = provider.model_copy(update={"retires": date(2027, 1, 20)})
    assert ending.days_left(date(2027, 1, 10)) == 10
    assert ending.days_left(date(2027, 1, 21)) == -1


def test_looking_imports_no_client() -> None:
    """Neither the providers nor the adapter's module cost the second that the client does."""
    code = (
        "import sys; import workers.models.provider, workers.models.openai_compatible as adapter;"
        "adapter.version_of(workers.models.provider.load_providers()['openai']);"
        "print(*{'openai', 'httpx2', 'torch', 'transformers'} & set(sys.modules))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.stdout.strip(), ended.stderr) == ("", "")


def test_no_shipped_table_holds_a_secret() -> None:
    """Nor anything that looks like one."""
    assert "sk-" not in SHIPPED.read_text(encoding="utf-8")
