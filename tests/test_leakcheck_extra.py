"""
The command without the packages of its extra.
"""

from __future__ import annotations

import sys

import pytest

import sessionstate._cli


class TestExtra:
    @pytest.mark.parametrize("script", ["bin/sessionstate", "sessionstate/__main__.py"])
    def test_without_click_the_command_exits_with_3(
        self,
        script: str,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """
        The command says in one line what to install: it is no leak that it cannot run.
        """
        monkeypatch.setattr(sys, "argv", [script, "leakcheck"])
        monkeypatch.setitem(sys.modules, "click", None)
        with pytest.raises(SystemExit) as caught:
            _ = sessionstate._cli.main
        assert caught.value.code == 3
        assert capsys.readouterr().err == (
            "the sessionstate command needs 'click': pip install 'sessionstate[cli]'\n"
        )

    def test_without_click_an_import_raises(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        A program that imports the command is not ended.
        """
        monkeypatch.setattr(sys, "argv", ["app/__main__.py"])
        monkeypatch.setitem(sys.modules, "click", None)
        with pytest.raises(ImportError, match="needs 'click': pip install"):
            _ = sessionstate._cli.main
