"""Only processes of the cluster's own folder are ended; a port's holder is named."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

from velapulumi.playground.processes import (
    cluster_processes,
    end_processes,
    port_holder,
    port_is_free,
)


def test_ends_what_runs_from_the_folder_and_nothing_else(tmp_path: Path) -> None:
    sleep = shutil.which("sleep")
    assert sleep is not None
    processes = {}
    for cluster, component in (("one", "etcd"), ("one", "kube-apiserver"), ("one-more", "etcd")):
        program = tmp_path / cluster / "bin" / component
        program.parent.mkdir(parents=True, exist_ok=True)
        program.symlink_to(sleep)
        processes[cluster, component] = subprocess.Popen([program, "60"])
    # Its number is in a pid file, but it is not the cluster's: a stale file.
    stranger = subprocess.Popen([sleep, "60"])
    (tmp_path / "one" / "pids").mkdir()
    (tmp_path / "one" / "pids" / "kube-scheduler.pid").write_text(str(stranger.pid))
    try:
        found = cluster_processes(tmp_path / "one")
        assert [process.component for process in found] == ["kube-apiserver", "etcd"]
        end_processes(tmp_path / "one")
        assert cluster_processes(tmp_path / "one") == []
        assert stranger.poll() is None
        assert processes["one-more", "etcd"].poll() is None
        end_processes(tmp_path / "one")
    finally:
        for process in (stranger, *processes.values()):
            process.kill()
            process.wait()


def test_a_taken_port_and_who_has_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not port_is_free(port)
        assert port_holder(port).endswith(f"({os.getpid()})")
    assert port_is_free(port)
    assert port_holder(port) == ""
