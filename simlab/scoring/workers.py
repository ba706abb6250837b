"""Work in other processes: on all cores, and a task that crashes ends a worker, not the run."""

import itertools
import numbers
import sys
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future
from typing import Any

import cv2
import joblib
from joblib.externals.loky.process_executor import (
    BrokenProcessPool,
    PicklingError,
    TerminatedWorkerError,
)


class Died(str):
    """Why a task has no result: the process that worked on it died twice."""


_DIED = Died("the process that worked on it died twice: a decoder crash, or not enough memory")


def run(
    function: Callable, tasks: Iterable[tuple[Any, tuple]], *, n_jobs: int
) -> Generator[tuple[Any, Any], None, None]:
    """Yield (name, ``function(*arguments)``) for each (name, arguments), in the order they end.

    A task whose process dies twice (a decoder that crashes, not enough memory) yields
    :class:`Died`; the others go on in a new pool. With ``n_jobs=1`` all is done in this process,
    which such a task ends. Close the generator (``contextlib.closing``), and an interrupt stops the
    workers at once.
    """
    if n_jobs == 1:
        for name, arguments in tasks:
            yield _named(name, function, arguments)
        return
    waiting = iter(tasks)
    if n_jobs < 0 and joblib.effective_n_jobs(n_jobs) == 1:
        n_jobs = 2  # on a single core too, a decoder that crashes ends a worker, not this process
    while True:
        handed_out = {}
        pool = _pool(n_jobs, return_as="generator_unordered", batch_size=1)
        results = pool(
            joblib.delayed(_named)(name, function, arguments)
            for name, arguments in _noted(waiting, handed_out)
        )
        try:
            for name, result in results:
                del handed_out[name]
                yield name, result
            return
        except _deaths():
            pass  # the culprit is among those that were handed out
        except (PicklingError, BrokenProcessPool) as error:
            raise ValueError(
                "something that a method uses cannot be handed to other processes"
                f" ({_cause(error)}): define it in a module that is imported, or say n_jobs=1"
            ) from error
        finally:
            _stop(results)
        yield from _one_by_one(function, handed_out)


def client_of(n_jobs: int) -> Any:
    """Return the client of the Dask cluster that joblib hands its work to; None for none."""
    backend, _ = joblib.parallel.get_active_backend()
    return None if n_jobs == 1 else getattr(backend, "client", None)


def _pool(n_jobs: int, **options: Any) -> joblib.Parallel:
    client = client_of(n_jobs)
    if client is None:
        return joblib.Parallel(n_jobs=n_jobs, **options)
    # one of its own: where one serves two calls, what still collects for the first may take what
    # the second waits for
    with joblib.parallel_config(_dask(client)):
        return joblib.Parallel(n_jobs=n_jobs, **options)


def _dask(client: Any) -> Any:
    """joblib's backend for Dask, with two changes for workers that die.

    joblib's own waits for ever for the task of one that died, and where a single one is left it
    does the work in the process that calls, which the next such task would end.
    """
    from joblib._dask import DaskDistributedBackend

    class Backend(DaskDistributedBackend):
        def effective_n_jobs(self, n_jobs: int) -> int:
            return max(2, super().effective_n_jobs(n_jobs))

        def submit(self, func: Callable, callback: Callable) -> Future:
            def if_it_failed(done: Future) -> None:
                if done.exception():
                    callback(done.exception())

            future = super().submit(func, callback)
            future.add_done_callback(if_it_failed)
            return future

    return Backend(client=client, wait_for_workers_timeout=60)


def check_jobs(n_jobs: int) -> None:
    """Raise unless this is a number of processes as joblib counts them.

    Raises:
        ValueError: it is no whole number, or 0.
    """
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, numbers.Integral) or n_jobs == 0:
        raise ValueError(f"n_jobs must be 1 or more, or -1 for one per core, not {n_jobs!r}")


def chunked(items: Iterable, size: int) -> Iterator[tuple]:
    """Yield tuples of at most `size` items."""
    rest = iter(items)
    while part := tuple(itertools.islice(rest, size)):
        yield part


def in_words(error: Exception) -> str:
    """Return an exception as one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def _cause(error: Exception) -> str:
    """What could not be sent: the last line of the other process's traceback."""
    lines = str(error.__cause__ or error).strip('"\n').splitlines()
    return lines[-1][:200]


def _deaths() -> tuple[type[Exception], ...]:
    """What is raised where a task ended its process: by joblib, and by Dask where it is loaded."""
    dask = sys.modules.get("distributed.scheduler")
    of_dask = () if dask is None else (dask.KilledWorker,)
    return (TerminatedWorkerError, *of_dask)


def _noted(
    tasks: Iterator[tuple[Any, tuple]], handed_out: dict[Any, tuple]
) -> Iterator[tuple[Any, tuple]]:
    for name, arguments in tasks:
        handed_out[name] = arguments
        yield name, arguments


def _named(name: Any, function: Callable, arguments: tuple) -> tuple[Any, Any]:
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # the processes are the parallel part
    try:
        return name, function(*arguments)
    finally:
        cv2.setNumThreads(threads)


def _stop(results: Generator) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # joblib warns of what was cancelled
        results.close()


def _one_by_one(function: Callable, tasks: dict[Any, tuple]) -> Iterator[tuple[Any, Any]]:
    """Those that were under way when a process died: each alone, so that only the culprit fails."""
    for name, arguments in tasks.items():
        task = joblib.delayed(_named)(name, function, arguments)
        nothing = joblib.delayed(int)()  # joblib does a single task in this process
        try:
            done = _pool(2)([task, nothing])
            yield done[0]
        except _deaths():
            yield name, _DIED
