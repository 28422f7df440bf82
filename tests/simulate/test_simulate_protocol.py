import pytest
import yaml

from polyomics.errors import InputError
from polyomics.simulate.protocol import builtin_protocols, load_protocol

MINIMAL = {
    "name": "mine",
    "equilibrate": [{"kind": "npt", "temperature": "T", "duration_ps": 10.0}],
    "sample": {"block_ps": 10.0, "maximum_ps": 40.0},
}


def written(tmp_path, data):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


def test_the_protocols_promised_exist_and_resolve():
    assert builtin_protocols() == ("quick", "radonpy", "standard")
    for name in builtin_protocols():
        plan = load_protocol(name).resolve(300.0, 1.01325)
        assert [stage.stage for stage in plan.stages][:2] == ["equilibrate", "sample"]
        assert plan.steps == sum(s.steps for stage in plan.stages for s in stage.segments)


def test_quick_is_always_provisional_and_short_and_standard_is_three_replicas_of_two_ns():
    quick, standard = load_protocol("quick"), load_protocol("standard")
    assert quick.quality_ceiling == "provisional"
    assert 150.0 <= quick.resolve(450.0, 1.0).duration_ps <= 300.0
    assert standard.replicas == 3
    assert standard.resolve(300.0, 1.0).duration_ps >= 2000.0


def test_radonpy_has_the_published_lengths_and_settings():
    protocol = load_protocol("radonpy")
    plan = protocol.resolve(300.0, 1.01325)
    larsen = [s for s in plan.stage("equilibrate").segments if s.name.startswith("larsen")]
    assert len(larsen) == 21
    assert sum(s.duration_ps for s in larsen) == pytest.approx(1560.0)
    assert [s.pressure for s in larsen if s.pressure is not None] == pytest.approx(
        [1.01325 * atm for atm in (1000, 30000, 50000, 25000, 5000, 500, 1)]
    )
    assert {s.temperature for s in larsen} == {600.0, 300.0}
    assert plan.stage("sample").duration_ps == pytest.approx(5000.0)
    # 2.02 + 1.56 + 5 million steps, as published; the twenty more are pieces of the minimisation.
    assert plan.steps == 2_020_000 + 1_560_000 + 5_000_000 + 20
    options = protocol.system_options()
    assert (options.nonbonded.cutoff, options.nonbonded.switch) == (1.2, 0.8)
    assert not options.nonbonded.dispersion_correction
    assert protocol.step_fs == 1.0
    assert protocol.force_field_options() == {"version": "2.1", "fluorine_c3f": True}


def test_t_max_never_lies_below_the_target():
    for kelvin in (200.0, 450.0, 1200.0):
        for segment in load_protocol("quick").resolve(kelvin, 1.0).stage("equilibrate").segments:
            if segment.name.endswith("hot"):
                assert segment.temperature >= kelvin


def test_a_minimal_file_is_enough_and_its_digest_depends_on_numbers_but_not_on_the_description(tmp_path):
    first = load_protocol(written(tmp_path, MINIMAL))
    described = load_protocol(written(tmp_path, MINIMAL | {"description": "words"}))
    longer = load_protocol(written(tmp_path, MINIMAL | {"friction": 2.0}))
    assert first.digest() == described.digest() != longer.digest()
    assert not first.has_stage("dynamics")


def test_each_stage_key_depends_on_its_own_part_only(tmp_path):
    first = load_protocol(written(tmp_path, MINIMAL))
    more = load_protocol(written(tmp_path, MINIMAL | {"sample": {"block_ps": 10.0, "maximum_ps": 80.0}}))
    assert first.stage_parameters("equilibrate") == more.stage_parameters("equilibrate")
    assert first.stage_parameters("sample") != more.stage_parameters("sample")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"colour": "red"}, "colour"),
        ({"step_fs": 4.0}, "step_fs"),
        ({"step_fs": "2"}, "step_fs"),
        ({"replicas": 2.5}, "replicas"),
        ({"sample": {"block_ps": 10.0, "maximum_ps": 5.0}}, "maximum_ps"),
        ({"sample": {"block_ps": 10.0, "maximum_ps": 20.0, "length": 3}}, "length"),
        ({"equilibrate": []}, "equilibrate"),
        ({"equilibrate": [{"kind": "npt", "temperature": "hot", "duration_ps": 1.0}]}, "temperature"),
        ({"equilibrate": [{"kind": "anneal", "duration_ps": 1.0}]}, "anneal"),
        ({"system": {"nonbonded": {"cutoff": 0.9, "switch": 1.0}}}, "switch"),
        ({"dynamics": {"duration_ps": 10.0, "friction": 1.0}}, "friction"),
    ],
)
def test_what_is_unknown_or_out_of_range_is_refused_by_name(tmp_path, change, named):
    with pytest.raises(InputError, match=named):
        load_protocol(written(tmp_path, MINIMAL | change))


def test_an_unknown_name_and_a_missing_file_are_refused(tmp_path):
    with pytest.raises(InputError, match="quick, radonpy, standard"):
        load_protocol("fast")
    with pytest.raises(InputError, match="cannot be read"):
        load_protocol(tmp_path / "absent.yaml")
