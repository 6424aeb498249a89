"""Only freqtrade sends orders: nothing of ours that a bot runs could."""

import re

# the simulator is the venue, the other rooms judge bots and print what they did
BOT = ("adapter", "doctor", "exchange", "forecast", "freqai", "market", "policy", "risk", "settings")
ORDERING = re.compile(
    r"create_order|create_stoploss|cancel_order|execute_entry|execute_trade_exit|/order\b|[\"']POST[\"']|\.post\("
)


def test_nothing_of_ours_asks_a_venue_for_an_order(project_root):
    rooms = [
        project_root / "user_data" / "strategies",
        *(project_root / "adaptive_pkg" / room for room in BOT),
    ]
    ours = [path for room in rooms for path in room.rglob("*.py")]
    assert len(ours) > 80
    found = {path.name: match[0] for path in ours if (match := ORDERING.search(path.read_text()))}
    assert not found
