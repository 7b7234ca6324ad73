"""A live feed that starts again beside a link that may carry what it wanted before."""

from actors.feeds.gate import LEVEL_NS
from tests.world_feed import (
    FUTURE,
    WEEKS,
    S,
    World,
    band,
    option,
)


def test_a_first_life_speaks_at_once_whatever_comes() -> None:
    world = World()
    world.quote("NIFTY")
    assert world.wanted() == band(26_000)


def test_a_feed_that_starts_again_lets_its_link_go_on_until_it_knows_what_is_held() -> None:
    world, far = World(again=True), option(WEEKS[2], 24_000, "PE")
    for _ in range(70):
        world.quote("NIFTY", far)  # its link carries what an earlier life wanted
        world.go(0.5)
    assert world.bus.of("wanted") == []
    (said,) = world.feed.alerts()
    assert said.severity == "alarm"
    assert "the universe stands still" in said.message
    assert far in world.bus.of("ticks")[-1]["symbol"].to_pylist()

    world.hold(far)

    assert world.wanted() == band(26_000) | {far}


def test_however_quiet_its_link_is_a_second_life_says_no_set_before_it_knows_what_is_held() -> None:
    world, far = World(again=True), option(WEEKS[2], 24_000, "PE")
    world.go(29)  # the link is being connected again, and will carry its set
    assert world.bus.of("wanted") == []
    assert world.feed.alerts() == ()
    world.quote("NIFTY")
    world.go(10)
    assert world.bus.of("wanted") == []
    assert len(world.feed.alerts()) == 1

    world.hold(far)

    assert world.wanted() == band(26_000) | {far}


def test_a_band_is_not_given_up_while_the_level_is_still_to_come() -> None:
    world = World(again=True)
    world.quote(option(WEEKS[0], 26_000))
    world.hold()
    assert world.bus.of("wanted") == []

    world.quote("NIFTY")

    assert world.wanted() == band(26_000)


def test_a_restart_while_the_auction_holds_the_index_still_goes_by_the_future() -> None:
    world, far = World(again=True), option(WEEKS[2], 24_000, "PE")
    world.hold(far)
    world.quote(FUTURE, bid_paise=[26_299_00, 0, 0, 0, 0], ask_paise=[26_301_00, 0, 0, 0, 0])
    world.go(LEVEL_NS / S - 0.1)
    assert world.bus.of("wanted") == []
    world.go(0.3)
    assert world.wanted() == band(26_300) | {far}
