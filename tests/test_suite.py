"""The suite itself: the cases that -m "not slow" leaves out, the order of files, and the record of what tests take."""

from pathlib import Path

import pytest
from suite import longest_first, slow

pytest_plugins = ["pytester"]


def test_of_a_longer_function_the_first_case_is_quick_and_of_a_very_long_one_none() -> None:
    names = ["a::new", "a::new", "a::longer", "a::longer", "a::very_long"]
    assert [False, False, False, True, True] == slow(names, {"a::longer": 0.5, "a::very_long": 9})


def test_files_with_the_most_seconds_come_first_each_in_its_own_order() -> None:
    # a takes 3, b takes 2·2 and c nothing that is known
    names = ["a::x", "b::x", "c::x", "b::x", "a::y"]
    assert [1, 3, 0, 4, 2] == longest_first(names, {"a::y": 3, "b::x": 2})
    assert [0, 1, 2, 3, 4] == longest_first(names, {})


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_run_records_what_its_longer_functions_take(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, workers: str
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    pytester.makeconftest(Path(__file__).with_name("conftest.py").read_text())
    pytester.mkdir("data").joinpath("seconds.json").write_text('{"test_it.py::test_long": 0.5}')
    pytester.makepyfile(
        test_it="""
        import time, pytest
        @pytest.mark.parametrize("n", [0, 1, 2])
        def test_long(n):
            began = time.process_time()
            while time.process_time() < began + 0.2: ...
        def test_short(): ...
        """
    )
    pytester.makeini("[pytest]\nmarkers = slow")
    pytester.runpytest_subprocess("-n", workers, "--record", "new.json").assert_outcomes(passed=4)
    text = pytester.path.joinpath("new.json").read_text()
    assert "test_it.py::test_long" in text
    assert "test_short" not in text
    if workers == "2":
        pytester.runpytest_subprocess("-m", "not slow").assert_outcomes(passed=2, deselected=2)
