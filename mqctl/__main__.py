"""`python -m mqctl` is the same program as the installed `mqctl`."""

from mqctl.cli.main import main

if __name__ == "__main__":
    main()
