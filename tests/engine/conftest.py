from pathlib import Path

import pytest

from plumbline.engine.project import Project, create_project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return create_project(tmp_path / "project")
