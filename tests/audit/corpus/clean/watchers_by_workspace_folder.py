"""
The table has a row for every folder on the command line and gets no other.
"""
import argparse
import asyncio
from pathlib import Path


class Indexer:
    def __init__(self, folders):
        self.folders = [Path(f).resolve() for f in folders]
        self.mtimes = {}  # clean: keyed by the folders of the command line

    def changed(self, folder):
        newest = max((p.stat().st_mtime for p in folder.rglob("*.py")), default=0.0)
        old = self.mtimes.get(folder)
        self.mtimes[folder] = newest
        return old is not None and newest > old

    async def watch(self, on_change):
        while True:
            for folder in self.folders:
                if self.changed(folder):
                    await on_change(folder)
            await asyncio.sleep(1)


async def rebuild(folder):
    print("rebuild", folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folders", nargs="+")
    asyncio.run(Indexer(parser.parse_args().folders).watch(rebuild))
