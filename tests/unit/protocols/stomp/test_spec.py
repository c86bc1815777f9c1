import pytest

from mqctl.protocols.stomp.spec import ALL_VERSIONS, OPENING, ORDINARY, Command, Version, negotiate


@pytest.mark.parametrize(
    ("accepted", "version"),
    [
        (None, Version.V1_0),
        ("1.0", Version.V1_0),
        ("1.0,1.1", Version.V1_1),
        ("1.2,1.1,1.0", Version.V1_2),
        ("1.1, 1.2", Version.V1_2),
        ("1.2,2.1", Version.V1_2),
        ("2.1", None),
        ("", None),
    ],
)
def test_the_highest_common_version_is_chosen(accepted, version):
    """STOMP 1.2, Protocol Negotiation; without accept-version the client speaks 1.0."""
    assert negotiate(accepted) is version


def test_every_command_is_opening_or_ordinary():
    named = {value for name, value in vars(Command).items() if name.isupper()}
    assert named == OPENING | ORDINARY
    assert not OPENING & ORDINARY


def test_all_versions_can_be_offered():
    assert negotiate(ALL_VERSIONS) is max(Version)
