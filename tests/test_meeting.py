"""How processes of a launch find one another, again and again, and who speaks where some of them are gone."""

import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import torch
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from agekit.errors import ComputeError, LostRank
from agekit.recipe.tables import Compute
from agekit.train import meeting
from agekit.train.compute import own_device
from agekit.train.meeting import meet
from agekit.train.place import Place, launched


@pytest.fixture
def places(monkeypatch):
    """Where three ranks meet, at the store of a launcher."""
    server = TCPStore("localhost", 0, is_master=True, wait_for_workers=False, timeout=timedelta(seconds=30))
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", "True")
    monkeypatch.setattr(meeting, "FIRST_SECONDS", 30.0)
    monkeypatch.setattr(meeting, "ROLL_CALL_SECONDS", 2.0)
    yield [Place(rank, 3, rank, 3, "localhost", server.port) for rank in range(3)]
    del server


def all_at_once(function, *each):
    """What a function comes to, in a thread for each argument."""
    with ThreadPoolExecutor(len(each)) as threads:
        return list(threads.map(function, each))


def test_every_round_has_a_name_of_its_own_and_knows_what_was_left_for_it(places):
    first = all_at_once(meet, *places)
    assert {(one.run, one.ended) for one in first} == {(None, None)}
    assert {tuple(one.members) for one in first} == {(f"process {os.getpid()} on {socket.gethostname()}",) * 3}
    first[0].store.set("key", "of the first round")
    assert first[2].store.check(["key"])
    first[0].began("/runs/one")
    second = all_at_once(meet, *places)
    assert {one.run for one in second} == {"/runs/one"}
    assert not any(one.store.check(["key"]) for one in second)
    second[2].ends(1)
    assert {one.ended for one in all_at_once(meet, *places)} == {1}


def test_nobody_takes_the_mark_that_an_earlier_round_left_for_one_of_its_own(places, monkeypatch):
    all_at_once(meet, *places)
    monkeypatch.setattr(meeting, "MEETING_SECONDS", 3.0)

    def refused(place):
        with pytest.raises(LostRank, match="begun within 3 s"):
            meet(place)

    all_at_once(refused, *places[:2])
    monkeypatch.setattr(meeting, "MEETING_SECONDS", 30.0)
    with ThreadPoolExecutor(3) as threads:
        early = [threads.submit(meet, place) for place in places[:2]]
        time.sleep(0.3)
        assert not any(one.done() for one in early)
        late = meet(places[2])
        late.store.set("key", "")
        assert all(one.result().store.check(["key"]) for one in early)


def test_the_ranks_that_are_gone_are_found_by_all_others_and_one_speaks(places):
    met = all_at_once(meet, *places)
    assert all_at_once(lambda one: one.absent(), met[0], met[2]) == [[1], [1]]
    assert all_at_once(lambda one: one.speaks(), met[0], met[2]) == [True, False]


def test_where_the_first_rank_is_gone_another_speaks(places, monkeypatch):
    monkeypatch.setattr(meeting, "FIRST_SECONDS", 0.1)
    met = all_at_once(meet, *places)
    assert all_at_once(lambda one: one.absent(), *met[1:]) == [[0], [0]]
    assert sorted(all_at_once(lambda one: one.speaks(), *met[1:])) == [False, True]


def test_a_launcher_that_does_not_answer_is_not_waited_for(places, monkeypatch):
    one = all_at_once(meet, *places)[1]
    assert one.answered(lambda: 5) == 5
    with pytest.raises(ZeroDivisionError):
        one.answered(lambda: 1 / 0)
    monkeypatch.setattr(meeting, "ANSWER_SECONDS", 0.1)
    said = rf"^rank 1 of 3, process \d+ on \S+ has lost the others: no answer for 0 s from localhost:{places[1].port}, "
    with pytest.raises(LostRank, match=said):
        one.answered(lambda: time.sleep(2))


def test_a_launcher_that_is_gone_is_said(monkeypatch):
    monkeypatch.setattr(meeting, "MEETING_SECONDS", 0.5)
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", "True")
    with socket.create_server(("localhost", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(LostRank, match=f"the launcher cannot be reached at localhost:{port}: "):
        meet(Place(1, 2, 1, 2, "localhost", port))


ENVIRONMENT = {
    "RANK": "5",
    "WORLD_SIZE": "8",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "4",
    "MASTER_ADDR": "node-1",
    "MASTER_PORT": "29500",
}


def test_a_launcher_says_where_a_process_stands(monkeypatch):
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    assert launched() is None
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    place = Place(5, 8, 1, 4, "node-1", 29500)
    assert launched() == place
    assert not place.restarts
    monkeypatch.setenv("TORCHELASTIC_MAX_RESTARTS", "1")
    assert place.restarts
    monkeypatch.setenv("LOCAL_RANK", "second")
    with pytest.raises(ComputeError, match="the ranks in the environment are no numbers"):
        launched()
    monkeypatch.delenv("LOCAL_RANK")
    with pytest.raises(ComputeError, match="are set, and LOCAL_RANK is not: torchrun sets them all"):
        launched()


def test_on_cuda_each_rank_of_a_machine_has_a_device_of_its_own(monkeypatch):
    assert own_device(Compute(device="cpu"), 1, 2).device == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for device in ("auto", "cuda"):
        assert own_device(Compute(device=device), 1, 2).device == "cuda:1"
    assert own_device(Compute(device="cuda:1"), 0, 1).device == "cuda:1"
    with pytest.raises(ComputeError, match="device 'cuda:1' is one, and 2 ranks play on this machine: cuda gives each"):
        own_device(Compute(device="cuda:1"), 0, 2)
    with pytest.raises(ComputeError, match="this machine has 2 CUDA devices for 3 ranks: fewer ranks fit, or --device"):
        own_device(Compute(device="cuda"), 0, 3)
