from nas.training.recombining import coined, recombined, weighed

PAIRS = [
    ("red heart", "rotes Herz"),
    ("blue heart", "blaues Herz"),
    ("red square", "rotes Quadrat"),
    ("green square", "grünes Quadrat"),
    ("cow face", "Kuhgesicht"),
    ("dog face", "Hundegesicht"),
    ("cow", "Kuh"),
    ("bear", "Bär"),
]


def test_what_stood_in_one_place_on_both_sides_stands_where_the_other_stood() -> None:
    made = weighed(PAIRS)
    assert {("blue square", "blaues Quadrat"), ("green heart", "grünes Herz")} <= set(made)
    assert ("bear face", "Bärgesicht") in made, "a part of a compound takes the place of another"
    assert not set(made) & set(PAIRS)
    assert not any("\0" in text for pair in made for text in pair)


def test_what_shares_no_place_gives_nothing() -> None:
    assert weighed([("red heart", "rotes Herz"), ("old key", "alter Schlüssel")]) == {}
    assert recombined([], 5) == []


def test_more_speaks_for_what_shares_more_places() -> None:
    more = [
        *PAIRS,
        ("red circle", "roter Kreis"),
        ("big star", "rotes Stern"),
        ("red book", "rotes Buch"),
        ("blue book", "blaues Buch"),
    ]
    once, twice = weighed(PAIRS), weighed(more)
    assert twice["blue square", "blaues Quadrat"] > once["blue square", "blaues Quadrat"]


def test_pairs_are_drawn_the_same_way_each_time_and_none_twice() -> None:
    first = recombined(PAIRS, 4)
    assert first == recombined(PAIRS, 4) == recombined(list(PAIRS), 4)
    assert len(set(first)) == len(first) == 4
    assert first != recombined(PAIRS, 4, seed=1)
    assert set(recombined(PAIRS, 10_000)) == set(weighed(PAIRS))


def test_names_are_coined_where_many_are_the_same_on_both_sides() -> None:
    countries = ["Mali", "Haiti", "Chile", "Peru", "Kenia", "Gambia", "Togo", "Nauru", "Guam", "Malta"]
    pairs = [*PAIRS, ("flag: Spain", "Flagge: Spanien"), *((f"flag: {one}", f"Flagge: {one}") for one in countries)]
    made = coined(pairs, 50)
    assert 30 < len(set(made)) == len(made) <= 50
    assert not set(made) & set(pairs)
    assert all(source.startswith("flag: ") and target == "Flagge: " + source[6:] for source, target in made)
    assert all({source[6], source[-1]} <= set("".join(countries)) for source, _ in made)
    assert made == coined(pairs, 50)
    assert coined(pairs[:-1], 50) == coined([], 50) == [], "where fewer are, none"
