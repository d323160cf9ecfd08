from analysis.pages.chain import chains
from analysis.results.schema import Reading, VariantFact
from tests import builders

CLICKS, MONEY = (
    {"name": "Clicks per user", "role": "secondary"},
    {"role": "secondary", "display_unit": "currency", "kind": "sum"},
)


def variant(key: str, value: float | None, **fields) -> VariantFact:
    defaults = {
        "name": key.capitalize(), "is_control": key == "control", "weight": 5000, "units": 9, "expected_share": 0.5,
        "share": 0.5, "model_version": f"ranker {key}", "offline_metric": "NDCG@10", "offline_value": value,
    }  # fmt: skip
    return VariantFact(key=key, **{**defaults, **fields})


def chain_of(*readings: Reading, control: VariantFact | None = None, treatment: VariantFact | None = None, **fields):
    clicks, purchases, money = (builders.comparison(reading=reading) for reading in readings)
    metrics = [
        builders.metric_result("purchases", purchases, name="Purchases"),
        builders.metric_result("clicks", clicks, **CLICKS),
        builders.metric_result("revenue", money, name="Revenue", **MONEY),
    ]
    variants = [control or variant("control", 0.4), treatment or variant("treatment", 0.42)]
    return chains(builders.results(variants=variants, metrics=metrics, **fields))[0]


def test_chain__runs_from_offline_over_clicks_to_money():
    chain = chain_of(Reading.BETTER, Reading.BETTER, Reading.BETTER)
    assert [link.name for link in chain.links] == ["NDCG@10", "Clicks per user", "Purchases", "Revenue"]
    assert chain.links[0].change == "+5.0%"
    assert chain.sentence == "The offline gain reached Clicks per user, Purchases and Revenue."


def test_chain__money_as_primary_metric__is_the_business_and_an_average_order_is_not():
    metrics = [
        builders.metric_result(
            "revenue", builders.comparison(), name="Revenue", role="primary", display_unit="currency", kind="sum"
        ),
        builders.metric_result(
            "order-value",
            builders.comparison(),
            name="Order",
            role="secondary",
            display_unit="currency",
            kind="average",
        ),
    ]
    variants = [variant("control", 0.4), variant("treatment", 0.42)]
    links = chains(builders.results(variants=variants, metrics=metrics))[0].links
    assert [(link.stage, link.name) for link in links] == [("Offline", "NDCG@10"), ("Business", "Revenue")]


def test_chain__clicks_rose_and_money_did_not__claims_no_business_gain():
    chain = chain_of(Reading.BETTER, Reading.NO_CLEAR_CHANGE, Reading.NO_CLEAR_CHANGE)
    assert chain.sentence == (
        "The offline gain reached Clicks per user. For Purchases and Revenue there is no proof of a change."
    )


def test_chain__money_rose_without_the_primary__says_what_is_open():
    chain = chain_of(Reading.BETTER, Reading.TOO_EARLY, Reading.BETTER)
    assert chain.sentence == (
        "The offline gain reached Clicks per user and Revenue. For Purchases there is no proof of a change."
    )


def test_chain__money_fell__says_that_the_gain_did_not_pay():
    chain = chain_of(Reading.BETTER, Reading.NO_CLEAR_CHANGE, Reading.WORSE)
    assert chain.sentence == (
        "The offline gain reached Clicks per user. Revenue got worse, so it did not pay. "
        "For Purchases there is no proof of a change."
    )


def test_chain__nothing_moved__says_so():
    chain = chain_of(Reading.NO_CLEAR_CHANGE, Reading.TOO_EARLY, Reading.TOO_EARLY)
    assert chain.sentence == "So far there is no proof that the offline gain reached anything that people do."


def test_chain__a_broken_split__withholds_the_online_part():
    chain = chain_of(Reading.BETTER, Reading.BETTER, Reading.BETTER, health=builders.broken_health())
    assert [link.change for link in chain.links] == ["+5.0%", "withheld", "withheld", "withheld"]
    assert "withheld" in chain.sentence


def test_chain__different_offline_metrics__are_not_compared():
    other = variant("treatment", 0.9, offline_metric="AUC")
    chain = chain_of(Reading.BETTER, Reading.BETTER, Reading.BETTER, treatment=other)
    assert (chain.links[0].change, chain.sentence) == ("not recorded", "")


def test_chain__no_offline_gain__claims_nothing_about_one():
    worse = variant("treatment", 0.39)
    chain = chain_of(Reading.BETTER, Reading.BETTER, Reading.BETTER, treatment=worse)
    assert (chain.links[0].change, chain.sentence) == ("−2.5%", "")


def test_chains__without_model_versions__are_none():
    assert chains(builders.results()) == []
