import pytest

from isshoni.backend.errors import SettingsFault
from isshoni.backend.settings.file_types import RUN_BY_BROWSERS, FileTypes
from isshoni.backend.settings.settings import read_settings

NEEDED = {"ISSHONI_ADMIN_TOKEN": "t", "ISSHONI_TICKET_SECRET": "s" * 32}


def test_every_type_is_allowed_by_default_but_those_that_a_browser_runs() -> None:
    types = FileTypes()
    assert all(types.allows(one) for one in ("application/pdf", "image/svg+xml", "x/y"))
    assert not any(types.allows(one) for one in RUN_BY_BROWSERS)


def test_a_group_allows_its_types_and_a_name_allows_even_what_a_browser_runs() -> None:
    types = FileTypes(("text/*", "text/html", "application/pdf"))
    assert all(types.allows(one) for one in ("text/plain", "text/html", "application/pdf"))
    assert not any(types.allows(one) for one in ("text/javascript", "image/png", "textile/x"))


def test_the_setting_is_a_list_and_a_wrong_entry_is_named() -> None:
    allowed = {"ISSHONI_FILE_TYPES": " image/* ,Application/PDF,"}
    types = read_settings(NEEDED | allowed).limits.file_types
    assert types == FileTypes(("image/*", "application/pdf"))
    assert read_settings(NEEDED).limits.file_types == FileTypes()
    with pytest.raises(SettingsFault, match=r"ISSHONI_FILE_TYPES: '\.pdf' is not"):
        read_settings(NEEDED | {"ISSHONI_FILE_TYPES": ".pdf"})
