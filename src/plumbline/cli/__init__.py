"""The command line ``plumbline``: speaks to people, computes nothing."""


def main() -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 usage, 3 a gate said no, 130 Ctrl-C."""
    from plumbline.cli.process import run

    run()
