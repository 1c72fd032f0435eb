"""Every figure of the page on privacy is computed here again, or is one of the few constants named here."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal

import pytest

from tests.docs.pages import DOCS, ROOT, prose, unfenced
from tests.lib.statistics import share_rebuilt
from trustquery.model.unknown import UNKNOWN_DELTA_ATTO
from trustquery.policy import Policy
from trustquery.policy.promised import percent, promised
from trustquery.privacy.budget import DEFAULT_DELTA, delta_for, epsilon_of, rho_nano_of
from trustquery.privacy.promise import best_guess, chance_after

PAGE = DOCS / "explanation" / "privacy.md"
TEXT = PAGE.read_text(encoding="utf-8")
SQUEEZED = re.sub(r"\s+", " ", TEXT)
EXAMPLE = ROOT / "policies" / "examples" / "standard-acute-trust.toml"
CLAMPS = {"0.005": 0.25, "0.013": 0.25, "0.05": 0.25, "0.3": 0.25, "0.5": 0.25, "1": 0.25, "2": 0.5}
"""The sharpened attack's best clamp, in standard deviations; tests/privacy/test_reconstruction.py runs it."""


def rows(heading: str) -> list[list[str]]:
    """The cells of the table whose first column has this heading."""
    lines = TEXT[TEXT.index(f"| {heading} |") :].split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def plain(value: Decimal) -> str:
    return f"{value.normalize():f}"


def test_the_odds() -> None:
    found = rows("ε")
    assert len(found) == 6
    for shown, factor, even, one in found:
        epsilon = Decimal(shown)
        grown = epsilon.exp().quantize(Decimal("0.01"), ROUND_CEILING)
        after = [percent(chance_after(Decimal(before), epsilon)) for before in ("0.5", "0.01")]
        assert [Decimal(factor), even, one] == [grown, *after], shown


def test_what_rho_buys() -> None:
    found = rows("ρ")
    assert [row[0] for row in found] == list(CLAMPS)
    without = share_rebuilt(0, 1, 0.5)
    assert f"right for {without * 100:.0f} % of people" in SQUEEZED
    for shown, *cells in found:
        rho = int(Decimal(shown).scaleb(9))
        gain = round((share_rebuilt(float(shown), CLAMPS[shown], 0.5) - without) * 100)
        assert cells == [
            plain(epsilon_of(rho)),
            percent(best_guess(rho)),
            plain(epsilon_of(rho, trusts=3)),
            percent(best_guess(rho, trusts=3)),
            f"{gain} point{'s' * (gain != 1)}",
        ]


def test_below_which_cap_no_attack_gains_five_points() -> None:
    """Being in the data helps a guess at a value by at most the total variation."""
    assert "No attack whatever can gain 5 points where ρ is 0.005 or less." in SQUEEZED
    assert 2 * best_guess(5_000_000) - 1 <= Decimal("0.05")
    assert 2 * best_guess(6_000_000) - 1 > Decimal("0.05")


def test_the_shipped_example() -> None:
    expected = [
        [promise.period, str(promise.trusts), plain(Decimal(promise.rho_nano).scaleb(-9)), plain(promise.epsilon),
         percent(promise.guess)]
        for promise in promised(Policy.from_toml(EXAMPLE.read_text(encoding="utf-8")))
    ]  # fmt: skip
    assert rows("Over") == expected


def test_figures_in_sentences() -> None:
    hundred = epsilon_of(100 * rho_nano_of(Decimal("0.1")))
    assert f"100 answers of ε 0.1 are not a loss of 10 but of {hundred}." in SQUEEZED
    assert f"**delta (δ)**, which is {DEFAULT_DELTA.normalize():e} here" in SQUEEZED
    assert delta_for(10**9) == 1 / (10 * Decimal(10**9))
    assert f"at most δ = {Decimal(UNKNOWN_DELTA_ATTO).scaleb(-18).normalize():e} at each trust" in SQUEEZED


# Numbers that stand for themselves in a sentence: what they are about, so that a new one is noticed.
CONSTANTS = {
    "12": "the ledger's window in months", "10": "years", "5": "points, and an ε of 5", "1": "an ε of 1; 1 in 10 times",
    "1,000": "people of the attack", "0.005": "checked above", "38": "checked above", "0.1": "checked above",
    "100": "checked above", "1.0122": "checked above", "1e-8": "checked above", "1e-9": "checked above",
    "95": "intervals", "30": "days of a suspension",
}  # fmt: skip


def test_no_other_number_stands_in_a_sentence() -> None:
    """A figure that nobody computes grows old."""
    sentences = "\n".join(line for line in prose(PAGE).splitlines() if not line.startswith("|"))
    sentences = re.sub(r"PRV-\d+|\]\([^)]*\)", "", sentences)
    found = set(re.findall(r"\d[\d,]*(?:\.\d+)?(?:e-\d+)?", sentences))
    assert found == set(CONSTANTS), found ^ set(CONSTANTS)


def test_files_that_the_page_names_exist() -> None:
    for name in re.findall(r"`((?:tests|trustquery|node_agent)/[\w/]+\.py)`", unfenced(TEXT)):
        assert (ROOT / name).is_file(), name
    assert len(rows("Claim")) >= 9
    assert len(rows("Attack")) >= 9


def test_an_attack_s_test_claims_its_id() -> None:
    for attack, _, tests in rows("Attack"):
        name = attack.partition(":")[0]
        sources = [(ROOT / file).read_text(encoding="utf-8") for file in re.findall(r"`(tests/[\w/]+\.py)`", tests)]
        assert any(f'acceptance("{name}")' in source for source in sources), name


POLICY = (DOCS / "how-to" / "write-and-sign-a-policy.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", [POLICY, EXAMPLE.read_text(encoding="utf-8")], ids=["how-to", "example"])
def test_the_short_tables_for_those_who_write_policies(text: str) -> None:
    pairs = re.findall(r"^\| ([\d.]+) \| ([\d.]+) \|$", text, re.MULTILINE)
    pairs += re.findall(r"rho ([\d.]+) is epsilon\s(?:# )?([\d.]+)", text.replace("\n# epsilon", " epsilon"))
    assert len(pairs) >= 4
    for rho, epsilon in pairs:
        exact = epsilon_of(int(Decimal(rho).scaleb(9)))
        assert abs(exact - Decimal(epsilon)) <= Decimal("0.02") * exact, rho
