"""What every command promises: help with an example, one-line errors, documented exit codes."""

import pytest
from typer.main import get_command

from orchestrator.cli import app as app_module
from orchestrator.cli.errors import Exit


def leaves(command, path=()):
    if hasattr(command, "commands"):
        for name, inner in command.commands.items():
            yield from leaves(inner, (*path, name))
    else:
        yield " ".join(path), command


COMMANDS = dict(leaves(get_command(app_module.app)))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example_of_itself(name):
    command = COMMANDS[name]

    assert command.help
    assert command.epilog.startswith("Example:")
    assert f"farm {name}" in command.epilog
    assert all(getattr(parameter, "help", None) for parameter in command.params)


def test_the_commands_are_those_that_were_promised():
    promised = """up down status logs run doctor credentials
        pool create,pool list,pool show,pool resize,pool delete,pool preempt,
        pool autoscale enable,pool autoscale disable,pool autoscale evaluate,node list,node show,node reboot,
        node reimage,node remove,node disable,node enable,node deallocate,node start,node logs,
        job submit,job list,job show,job wait,job delete,job prune,
        schedule add,schedule list,schedule show,schedule jobs,
        schedule enable,schedule disable,schedule terminate,schedule delete,
        task list,task show,task why,task retry,task logs,
        package add,package list,package default,package delete,certificate add,certificate list,certificate show,
        certificate delete,certificate cancel-delete,
        storage mb,storage put,storage ls,storage get,storage rm,storage url,key show,key regenerate,
        quota show,quota set,quota reset"""
    first, rest = promised.split("\n", 1)

    assert set(COMMANDS) == set(first.split()) | {name.strip() for name in rest.split(",")}


PRINTS = """status,logs,run,doctor,pool list,pool show,pool preempt,pool autoscale enable,pool autoscale disable,
    pool autoscale evaluate,node list,node show,node reboot,node reimage,node remove,
    node disable,node enable,node deallocate,node start,node logs,job submit,job list,job show,job prune,
    schedule add,schedule list,schedule show,schedule jobs,
    task list,task show,task why,package list,certificate add,certificate list,certificate show,
    storage ls,storage url,key show,key regenerate,
    quota show,quota set,quota reset"""


@pytest.mark.parametrize("name", [name.strip() for name in PRINTS.split(",")])
def test_commands_that_print_data_can_print_json(name):
    assert any("--json" in parameter.opts for parameter in COMMANDS[name].params)


def run(monkeypatch, capsys, *words):
    """What `farm WORDS` ends with: exit code, stdout, stderr."""
    monkeypatch.setattr("sys.argv", ["farm", *words])
    with pytest.raises(SystemExit) as caught:
        app_module.main()
    said = capsys.readouterr()
    return int(caught.value.code or 0), said.out, said.err


def test_without_a_farm_the_command_says_how_to_start_one(monkeypatch, capsys, tmp_path):
    for name in ("FARM_ENDPOINT", "FARM_ACCOUNT", "FARM_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FARM_DATA_DIR", str(tmp_path))

    code, out, err = run(monkeypatch, capsys, "pool", "list")

    assert (code, out) == (Exit.NO_FARM, "")
    assert "farm up" in err and "Traceback" not in err


def test_a_farm_that_does_not_answer_is_named(monkeypatch, capsys):
    monkeypatch.setenv("FARM_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("FARM_ACCOUNT", "a")
    monkeypatch.setenv("FARM_KEY", "a2V5")

    code, _, err = run(monkeypatch, capsys, "status")

    assert code == Exit.NO_FARM
    assert "http://127.0.0.1:9" in err


NONSENSE = ["pool create", "nonsense", "job submit", "run", "storage rm c", "key regenerate x", "run --nodes 0 x y"]


@pytest.mark.parametrize("words", [text.split() for text in NONSENSE])
def test_a_command_line_without_sense_ends_with_two(monkeypatch, capsys, words):
    code, _, err = run(monkeypatch, capsys, *words)

    assert code == Exit.USAGE
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("words", "named"),
    [(("--key", "no base64"), "--key"), (("--account", "A B"), "account"), (("--port", "70000"), "--port")],
)
def test_a_farm_that_could_not_work_is_not_started(monkeypatch, capsys, tmp_path, words, named):
    code, _, err = run(monkeypatch, capsys, "up", "--data-dir", str(tmp_path / "farm"), *words)

    assert code == Exit.USAGE
    assert named in err
    assert not (tmp_path / "farm").exists()


def test_help_documents_every_exit_code(monkeypatch, capsys):
    code, out, _ = run(monkeypatch, capsys, "--help")

    assert code == 0
    text = " ".join(out.split())
    assert all(f"{int(one)} " in text.partition("Exit codes:")[2] for one in Exit)
