"""An executor without processes."""

from hydra_pruning_sweeper.execution.executor import Executor


class PretendedExecutor(Executor):
    """Runs `script(job)` at once, which gives how the job ended (None: it has not)."""

    def __init__(self, script):
        self.script, self.jobs, self.ended, self.signals = script, [], [], []
        self.prepared = self.closed = False

    def prepare(self):
        self.prepared = True

    def start(self, job):
        self.jobs.append(job)
        if (end := self.script(job)) is not None:
            self.ended.append(end)

    def wait(self, seconds):
        ended, self.ended = self.ended, []
        return ended

    def signal(self, number, sign):
        self.signals.append((number, sign))

    def close(self):
        self.closed = True
