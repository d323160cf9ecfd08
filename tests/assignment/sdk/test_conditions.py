import pytest

from assignment.engine.sdk.conditions import passes

OPERATOR_CASES = [
    ("eq_same_string", {"$eq": "a"}, "a", True),
    ("eq_number_and_its_digits", {"$eq": 1}, "1", False),
    ("eq_one_and_true", {"$eq": 1}, True, False),
    ("eq_whole_float_and_integer", {"$eq": 1}, 1.0, True),
    ("eq_null_and_missing", {"$eq": None}, None, True),
    ("eq_zero_and_missing", {"$eq": 0}, None, False),
    ("eq_array", {"$eq": [1]}, [1], False),
    ("eq_nan", {"$eq": float("nan")}, float("nan"), False),
    ("ne_other_type", {"$ne": 1}, "1", True),
    ("ne_same", {"$ne": "a"}, "a", False),
    ("ne_missing", {"$ne": "a"}, None, True),
    ("lt_numbers", {"$lt": 10}, 9, True),
    ("lt_equal", {"$lt": 10}, 10, False),
    ("lte_equal", {"$lte": 10}, 10.0, True),
    ("gt_decimal_text_beside_number", {"$gt": 5}, "8", True),
    ("gt_number_beside_decimal_text", {"$gt": "5"}, 8, True),
    ("gt_words_beside_number", {"$gt": 5}, "many", False),
    ("lt_words_beside_number", {"$lt": 5}, "many", False),
    ("gt_underscored_digits_beside_number", {"$gt": 5}, "1_0", False),
    ("gt_infinity_as_text", {"$gt": 5}, "inf", False),
    ("gt_two_decimal_texts_as_text", {"$gt": "10"}, "9", True),
    ("gt_missing_counts_as_zero", {"$gt": -1}, None, True),
    ("gte_missing_is_not_above_zero", {"$gt": 0}, None, False),
    ("lt_missing_beside_text", {"$lt": "a"}, None, False),
    ("gt_boolean", {"$gt": 0}, True, False),
    ("gt_array", {"$gt": 0}, [1], False),
    ("lt_null_operand", {"$lt": None}, -1, False),
    ("lte_nan", {"$lte": float("nan")}, 1, False),
    ("gt_huge_integer_beside_float", {"$gt": 1.5}, 10**400, True),
    ("lt_code_units_not_code_points", {"$lt": "\uffff"}, "\U0001f600", True),
    ("in_listed", {"$in": ["a", 1]}, 1, True),
    ("in_true_is_not_one", {"$in": [1]}, True, False),
    ("in_digits_are_no_number", {"$in": [1]}, "1", False),
    ("in_null_listed_and_missing", {"$in": [None]}, None, True),
    ("in_array_shares_one", {"$in": ["a", "b"]}, ["x", "b"], True),
    ("in_array_shares_true_not_one", {"$in": [1]}, [True], False),
    ("in_nested_array_never", {"$in": [[1]]}, [[1]], False),
    ("in_object_never", {"$in": [{"a": 1}]}, {"a": 1}, False),
    ("in_operand_no_array", {"$in": "abc"}, "a", False),
    ("nin_absent", {"$nin": ["a"]}, "b", True),
    ("nin_operand_no_array", {"$nin": "abc"}, "z", False),
    ("nin_missing", {"$nin": ["a"]}, None, True),
    ("nin_array_shares_one", {"$nin": ["a"]}, ["a", "b"], False),
    ("ini_case", {"$ini": ["US"]}, "us", True),
    ("ini_beyond_ascii", {"$ini": ["ÄRA"]}, "ära", True),
    ("ini_numbers_stay_strict", {"$ini": [1]}, "1", False),
    ("nini_case", {"$nini": ["US"]}, ["us"], False),
    ("nini_operand_no_array", {"$nini": 1}, 2, False),
    ("all_present", {"$all": ["a", {"$regex": "^b"}]}, ["bc", "a"], True),
    ("all_one_absent", {"$all": ["a", "b"]}, ["a"], False),
    ("all_none_wanted", {"$all": []}, [], True),
    ("all_attribute_no_array", {"$all": ["a"]}, "a", False),
    ("alli_case", {"$alli": ["ONE"]}, ["one"], True),
    ("all_case_counts", {"$all": ["ONE"]}, ["one"], False),
    ("elem_operator", {"$elemMatch": {"$gt": 10}}, [1, 11], True),
    ("elem_zero_is_an_element", {"$elemMatch": {"$lt": 1}}, [0], True),
    ("elem_false_is_an_element", {"$elemMatch": {"$eq": False}}, [False], True),
    ("elem_null_is_skipped", {"$elemMatch": {"$exists": False}}, [None], False),
    ("elem_condition_on_fields", {"$elemMatch": {"name": "x"}}, [{"name": "y"}, {"name": "x"}], True),
    ("elem_logic_on_fields", {"$elemMatch": {"$or": [{"a": 1}, {"a": 2}]}}, [{"a": 2}], True),
    ("elem_no_array", {"$elemMatch": {"$eq": "a"}}, "a", False),
    ("size_same", {"$size": 2}, [1, 2], True),
    ("size_condition", {"$size": {"$gt": 2}}, [1, 2], False),
    ("size_of_text", {"$size": 1}, "a", False),
    ("exists_yes", {"$exists": True}, 0, True),
    ("exists_null", {"$exists": True}, None, False),
    ("exists_not", {"$exists": False}, None, True),
    ("type_integer_is_number", {"$type": "number"}, 1, True),
    ("type_boolean_is_no_number", {"$type": "number"}, True, False),
    ("type_boolean", {"$type": "boolean"}, False, True),
    ("type_array", {"$type": "array"}, [], True),
    ("type_object", {"$type": "object"}, {}, True),
    ("type_missing_is_null", {"$type": "null"}, None, True),
    ("type_missing_is_not_undefined", {"$type": "undefined"}, None, False),
    ("regex_searches", {"$regex": "b"}, "abc", True),
    ("regex_case_counts", {"$regex": "B"}, "abc", False),
    ("regexi_case", {"$regexi": "B"}, "abc", True),
    ("regex_invalid", {"$regex": "["}, "[", False),
    ("regex_number_is_no_text", {"$regex": "1"}, 1, False),
    ("regex_missing", {"$regex": ""}, None, False),
    ("regex_lookahead", {"$regex": "^(?!.*bot)"}, "browser", True),
    ("regex_named_backreference_of_javascript", {"$regex": r"(?<c>.)\k<c>"}, "aa", True),
    ("regex_end_is_not_before_line_break", {"$regex": "a$"}, "a\n", False),
    ("regex_digits_are_ascii", {"$regex": r"\d"}, "٣", False),
    ("regex_word_class_in_brackets", {"$regex": r"^[\w-]+$"}, "a_b-1", True),
    ("regex_bracket_in_brackets", {"$regex": r"^[[\]]$"}, "[", True),
    ("regex_anything_class", {"$regex": "^[^]$"}, "\n", True),
    ("regex_nothing_class", {"$regex": "[]"}, "a", False),
    ("regex_letter_that_means_nothing", {"$regex": r"^\A\Z$"}, "AZ", True),
    ("regex_no_property_classes", {"$regex": r"^\p{L}$"}, "a", False),
    ("regex_braces_that_count_nothing", {"$regex": "^/p/{d}$"}, "/p/{d}", True),
    ("regex_braces_are_no_approximation", {"$regex": "^/p/{d}$"}, "/p", False),
    ("regex_braces_without_a_least_count", {"$regex": "^a{,2}$"}, "a{,2}", True),
    ("regex_braces_that_count", {"$regex": "^a{1,2}b{2}c{1,}$"}, "abbcc", True),
    ("regex_escaped_slash", {"$regex": r"^a\/b$"}, "a/b", True),
    ("regex_plain_slash", {"$regex": "^a/b$"}, "a/b", True),
    ("regex_code_point_escapes", {"$regex": r"^\x61\u0062\t$"}, "ab\t", True),
    ("regex_letter_in_a_class", {"$regex": r"^[\A\-]+$"}, "A-", True),
    ("regex_dot_does_not_match_a_line_break", {"$regex": "^a.b$"}, "a\nb", False),
    ("not_regex_no_match", {"$notRegex": "b"}, "a", True),
    ("not_regex_match", {"$notRegex": "b"}, "abc", False),
    ("not_regex_missing", {"$notRegex": "b"}, None, True),
    ("not_regexi_match", {"$notRegexi": "B"}, "abc", False),
    ("veq_build_is_ignored", {"$veq": "1.2.3"}, "v1.2.3+5", True),
    ("veq_number", {"$veq": "1"}, 1, True),
    ("veq_empty_is_zero", {"$veq": "0"}, "", True),
    ("veq_missing", {"$veq": "0"}, None, False),
    ("vne_missing", {"$vne": "1.0.0"}, None, True),
    ("vne_same", {"$vne": "1.0.0"}, "1.0.0", False),
    ("vlt_numeric_parts", {"$vlt": "1.10.0"}, "1.9.0", True),
    ("vlte_same", {"$vlte": "1.0.0"}, "1.0.0", True),
    ("vgt_release_after_prerelease", {"$vgt": "1.0.0-rc.1"}, "1.0.0", True),
    ("vgte_missing", {"$vgte": "0"}, None, False),
    ("vgte_array", {"$vgte": "0"}, ["1"], False),
    ("not_operator", {"$not": {"$eq": 1}}, 2, True),
    ("not_plain_value", {"$not": "a"}, "a", False),
    ("not_of_unknown_operator", {"$not": {"$newer": 1}}, 2, False),
    ("unknown_operator", {"$newer": 1}, 1, False),
    ("unknown_beside_failing", {"$not": {"$newer": 1, "$eq": 3}}, 2, True),
    ("logic_inside_a_value", {"$or": [{"$eq": 1}]}, 1, False),
    ("no_operators_at_all", {}, "anything", True),
    ("object_equal_in_any_order", {"a": 1, "b": [2]}, {"b": [2], "a": 1}, True),
    ("object_mixed_keys_is_plain", {"$eq": 1, "b": 2}, 1, False),
    ("object_true_is_not_one", {"a": 1}, {"a": True}, False),
    ("array_order_counts", [1, 2], [2, 1], False),
    ("null_is_missing", None, None, True),
    ("false_is_not_missing", False, None, False),
]


