"""Environment variables from options and from files."""

from pathlib import Path

import pytest
import typer

from isshoni.cli.env_file import EnvFileFault, parse_env, parse_variable, read_env_file


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("A=plain", "plain"),
        ("  export A = spaced out  ", "spaced out"),
        ("A=", ""),
        ("A=  # nothing", ""),
        ("A=one # a comment", "one"),
        ("A=one#two", "one#two"),
        ("A=a=b", "a=b"),
        ('A="two words" # a comment', "two words"),
        ("A='$HOME \\n'", "$HOME \\n"),
        (r'A="tab\t line\n \"quoted\" \$HOME \\ \x"', 'tab\t line\n "quoted" $HOME \\ \\x'),
        ('A="-----BEGIN\nmany lines\nEND-----"', "-----BEGIN\nmany lines\nEND-----"),
        ("A=postgres://u:p@h/db?x=1", "postgres://u:p@h/db?x=1"),
        ("A=it's", "it's"),
        ("A=비밀", "비밀"),
        ("A=windows\r", "windows"),
    ],
)  # fmt: skip
def test_a_value_is_read_as_dotenv_has_it(text: str, value: str) -> None:
    assert parse_env(text) == {"A": value}
    assert parse_env(f"# first\n\n{text}\nB=2\n") == {"A": value, "B": "2"}


def test_the_last_of_two_values_counts() -> None:
    assert parse_env("A=1\nA=2") == {"A": "2"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("A=1\nsecret-without-name\n", r"line 2: there is no `=`"),
        ("\n\n1A=x", r"line 3: '1A' is not a name of a variable"),
        ("=x", r"line 1: '' is not a name"),
        ("A=1\nB='open\nC=3", r"line 2: the quote ' has no end"),
        ('A="x"y', r"line 1: there is more text after the closing quote"),
        ("A='1\n2'\nB", r"line 3: there is no `=`"),
        ("A=a\0b", r"line 1: the value of A has a zero byte"),
    ],
)
def test_a_fault_is_named_with_its_line_and_never_with_the_value(text: str, said: str) -> None:
    with pytest.raises(EnvFileFault, match=said) as caught:
        parse_env(text)
    assert "secret" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(typer.BadParameter, match=r"nowhere\.env cannot be read: No such file"):
        read_env_file(tmp_path / "nowhere.env")
    (tmp_path / "latin.env").write_bytes(b"A=\xe9")
    with pytest.raises(typer.BadParameter, match=r"latin\.env is not UTF-8 text: .* at byte 2"):
        read_env_file(tmp_path / "latin.env")
    (tmp_path / "bad.env").write_text("A=1\nB")
    with pytest.raises(typer.BadParameter, match=r"bad\.env, line 2: there is no `=`"):
        read_env_file(tmp_path / "bad.env")


def test_a_mark_at_the_begin_of_a_file_is_no_part_of_a_name(tmp_path: Path) -> None:
    (tmp_path / "bom.env").write_bytes(b"\xef\xbb\xbfA=1")
    assert read_env_file(tmp_path / "bom.env") == {"A": "1"}


def test_an_option_is_a_name_and_a_value() -> None:
    assert parse_variable("A=b=c d") == ("A", "b=c d")
    for wrong in ("A", "2=x", "A B=c"):
        with pytest.raises(typer.BadParameter):
            parse_variable(wrong)
