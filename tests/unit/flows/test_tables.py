"""The declarations themselves, and the page made of them."""

from pathlib import Path

from controller.observe.pipeline import PAGE, example, text
from flows.fields import FIELDS, PURPOSES
from flows.tables import BR_INT, BY_NUMBER, TABLES

PROJECT = Path(__file__).parents[3]


def test_names_and_numbers_are_unique() -> None:
    assert len({(table.bridge, table.name) for table in TABLES}) == len(TABLES)
    assert len(BY_NUMBER) == len(TABLES)


def test_tables_stand_in_their_order() -> None:
    order = [(table.bridge, table.number) for table in TABLES]
    assert order == sorted(order)


def test_goto_goes_forward_and_everything_named_exists() -> None:
    numbers = {(table.bridge, table.name): table.number for table in TABLES}
    for table in TABLES:
        assert all(numbers[table.bridge, name] > table.number for name in table.goto), table
        assert all((table.bridge, name) in numbers for name in table.calls), table


def test_calls_end() -> None:
    """No table calls itself, through whatever others, but by way of l2: a router has lowered the time to live by then,
    or the packet has got its last address. Open vSwitch's limits are 4,096 resubmits and 64 back."""
    after = {(t.bridge, t.name): [(t.bridge, name) for name in t.calls + t.goto] for t in TABLES}

    def follow(path: tuple[tuple[str, str], ...]) -> None:
        for following in after[path[-1]]:
            if following in path:
                assert (BR_INT, "l2") in path[path.index(following) :], (*path, following)
            else:
                follow((*path, following))

    for table in after:
        follow((table,))


def test_every_table_is_reached() -> None:
    for table in TABLES:
        before = [t for t in TABLES if t.bridge == table.bridge and table.name in t.goto + t.calls]
        assert before or table.number == 0, table


def test_tables_say_why_they_drop() -> None:
    """All but those where a flow without actions only ends a call, or leaves this host out of a flood."""
    ending = {table for table, flows in example().items() if any(not flow.actions for flow in flows)}
    silent = {table.name for table in ending if not table.drops}
    assert silent == {"watch", "neighbour", "chunks", "chunk", "tag", "service", "rules", "set", "member", "peer"}
    assert ending >= {table for table in TABLES if table.drops}


def test_registers_with_purposes_do_not_overlap() -> None:
    taken: dict[tuple[str, int], str] = {}
    for name, (field, _) in PURPOSES.items():
        if name != "ADDRESS4":  # which is a part of ADDRESS
            for base, start, _, window in field.pieces or ((field, 0, 0, field.mask),):
                for bit in range(start, start + window.bit_length()):
                    assert taken.setdefault((base.name, bit), name) == name


def test_fields_are_unique() -> None:
    assert len({field.name for field in FIELDS}) == len(FIELDS)
    assert len({field.exact for field in FIELDS}) == len(FIELDS)


def test_the_page_is_fresh() -> None:
    assert (PROJECT / PAGE).read_text(encoding="utf-8") == text(), "run `make docs`"
