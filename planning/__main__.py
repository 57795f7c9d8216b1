"""`python -m planning`: the same as the command `planning`."""

from planning.cli import main

if __name__ == "__main__":
    main()
