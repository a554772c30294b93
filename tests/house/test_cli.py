"""The command: its table of verbs, its exit codes, and how little ``--help`` loads."""

import os
import subprocess
import sys
from argparse import ArgumentParser, Namespace

import pytest

from diastole.edge import __version__, cli
from diastole.edge.errors import BadFile, MissingExtra


def use(monkeypatch: pytest.MonkeyPatch, function: str, extra: str | None = None) -> None:
    """Make ``work`` the one verb, found in this file."""
    row = cli.Verb(f"{__name__}:{function}", "work", extra)
    monkeypatch.setattr(cli, "VERBS", {"work": row})


def takes_a_count(parser: ArgumentParser) -> cli.Run:
    parser.add_argument("count", type=int)
    return lambda given: int(given.count)


def fails_on_a_file(_parser: ArgumentParser) -> cli.Run:
    def run(_given: Namespace) -> int:
        raise BadFile("day.csv", "'abc' is no number", "give rr_ms as digits", line=3)

    return run


def lacks_an_extra(_parser: ArgumentParser) -> cli.Run:
    def run(_given: Namespace) -> int:
        raise MissingExtra("pyarrow", "tables", "Parquet")

    return run


def imports_what_is_absent(_parser: ArgumentParser) -> cli.Run:
    def run(_given: Namespace) -> int:
        __import__("a_library_that_is_absent.inner")
        return 0

    return run


def imports_a_room_that_is_absent(_parser: ArgumentParser) -> cli.Run:
    def run(_given: Namespace) -> int:
        __import__("diastole.absent")
        return 0

    return run


def is_interrupted(_parser: ArgumentParser) -> cli.Run:
    def run(_given: Namespace) -> int:
        raise KeyboardInterrupt

    return run


def has_a_bug(_parser: ArgumentParser) -> cli.Run:
    def run(_given: Namespace) -> int:
        return 1 // 0

    return run


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_row_loads_and_declares_its_options(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([verb, "--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert f"usage: diastole {verb}" in said
    assert "--" in said.replace("--help", ""), "no option of its own"


@pytest.mark.parametrize("verb", cli.VERBS)
def test_help_of_a_verb_loads_no_library_of_an_extra(verb: str) -> None:
    code = (
        "import sys\n"
        "from diastole.edge.cli import main\n"
        "try:\n"
        f"    main([{verb!r}, '--help'])\n"
        "except SystemExit:\n"
        "    pass\n"
        "heavy = {'matplotlib', 'neurokit2', 'onnx', 'onnxruntime', 'pandas', 'pyarrow',\n"
        "         'scipy', 'sklearn'}\n"
        "sys.exit(repr(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_help_loads_nothing_of_ours_but_the_table() -> None:
    code = (
        "import sys\n"
        "from diastole.edge.cli import main\n"
        "try:\n"
        "    main(['--help'])\n"
        "except SystemExit:\n"
        "    print(*sorted(m for m in sys.modules if m.split('.')[0] == 'diastole'))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1].split() == [
        "diastole",
        "diastole.edge",
        "diastole.edge.cli",
    ]


def test_the_module_runs_as_the_command_does() -> None:
    command = [sys.executable, "-m", "diastole", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"diastole {__version__}\n"


def test_without_a_verb_the_help_is_the_result(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == cli.OK
    said = capsys.readouterr().out
    assert all(verb in said for verb in cli.VERBS)


def test_a_typo_names_the_nearest_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["repaly", "day.csv"]) == cli.MISTAKE
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "diastole: no verb 'repaly': did you mean 'replay'?\n"


def test_a_word_like_no_verb_points_to_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["xyz"]) == cli.MISTAKE
    assert capsys.readouterr().err == "diastole: no verb 'xyz': see diastole --help\n"


@pytest.mark.parametrize("code", [cli.OK, cli.FAILED])
def test_the_verb_gives_the_exit_code(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, "takes_a_count")
    assert cli.main(["work", str(code)]) == code


@pytest.mark.parametrize("words", [["--nonsense"], ["work"], ["work", "two"]])
def test_wrong_options_are_a_mistake(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, "takes_a_count")
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    assert ended.value.code == cli.MISTAKE


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (
            "fails_on_a_file",
            "diastole: day.csv, line 3: 'abc' is no number: give rr_ms as digits\n",
        ),
        ("lacks_an_extra", "diastole: Parquet needs pyarrow: pip install 'diastole[tables]'\n"),
    ],
)
def test_law_12_a_mistake_is_one_sentence(
    function: str,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    use(monkeypatch, function)
    assert cli.main(["work"]) == cli.MISTAKE
    assert capsys.readouterr().err == sentence


def test_a_library_of_the_verbs_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, "imports_what_is_absent", "train")
    assert cli.main(["work"]) == cli.MISTAKE
    assert capsys.readouterr().err == (
        "diastole: work needs a_library_that_is_absent: pip install 'diastole[train]'\n"
    )


@pytest.mark.parametrize(
    ("function", "extra"),
    [("imports_what_is_absent", None), ("imports_a_room_that_is_absent", "train")],
)
def test_no_extra_is_blamed_for_what_it_does_not_bring(
    function: str, extra: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, function, extra)
    with pytest.raises(ModuleNotFoundError):
        cli.main(["work"])


def test_an_interrupt_is_130_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, "is_interrupted")
    assert cli.main(["work"]) == cli.INTERRUPTED
    assert capsys.readouterr().err == ""


def test_a_bug_is_not_dressed_as_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, "has_a_bug")
    with pytest.raises(ZeroDivisionError):
        cli.main(["work"])


@pytest.mark.skipif(sys.platform == "win32", reason="pipes break otherwise there")
def test_a_reader_that_leaves_hears_no_complaint() -> None:
    # Unbuffered, argparse itself would swallow the broken pipe.
    buffered = {name: text for name, text in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = [sys.executable, "-m", "diastole", "--help"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=buffered
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.close()
        complaint = child.stderr.read()
    assert complaint == b""
    assert child.returncode == cli.FAILED
