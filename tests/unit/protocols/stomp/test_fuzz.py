import pytest

from tests.fuzz import stomp_frames


@pytest.mark.timeout(180)  # two seconds, but ten times that under coverage on a busy machine
def test_mutated_frames_do_no_harm():
    """The short form of `python -m tests.fuzz.stomp_frames`."""
    counters = stomp_frames.run(20_000, seed=20)
    assert counters.frames >= 20_000
    assert counters.parsed > 5_000
    assert counters.requests > 2_000
    assert counters.refused > 1_000


def test_a_fault_is_found_and_told(monkeypatch, capsys):
    """The fuzzer fails when the code under test does."""

    def broken(self, data):
        raise KeyError("planted")

    monkeypatch.setattr(stomp_frames.FrameParser, "feed", broken)
    monkeypatch.setattr("sys.argv", ["stomp_frames", "--frames", "8", "--seed", "1"])
    assert stomp_frames.main() == 1
    output = capsys.readouterr()
    assert "seed 1" in output.out
    assert "planted" in output.err
