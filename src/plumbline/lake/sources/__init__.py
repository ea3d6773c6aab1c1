"""Sources of bars, one file each; ``plumbline.lake.source.sources`` finds them by file name."""
