import inspect

import pytest

from mnist_core import errors

KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if kind.__module__ == errors.__name__
]


def test_every_kind_is_caught_as_a_user_error_and_reads_as_its_sentence():
    for kind in KINDS:
        with pytest.raises(errors.UserError) as caught:
            raise kind("Something happened; do this.")
        assert str(caught.value) == "Something happened; do this.", kind


def test_wrong_settings_are_also_a_value_error():
    assert issubclass(errors.InvalidConfig, ValueError)
