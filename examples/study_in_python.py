"""A study from Python: run the example recipe with another window, and look at its tables.

Run: python examples/study_in_python.py [PROJECT FOLDER]
"""

import sys
from pathlib import Path

import plumbline

HERE = Path(__file__).resolve().parent


def main(folder: str) -> None:
    project = plumbline.init(folder)
    study = plumbline.run(
        HERE / "us_equity.yaml",
        project=project,
        overrides=["name=us_equity_126", "model.window=126", "evaluation.horizons=[5, 21]"],
    )
    print(study.tables["summary"].select("signal", "horizon_bars", "mean_ic", "t_hac", "p_value"))
    residual = study.panel("factor_model")["residual_return"]
    print(f"residual returns: {residual.shape}, mapped from disk: {not residual.flags.owndata}")
    print(study.write_report().html)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "demo")
