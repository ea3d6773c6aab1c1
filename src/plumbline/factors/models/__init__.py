"""Factor models, one file each; ``plumbline.factors.model.models`` finds them by file name."""
