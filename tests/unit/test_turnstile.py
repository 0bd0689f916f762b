"""Who gets a turn, who waits, and who is told to come again."""

import asyncio

import pytest

from persona.server.turnstile import Refused, Turnstile


@pytest.mark.parametrize("later", range(6), ids=lambda n: f"after {n} steps of the loop")
def test_whoever_has_a_turn_takes_no_place_among_the_waiting(later: int) -> None:
    """Whenever the others come: one is served, as many wait as may, and the next is refused."""

    async def ends() -> list[object]:
        turnstile = Turnstile(most=2, patience=5)
        tasks = [asyncio.create_task(turnstile.enter())]
        for _ in range(later):
            await asyncio.sleep(0)
        tasks += [asyncio.create_task(turnstile.enter()) for _ in range(3)]
        for _ in range(10):
            await asyncio.sleep(0)
        for task in tasks[:3]:
            await task
            turnstile.leave()
        return [type(end) for end in await asyncio.gather(*tasks, return_exceptions=True)]

    assert asyncio.run(ends()) == [float, float, float, Refused]


def test_turns_come_in_the_order_of_asking() -> None:
    """Also where one leaves the line, and one comes just as a turn ends."""

    async def order() -> list[int]:
        turnstile, served = Turnstile(most=20, patience=5), list[int]()

        async def take(number: int) -> None:
            await turnstile.enter()
            served.append(number)
            await asyncio.sleep(0)
            turnstile.leave()

        await turnstile.enter()
        tasks = []
        for number in range(6):
            tasks.append(asyncio.create_task(take(number)))
            await asyncio.sleep(0)
        tasks[2].cancel()
        turnstile.leave()
        late = asyncio.create_task(take(6))
        await asyncio.gather(*tasks, late, return_exceptions=True)
        assert not turnstile.waiting
        assert not turnstile.busy
        return served

    assert asyncio.run(order()) == [0, 1, 3, 4, 5, 6]
