"""The scratch-pad of each run is kept, because the loop writes through a local name and the end of a run only clears the run's own object."""

class AgentPool:
    def __init__(self, client, tools):
        self.client = client
        self.tools = tools
        self._pads = {}  # leaks SS001: filled through a local alias, emptied nowhere

    async def run(self, run_id, goal, limit=12):
        pads = self._pads
        pads[run_id] = [goal]
        append = pads[run_id].append
        for _ in range(limit):
            step = await self.client.next_step(pads[run_id])
            if step.final:
                return step.text
            append(step.text)
            append(await self.tools[step.tool](**step.args))
        raise RuntimeError(f"run {run_id} used up its {limit} steps")

    def pad(self, run_id):
        pads = self._pads
        return list(pads.get(run_id, ()))
