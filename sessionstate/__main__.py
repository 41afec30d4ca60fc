"""
``python -m sessionstate``: the command line, for where the script is not on the path.
"""

from sessionstate._cli import main

if __name__ == "__main__":
    main()
