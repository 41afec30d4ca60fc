"""
The callback that a run puts on SIGUSR1 is taken off again when the run is over.
"""

import asyncio
import signal


class Run:
    def __init__(self, run_id, steps):
        self.run_id = run_id
        self.steps = steps
        self.at = 0

    def dump(self):
        print(f"run {self.run_id}: step {self.at} of {len(self.steps)}")

    async def go(self):
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, self.dump)  # clean: removed in finally
        try:
            for self.at, step in enumerate(self.steps, start=1):
                await step()
        finally:
            loop.remove_signal_handler(signal.SIGUSR1)


async def main(queue):
    while (job := await queue.get()) is not None:
        await Run(job["run_id"], job["steps"]).go()
