"""Seconds of a clock that is started and stopped, and those that were spent waiting for a core."""

import pytest

from seqlab import stopwatch
from seqlab.stopwatch import Stopwatch, waited_for_a_core


class Clock:
    """A clock that goes on only when told to."""

    now, waited = 100.0, 7.0

    def perf_counter(self):
        return self.now

    def goes_on(self, seconds, waited=0.0):
        self.now += seconds
        if self.waited is not None:
            self.waited += waited


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(stopwatch, "time", clock)
    monkeypatch.setattr(stopwatch, "waited_for_a_core", lambda: clock.waited)
    return clock


def test_only_seconds_between_start_and_stop_count(clock):
    watch = Stopwatch()
    clock.goes_on(1000, 500)
    watch.start()
    clock.goes_on(2, 0.5)
    watch.start()  # it runs already
    clock.goes_on(3, 0.25)
    assert (watch.runs, watch.seconds, watch.waited) == (True, 5.0, 0.75)
    watch.stop()
    clock.goes_on(1000, 500)
    watch.stop()
    assert (watch.runs, watch.seconds, watch.waited) == (False, 5.0, 0.75)
    with watch:
        clock.goes_on(4)
    clock.goes_on(1000)
    assert (watch.seconds, watch.waited) == (9.0, 0.75)


def test_waiting_is_not_known_where_the_system_does_not_tell_or_stops_telling(clock):
    watch = Stopwatch()
    watch.start()
    clock.goes_on(2, 1)
    watch.stop()
    clock.waited = None
    watch.start()
    clock.goes_on(3)
    watch.stop()
    assert (watch.seconds, watch.waited) == (5.0, None)
    clock.waited = 9.0
    watch.start()
    watch.stop()
    assert watch.waited is None


@pytest.mark.parametrize(
    ("content", "seconds"), [("482806061 2518738404 31\n", 2.518738404), ("0", None), (None, None)]
)
def test_the_wait_for_a_core_is_read_where_the_system_tells(tmp_path, monkeypatch, content, seconds):
    file = tmp_path / "schedstat"
    if content is not None:
        file.write_text(content)
    monkeypatch.setattr(stopwatch, "SCHEDULED", file)
    assert waited_for_a_core() == seconds
