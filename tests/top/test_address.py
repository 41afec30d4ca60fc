from __future__ import annotations

import pytest

from sessionstate._cli.top._address import address, checked_token


class TestAddress:
    @pytest.mark.parametrize(
        ("text", "url", "token"),
        [
            ("http://127.0.0.1:8123/?token=abc", "http://127.0.0.1:8123/", "abc"),
            ("http://127.0.0.1:8123", "http://127.0.0.1:8123/", None),
            ("https://example.org/sessions", "https://example.org/sessions/", None),
            ("http://[::1]:8123/a/?x=1&token=a%2Bb#c", "http://[::1]:8123/a/", "a+b"),
            (" http://localhost:1/?token= ", "http://localhost:1/", None),
        ],
    )
    def test_the_token_is_taken_out_of_the_url(
        self, text: str, url: str, token: str | None
    ) -> None:
        """
        What is asked for has no query, so that no log of requests has the token.
        """
        found = address(text)
        assert (found.url, found.token) == (url, token)
        assert "abc" not in repr(found)

    @pytest.mark.parametrize(
        ("text", "advice"),
        [
            ("127.0.0.1:8123", "no scheme: write http://127.0.0.1:8123"),
            ("127.0.0.1:8123?token=secret", "no scheme: write http://127.0.0.1:8123$"),
            ("", "no scheme: write http://127.0.0.1:8123/"),
            ("ftp://host/", "its scheme is 'ftp'"),
            ("http:///x", "names no host"),
            ("http://host:port/", "is no URL"),
            ("http://host:99999/", "is no URL"),
            ("http://user:word@host/", "has a user or password"),
            ("http://ho st/", "a character that no URL has"),
            ("http://host/\x1b[31m", "a character that no URL has"),
            ("http://host/?token=a&token=b", "more than one token"),
            ("http://host/?token=a%0d%0aX:%20y", "cannot be sent in a header"),
        ],
    )
    def test_what_is_no_address_is_told_with_advice(self, text: str, advice: str) -> None:
        """
        A URL that cannot be meant is refused with what to write instead, and without its token.
        """
        with pytest.raises(ValueError, match=advice) as caught:
            address(text)
        assert "secret" not in str(caught.value)

    @pytest.mark.parametrize("text", ["", "  ", "a b", "t\u00f6ken", "a\x00"])
    def test_a_token_must_fit_a_header(self, text: str) -> None:
        """
        A token is visible ASCII; space around it, such as the end of a line, is none of it.
        """
        assert checked_token(" abc\n") == "abc"
        with pytest.raises(ValueError, match="token is empty, or has characters"):
            checked_token(text)

    @pytest.mark.parametrize(
        ("host", "is_local"),
        [
            ("127.0.0.1", True),
            ("127.9.9.9:80", True),
            ("[::1]:80", True),
            ("localhost", True),
            ("app.localhost", True),
            ("localhost.example.org", False),
            ("10.0.0.1", False),
        ],
    )
    def test_this_machine_is_known(self, host: str, *, is_local: bool) -> None:
        """
        A loopback address is asked directly, never through a proxy.
        """
        assert address(f"http://{host}/").is_local is is_local
