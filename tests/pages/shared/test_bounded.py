from pages.shared.bounded import BoundedCache


def counting(value: str):
    calls = []

    def make() -> str:
        calls.append(value)
        return value

    return make, calls


def test_what_is_there_is_not_made_again():
    cache = BoundedCache(100, len)
    make, calls = counting("figure")
    assert [cache.get("a", make) for _ in range(3)] == ["figure"] * 3
    assert len(calls) == 1


def test_the_least_recently_used_goes_first_when_the_bytes_are_used_up():
    cache = BoundedCache(100, len)
    for key in "abc":
        cache.get(key, lambda: "x" * 40)
        cache.get("a", lambda: "x" * 40)
    make, calls = counting("again")
    cache.get("a", make)
    assert calls == [], "it was looked at last"
    cache.get("b", make)
    assert calls == ["again"]


def test_one_larger_than_all_is_kept_alone():
    cache = BoundedCache(100, len)
    cache.get("a", lambda: "x")
    cache.get("b", lambda: "x" * 1000)
    make, calls = counting("")
    assert len(cache.get("b", make)) == 1000
    assert calls == []
