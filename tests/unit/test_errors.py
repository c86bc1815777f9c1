"""The tree of errors: each ends the program with a code that the manual explains."""

from __future__ import annotations

import pytest

from mqctl import errors
from mqctl.errors import ExitCode, MqctlError

ERRORS = [
    each
    for each in vars(errors).values()
    if isinstance(each, type) and issubclass(each, MqctlError) and each is not MqctlError
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_every_error_has_an_exit_code_that_is_not_a_bug_and_not_success(error):
    assert error.exit_code not in (ExitCode.OK, ExitCode.BUG)


@pytest.mark.parametrize("error", [MqctlError, *ERRORS], ids=lambda error: error.__name__)
def test_every_error_stands_in_the_tree_at_the_head_of_the_module(error):
    assert f" {error.__name__} " in f" {errors.__doc__} ".replace("\n", " ")


@pytest.mark.parametrize("code", ExitCode, ids=lambda code: code.name)
def test_every_exit_code_is_explained(code):
    assert code.meaning


def test_a_hint_travels_beside_the_sentence():
    error = MqctlError("it broke", hint="mend it")
    assert (str(error), error.hint) == ("it broke", "mend it")
