"""The command line ``plumbline``: speaks to people, computes nothing."""


def main() -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 usage, 3 a gate said no, 130 Ctrl-C."""
    import sys
    from io import TextIOWrapper

    from plumbline.cli.app import call
    from plumbline.cli.console import is_read

    for stream in (sys.stdout, sys.stderr):  # what an encoding lacks is shown by its number
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    code = call()
    raise SystemExit(code if is_read() else 1)
