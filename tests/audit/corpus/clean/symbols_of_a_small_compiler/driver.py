"""
The command line.
"""
import argparse
import ast
from pathlib import Path

from passes import declare, resolve


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("source", type=Path)
    tree = ast.parse(parser.parse_args().source.read_text())
    for name, slot in resolve(tree, declare(tree)).items():
        print(f"{name:20} {slot or 'unknown'}")


if __name__ == "__main__":
    main()
