"""Which model a job's arm has: opened once, shared with the default where it is the same, closed in the end."""

import pytest

from ab_testing.experiment import Arm
from earmark.domain import Exposure, Job, Upload
from earmark.errors import ConfigurationError
from earmark.settings import Settings
from runtime.arms import REFUSED_S, ArmModels
from runtime.experiments import arm_settings, arm_spec
from tests.making import make_exposure, make_job
from workers.model_process import ModelProcess
from workers.models.catalogue import ModelSpec
from workers.primary import Primary


def primary(name: str, version: str = "1") -> Primary:
    """A model that is never started."""
    return Primary(name, version, ModelProcess("nowhere:nothing", {}, start_timeout_s=1), pause_s=1)


class Setting:
    """Arm models, with what they ask for within reach."""

    def __init__(self) -> None:
        """Two arms of an experiment that runs."""
        self.default = primary("listener")
        self.arms = {
            "primary": Arm(name="primary", share=0.8),
            "experimental": Arm(name="experimental", share=0.1, model="other", settings={"model_windows": 2}),
            "third": Arm(name="third", share=0.1, model="listener"),
        }
        self.regions: frozenset[str] = frozenset()
        self.spec_regions: frozenset[str] | None = None
        self.error: ConfigurationError | None = None
        self.made: list[str] = []
        self.refused: list[str] = []
        self.seconds = 100.0
        self.models = ArmModels(
            self.default,
            arm_of=self.arm_of,
            make=self.make,
            regions_of=self.regions_of,
            refused=lambda job, why: self.refused.append(f"{job.arm}: {why}"),
            now=lambda: self.seconds,
        )

    def arm_of(self, exposure: Exposure) -> Arm | None:
        """As the experiment defines it."""
        return self.arms.get(exposure.arm)

    def regions_of(self, _: Upload) -> frozenset[str]:
        """Where data must stay."""
        return self.regions

    def make(self, arm: Arm) -> tuple[ModelSpec, Primary]:
        """A model, or an error."""
        self.made.append(arm.name)
        if self.error is not None:
            raise self.error
        assert arm.model is not None
        spec = ModelSpec(arm.model, "1", "nowhere:nothing", (), regions=self.spec_regions)
        return spec, primary(arm.model)


@pytest.fixture
def setting() -> Setting:
    """Arm models of an experiment that runs."""
    return Setting()


def job(arm: str = "experimental") -> Job:
    """A job in an arm."""
    return make_job(arm=arm, exposure=make_exposure(arm))


def test_a_model_is_opened_once_and_closed_with_its_experiment(setting: Setting) -> None:
    """However many jobs need it; an arm without a model of its own has the default."""
    found = setting.models.find(job())
    assert found is not None
    assert (found.name, setting.models.find(job())) == ("other", found)
    assert setting.models.find(job("primary")) is setting.default
    assert setting.made == ["experimental"]
    assert setting.models.retired() == []
    del setting.arms["experimental"]
    assert setting.models.find(job()) is None
    assert setting.models.retired() == [found]
    assert setting.models.retired() == []


def test_the_same_model_as_the_default_is_not_loaded_twice(setting: Setting) -> None:
    """Memory of a GPU is short; and the default is never closed."""
    assert setting.models.find(job("third")) is setting.default
    del setting.arms["third"]
    assert setting.models.retired() == []
    setting.models.close()


def test_data_stays_in_its_region(setting: Setting) -> None:
    """A model that sends data elsewhere does not hear it; one that runs here hears all."""
    setting.spec_regions, setting.regions = frozenset({"us"}), frozenset({"eu"})
    assert setting.models.find(job()) is None
    setting.regions = frozenset({"us"})
    assert setting.models.find(job()) is not None
    setting.regions = frozenset()
    assert setting.models.find(job()) is not None


def test_a_model_that_cannot_be_made_is_told_of_and_tried_again_later(setting: Setting) -> None:
    """Not for each job."""
    setting.error = ConfigurationError("no weights")
    assert [setting.models.find(job()) for _ in range(3)] == [None] * 3
    assert setting.refused == ["experimental: no weights"]
    setting.seconds += REFUSED_S
    setting.error = None
    assert setting.models.find(job()) is not None


def test_an_arm_sets_what_it_names_and_nothing_of_another_model() -> None:
    """Settings of the worker's own model do not reach another one; what the arm sets is checked as settings are."""
    settings = Settings(model="listener", model_version="mine", confidence_threshold=0.7)
    own = arm_settings(settings, Arm(name="a", share=0.1, model="qwen2_audio", settings={"model_path": "here"}))
    assert (own.model, own.model_path, own.model_version, own.confidence_threshold) == ("qwen2_audio", "here", "", 0.7)
    same = arm_settings(settings, Arm(name="a", share=0.1, settings={"model_threads": 2}))
    assert (same.model, same.model_version, same.model_threads) == ("listener", "mine", 2)
    with pytest.raises(ConfigurationError) as caught:
        arm_settings(settings, Arm(name="a", share=0.1, settings={"model_windows": 0}))
    assert str(caught.value) == (
        "The arm a has wrong settings: model_windows: Input should be greater than or equal to 1.  "
        "`docs/settings.md` describes each."
    )
    with pytest.raises(ConfigurationError, match="no model 'absent'"):
        arm_spec(settings, Arm(name="a", share=0.1, model="absent"))