@pytest.mark.parametrize(
    ("wanted", "actual", "expected"), [case[1:] for case in OPERATOR_CASES], ids=[case[0] for case in OPERATOR_CASES]
)
def test_passes__one_value__as_the_contract_says(wanted, actual, expected):
    assert passes({"a": actual}, {"a": wanted}) is expected


def test_passes__missing_attribute__is_null():
    assert passes({}, {"a": {"$exists": False}, "a.b.c": None})


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.0", "x"),
        ("a.1.b", 2),
        ("a.length", 2),
        ("a.01", None),
        ("a.-1", None),
        ("a.9", None),
        ("a." + "9" * 5000, None),
    ],
)
def test_passes__path_into_a_list__reads_indices_and_length(path, expected):
    assert passes({"a": ["x", {"b": 2}]}, {path: expected})


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"$or": []}, True),
        ({"$and": []}, True),
        ({"$nor": []}, False),
        ({"$or": [{"a": 2}, {"a": 1}]}, True),
        ({"$nor": [{"a": 2}, {"a": 3}]}, True),
        ({"$and": [{"a": 1}, {"a": 2}]}, False),
        ({"$not": {"a": 1}}, False),
        ({"$or": [{"a": {"$newer": 1}}, {"a": 1}]}, True),
        ({"$nor": [{"a": {"$newer": 1}}]}, False),
        ({"$not": {"$or": [{"a": {"$newer": 1}}, {"a": 2}]}}, False),
    ],
)
def test_passes__logic__is_three_valued(condition, expected):
    assert passes({"a": 1}, condition) is expected


@pytest.mark.parametrize(
    "condition", [None, [], "a", 3, {"$or": 1}, {"$not": None}, {"$and": [1]}, {"$not": {"$nor": {}}}]
)
def test_passes__malformed_condition__passes_for_nobody(condition):
    assert not passes({"a": 1}, condition)


@pytest.mark.parametrize("attributes", [None, [], "a", 3])
def test_passes__attributes_that_are_no_object__count_as_empty(attributes):
    assert passes(attributes, {"a": None})
    assert not passes(attributes, {"a": 1})
