"""Stubs out of date, missing, or left behind are each noticed; `--check` changes nothing."""

from pathlib import Path

import pytest

from tools.generate_protos import main

PROTO = 'syntax = "proto3";\npackage trustquery.v1;\nmessage Ping { string text = 1; }\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "protos" / "trustquery" / "v1"
    folder.mkdir(parents=True)
    (folder / "ping.proto").write_text(PROTO)
    return tmp_path


def test_generated_then_in_date_then_changed_then_gone(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stubs, proto = root / "trustquery" / "v1", root / "protos" / "trustquery" / "v1" / "ping.proto"
    assert main(["--check"], root) == 3
    assert "ping_pb2.py: missing" in capsys.readouterr().out
    assert not stubs.exists()

    assert main([], root) == 0
    assert {"ping_pb2.py", "ping_pb2.pyi", "ping_pb2_grpc.py"} <= {path.name for path in stubs.iterdir()}
    assert main(["--check"], root) == 0

    proto.write_text(PROTO.replace("text", "words"))
    assert main(["--check"], root) == 3
    assert "ping_pb2.pyi: differs" in capsys.readouterr().out

    proto.rename(proto.with_name("pong.proto"))
    assert main(["--check"], root) == 3
    assert "ping_pb2.py: its .proto has gone" in capsys.readouterr().out
    main([], root)
    assert {path.name[:4] for path in stubs.iterdir()} == {"pong"}


def test_a_broken_proto_is_an_error(root: Path) -> None:
    (root / "protos" / "trustquery" / "v1" / "ping.proto").write_text("message {")
    with pytest.raises(SystemExit):
        main([], root)


def test_no_protos_is_no_error(tmp_path: Path) -> None:
    assert main(["--check"], tmp_path) == 0
