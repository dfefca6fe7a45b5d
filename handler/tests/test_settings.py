"""What the environment sets."""

from __future__ import annotations

from dataclasses import fields

import pytest

from vertex_diffusion.settings import Settings, read_settings, variable_of


def test_an_empty_environment_gives_the_defaults() -> None:
    assert read_settings({}) == Settings()
    assert read_settings({"VERTEX_DIFFUSION_DEFAULT_STEPS": " "}) == Settings()


@pytest.mark.parametrize("name", [each.name for each in fields(Settings)])
def test_each_setting_has_a_variable_with_bounds(name: str) -> None:
    allowed = {each.name: each for each in fields(Settings)}[name].metadata["range"]

    for value in (allowed.low, allowed.high):
        assert getattr(read_settings({variable_of(name): str(value)}), name) == value
    for wrong in (str(allowed.low - 1), str(allowed.high + 1)):
        with pytest.raises(ValueError, match=f"{variable_of(name)} must be"):
            read_settings({variable_of(name): wrong})


@pytest.mark.parametrize("value", ["0", "101", "many", "2.5", "\u00b2", "9" * 5000])
def test_refuses_what_is_no_number_in_bounds(value: str) -> None:
    with pytest.raises(ValueError, match="must be a whole number between 1 and 100") as caught:
        read_settings({"VERTEX_DIFFUSION_DEFAULT_STEPS": value})

    assert len(str(caught.value)) < 200


def test_names_each_wrong_setting_in_one_line() -> None:
    environment = {
        "VERTEX_DIFFUSION_DEFAULT_STEPS": "0",
        "VERTEX_DIFFUSION_MAX_INSTANCES": "many\nlines",
    }

    with pytest.raises(ValueError, match=r"DEFAULT_STEPS.*MAX_INSTANCES") as caught:
        read_settings(environment)

    assert "\n" not in str(caught.value)
