"""Signals, one file each; ``plumbline.features.signal.signals`` finds them by file name."""
