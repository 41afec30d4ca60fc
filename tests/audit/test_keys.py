"""
Of how many values a key may be.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from sessionstate.audit._judging import Judge
from sessionstate.audit._keys import Domain, Keys
from tests.audit.small import project

SESSION, LIKELY = Domain.SESSION, Domain.LIKELY
UNKNOWN, BOUNDED = Domain.UNKNOWN, Domain.BOUNDED


class TestKeys:
    @pytest.mark.parametrize(
        ("key", "domain"),
        [
            ("c:all", BOUNDED),
            ("b:constant", BOUNDED),
            ("s:", BOUNDED),
            ("u:next(iter)", SESSION),
            ("k:@users", UNKNOWN),
            ("p:value", UNKNOWN),
        ],
    )
    def test_origins(self, key: str, domain: Domain) -> None:
        """
        What is in the source is bounded, what is made anew is not; of the rest the name decides.
        """
        assert Keys().domain(key) is domain

    @pytest.mark.parametrize(
        ("name", "domain"),
        [
            ("session_id", SESSION),
            ("sessionId", SESSION),
            ("token", SESSION),
            ("USER_ID", BOUNDED),
            ("provider", BOUNDED),
            ("model_name", BOUNDED),
            ("color", BOUNDED),
            ("thing_id", LIKELY),
            ("cache_key", LIKELY),
            ("id", LIKELY),
            ("thing", UNKNOWN),
        ],
    )
    def test_names_of_parameters(self, name: str, domain: Domain) -> None:
        """
        Names tell keys of sessions from those of what somebody wrote down.
        """
        assert Keys().domain(f"p:{name}|") is domain

    @pytest.mark.parametrize(
        ("key", "domain"),
        [
            ("a:user.id", SESSION),
            ("a:tool.id", BOUNDED),
            ("a:plugin.name", BOUNDED),
            ("a:thing.id", LIKELY),
            ("a:settings.LIMIT", BOUNDED),
            ("a:request.whatever", SESSION),
            ("a:event.whatever", LIKELY),
            ("a:other.whatever", UNKNOWN),
            ("r:uuid4().hex", SESSION),
            ("r:self.make_thing_id()", SESSION),
            ("v:self", SESSION),
            ("p:self|", UNKNOWN),
        ],
    )
    def test_what_they_hang_on(self, key: str, domain: Domain) -> None:
        """
        An attribute counts with what it is an attribute of, a call with what it makes.
        """
        assert Keys().domain(key) is domain

    @pytest.mark.parametrize(
        ("annotation", "domain"),
        [
            ("Literal", BOUNDED),
            ("LogLevel", BOUNDED),
            ("WebSocket", SESSION),
            ("PlayerId", SESSION),
            ("str", UNKNOWN),
            ("", UNKNOWN),
        ],
    )
    def test_annotations(self, annotation: str, domain: Domain) -> None:
        """
        A type says more than a name that says nothing.
        """
        assert Keys().domain(f"p:thing|{annotation}") is domain

    @pytest.mark.parametrize(
        ("key", "domain"),
        [
            ("v:key<p:session_id|str", SESSION),
            ("v:session_id<c:all", BOUNDED),
            ("v:session_id<r:whatever()", SESSION),
            ("v:thing<r:whatever()", UNKNOWN),
        ],
    )
    def test_sources(self, key: str, domain: Domain) -> None:
        """
        A local variable is what it was made from; its own name counts where that says nothing.
        """
        assert Keys().domain(key) is domain

    @pytest.mark.parametrize(
        ("key", "domain"),
        [
            ("t:c:a+p:session_id|", SESSION),
            ("t:c:a+p:thing|", UNKNOWN),
            ("t:p:thing|+p:thing_id|", LIKELY),
            ("t:c:a+c:b", BOUNDED),
            ("t:", BOUNDED),
        ],
    )
    def test_several(self, key: str, domain: Domain) -> None:
        """
        A key of several parts takes as many values as the part that takes most.
        """
        assert Keys().domain(key) is domain

    def test_settings(self) -> None:
        """
        The names in the settings go before those that are known.
        """
        keys = Keys(session=["shard", "provider"], bounded=["session_id"])
        assert keys.domain("p:shard|") is SESSION
        assert keys.domain("a:self.provider") is SESSION
        assert keys.domain("p:session_id|WebSocket") is BOUNDED

    def test_settings_decide(self, tmp_path: Path) -> None:
        """
        A map whose keys the settings call bounded is clean.
        """
        source = """
            rooms = {}

            async def enter(session_id):
                rooms[session_id] = 1
        """
        audited = project(tmp_path, server=source)
        codes = [
            [each.code for each in Judge(audited, keys).outcomes()]
            for keys in (Keys(), Keys(bounded=["session_id"]))
        ]
        assert codes == [["SS001"], [""]]
