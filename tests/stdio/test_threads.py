"""Worker threads for functions that may block."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
import weakref

import pytest

from mcp_server.threads import Threads


async def until_idle(threads: Threads) -> None:
    """A thread counts itself as idle only after its result is known, and tells nobody."""
    while not threads._idle:  # noqa: ASYNC110 # pyright: ignore[reportPrivateUsage]
        await asyncio.sleep(0)


def test_a_function_runs_in_another_thread_and_returns() -> None:
    async def main() -> int:
        return await Threads(1).run(threading.get_ident)

    assert asyncio.run(main()) != threading.get_ident()


def test_an_exception_of_the_function_is_raised() -> None:
    def fails() -> None:
        raise ValueError("mine")

    async def main() -> None:
        await Threads(1).run(fails)

    with pytest.raises(ValueError, match="mine"):
        asyncio.run(main())


class Panic(BaseException):
    """What a library written in Rust raises."""


@pytest.mark.parametrize(
    "error",
    [StopIteration("x"), SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError(), GeneratorExit(), Panic()],
    ids=lambda error: type(error).__name__,
)
def test_an_exception_that_would_harm_the_loop_is_carried_in_another(error: BaseException) -> None:
    def fails() -> None:
        raise error

    async def main() -> None:
        await Threads(1).run(fails)

    with pytest.raises(RuntimeError, match=f"the function raised {type(error).__name__}") as caught:
        asyncio.run(main())
    assert caught.value.__cause__ is error


def test_the_function_sees_the_context_variables_of_the_caller() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")

    async def main() -> str:
        variable.set("mine")
        return await Threads(1).run(variable.get)

    assert asyncio.run(main()) == "mine"


def test_what_the_function_changes_in_the_context_stays_with_it() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")

    async def main() -> str:
        variable.set("mine")
        await Threads(1).run(lambda: variable.set("yours"))
        return variable.get()

    assert asyncio.run(main()) == "mine"


def test_there_are_never_more_threads_than_the_limit() -> None:
    async def main() -> set[int]:
        threads, gate = Threads(3), threading.Barrier(3)

        def works() -> int:
            gate.wait(5)
            return threading.get_ident()

        return set(await asyncio.gather(*[threads.run(works) for _ in range(9)]))

    assert len(asyncio.run(main())) == 3


def test_a_thread_that_is_free_is_used_again() -> None:
    async def main() -> set[int]:
        threads = Threads(8)
        first = await threads.run(threading.get_ident)
        await until_idle(threads)
        return {first, await threads.run(threading.get_ident)}

    assert len(asyncio.run(main())) == 1


def test_work_that_was_given_up_before_it_began_is_not_done() -> None:
    done = list[str]()

    async def main() -> None:
        threads, release = Threads(1), threading.Event()
        first = asyncio.create_task(threads.run(lambda: release.wait(5)))
        second = asyncio.create_task(threads.run(lambda: done.append("second")))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.wait([second])
        release.set()
        await first
        await threads.run(lambda: done.append("third"))

    asyncio.run(main())
    assert done == ["third"]


def test_work_that_is_given_up_in_the_middle_counts_until_it_ends() -> None:
    async def main() -> list[str]:
        threads, release, order = Threads(1), threading.Event(), list[str]()

        def hangs() -> None:
            release.wait(5)
            order.append("hung")

        first = asyncio.create_task(threads.run(hangs))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait([first])
        second = asyncio.create_task(threads.run(lambda: order.append("second")))
        await asyncio.sleep(0)
        release.set()
        await second
        return order

    assert asyncio.run(main()) == ["hung", "second"]


def test_a_function_that_returns_after_the_loop_has_gone_harms_nobody() -> None:
    threads, release, returned = Threads(1), threading.Event(), threading.Event()

    def hangs() -> None:
        release.wait(5)

    async def gives_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(threads.run(hangs), 0.01)

    async def afterwards() -> None:
        await threads.run(returned.set)

    asyncio.run(gives_up())
    release.set()
    asyncio.run(afterwards())
    assert returned.is_set()


def test_a_thread_that_waits_does_not_keep_its_last_result_alive() -> None:
    class Result:
        pass

    async def main() -> weakref.ref[Result]:
        threads = Threads(1)
        result = await threads.run(Result)
        reference = weakref.ref(result)
        del result
        await until_idle(threads)
        gc.collect()
        return reference

    assert asyncio.run(main())() is None


def test_threads_do_not_keep_the_process_alive() -> None:
    async def main() -> bool:
        return await Threads(1).run(lambda: threading.current_thread().daemon)

    assert asyncio.run(main())
