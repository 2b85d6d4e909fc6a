"""docs/scripting.md says what the operators are."""

from .scripting_reference import TARGET, reference


def test_the_page_is_in_step_with_the_operators():
    assert TARGET.read_text(encoding='utf-8') == reference(), (
        'write it anew: python tests/addon/scripting_reference.py'
    )
