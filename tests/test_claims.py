"""Claims about the default model: every slip is named, with its origin, and no right figure is."""

from __future__ import annotations

from pathlib import Path

import pytest

from shapeviz.claims import Finding, arithmetic, check_claims
from shapeviz.errors import InputError
from shapeviz.frontends.from_sizes import built
from shapeviz.models.transformer import Config
from shapeviz.report import Report, measure

EXAMPLE = Path(__file__).parents[1] / "examples" / "q1_claims.toml"
QUERY = "encoder.layer.self_attention.query"
DEFAULT = measure(built(Config()))


def check(tmp_path: Path, text: str, report: Report = DEFAULT) -> tuple[Finding, ...]:
    file = tmp_path / "claims.toml"
    file.write_text(text, encoding="utf-8")
    return check_claims(report, file)


def one(tmp_path: Path, entry: str, report: Report = DEFAULT) -> Finding:
    """The only finding of a file with one claim."""
    (finding,) = check(tmp_path, "[[claim]]\n" + entry, report)
    return finding


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(InputError) as caught:
        check(tmp_path, text)
    return str(caught.value)


# the analysis that this project was asked to reproduce


def slips() -> dict[str, Finding]:
    return {finding.claim.label: finding for finding in check_claims(DEFAULT, EXAMPLE) if not finding.ok}


def test_the_four_slips_of_the_analysis_are_found_and_nothing_else():
    found = check_claims(DEFAULT, EXAMPLE)
    assert [(f.claim.label, f.expected, f.found) for f in found if not f.ok] == [
        ("split into heads", (32, 6, 4096, 128), (32, 6, 6, 4096, 128)),
        ("concatenate heads", (32, 4096, 768), (768, 4096, 768)),
        ("decoder layer", 7_617_024, 7_617_192),
        # 4,465,920·6 + 7,617,192·8 = 26,795,520 + 60,937,536 = 87,733,056
        ("model, from one layer of each kind", 87_733_056, 87_731_712),
    ]
    assert not any(finding.note for finding in found if finding.ok)


def test_a_right_total_shows_that_the_decoder_layer_was_known():
    # 60,936,192 = 8·7,617,024
    assert "uses the right one: 60,936,192 = 8 × 7,617,024" in slips()["decoder layer"].note


def test_the_wrong_sum_is_led_back_to_the_wrong_layer():
    # 4,465,920·6 + 7,617,024·8 = 26,795,520 + 60,936,192 = 87,731,712
    note = slips()["model, from one layer of each kind"].note
    assert note == "7,617,192 is the slip of claim 60 (decoder layer): with 7,617,024 it comes to 87,731,712"


def test_the_repeated_axis_is_the_heads():
    assert slips()["split into heads"].note == "the axis h = 6 is written twice"


def test_the_foreign_size_is_called_by_its_name():
    # 768 = 6·128
    assert slips()["concatenate heads"].note == "768 is h·d_k: it stands in place of B = 32"


def test_the_analysis_with_its_slips_mended_has_none(tmp_path):
    text = EXAMPLE.read_text(encoding="utf-8")
    for wrong, right in (
        ("7_617_192", "7_617_024"),
        ("7,617,192", "7,617,024"),
        ("[32, 6, 6, 4096, 128]", "[32, 6, 4096, 128]"),
        ("[768, 4096, 768]", "[32, 4096, 768]"),
    ):
        assert text.count(wrong) == 1
        text = text.replace(wrong, right)
    assert all(finding.ok for finding in check(tmp_path, text))


def test_for_another_model_other_figures_are_wrong():
    report = measure(built(Config(heads=8)))
    wrong = {finding.claim.label for finding in check_claims(report, EXAMPLE) if not finding.ok}
    assert wrong >= {"multi-head attention, encoder self-attention", "Q Kᵀ", "encoder layer", "model"}
    assert not wrong & {"LayerNorm", "feed-forward", "token ids", "input embedding"}


def test_messages_name_the_claim_the_value_and_the_right_one():
    message = slips()["decoder layer"].message
    assert message == "claim 60 (decoder layer): params of decoder.layer: 7,617,192 is claimed, right is 7,617,024"
    message = slips()["model, from one layer of each kind"].message
    assert message.endswith("4,465,920 × 6 + 7,617,192 × 8 comes to 87,733,056, not to 87,731,712")


# what can be claimed


@pytest.mark.parametrize(
    "entry",
    [
        'path = "decoder.layer"\nparams = 7_617_024',
        'path = "decoder.layer"\nparams = "7,617,024"',
        'path = "decoder.layer"\nparams = "7_617_024"',
        'path = "decoder.layer"\nparams = 7_617_024\nshape = [32, 4096, 1024]',
        'path = "decoder.layer"\nall = true\nparams = 60_936_192',  # 8·7,617,024
        'path = "model"\nparams = 87_731_712',
        'path = "total"\nparams = 87_731_712',
        'path = ""\nparams = 87_731_712',
        'path = ""\nall = true\nparams = 87_731_712',
        f'path = "{QUERY}"\nflops = 206_158_430_208',  # 2·32·4096·1024·768
        f'path = "{QUERY}"\nall = true\nflops = 1_236_950_581_248',  # 6 times that
        f'paths = ["{QUERY}", ".key", ".value"]\nparams = 2_361_600',  # 3·787,200
        f'paths = ["{QUERY}", ".key", ".value"]\nall = true\nparams = 14_169_600',  # 6·2,361,600
        f'paths = ["{QUERY}", ".key"]\nshape = [32, 4096, 768]',
        'paths = ["encoder", "decoder"]\nparams = 87_731_712',
        'path = "encoder.layer.feed_forward.relu"\nparams = 0',
        'sum = "2 × 1024"\nequals = 2048',
        'path = "encoder.layer"\nparams = 4_465_920\nsum = "3,149,056 + 2 × 2,048 + 1,312,768"',
    ],
)
def test_right_figures_are_right_however_they_are_written(tmp_path, entry):
    assert all(finding.ok for finding in check(tmp_path, "[[claim]]\n" + entry))


def test_a_finding_is_a_check_with_its_claim(tmp_path):
    found = one(tmp_path, 'path = "encoder.layer"\nall = true\nparams = 5\nlabel = "layers"\nquote = "“5 in all”"')
    assert (found.path, found.quantity, found.expected, found.found) == ("encoder.layer", "params", 26_795_520, 5)
    assert (found.by, found.times, found.claim.quote) == ("claims.toml, claim 1", 6, "“5 in all”")


def test_several_shapes_in_one_claim_are_told_apart(tmp_path):
    text = f'[[claim]]\npaths = ["{QUERY}", ".key", ".output"]\nshape = [32, 4096, 768]'
    right, wrong = check(tmp_path, text)
    assert right.ok
    assert right.path == f"{QUERY}, .key"
    assert (wrong.path, wrong.expected) == ("encoder.layer.self_attention.output", (32, 4096, 1024))


def test_a_windows_file_with_a_byte_order_mark_is_read(tmp_path):
    assert one(tmp_path, 'path = "model"\r\nparams = 87_731_712\r\n').ok
    (bom,) = check(tmp_path, '\ufeff[[claim]]\npath = "model"\nparams = 87_731_712')
    assert bom.ok


def test_a_total_that_leaves_something_out_says_so_when_it_is_named(tmp_path):
    note = one(tmp_path, 'path = "model"\nparams = 5').note
    assert note == "V is not counted: the vocabulary is not given: --vocab N counts it"


def test_sizes_of_any_magnitude_are_exact(tmp_path):
    report = measure(built(Config(d_model=10**40, d_k=10**39)))
    norm = 'path = "encoder.layer.self_attention_norm"\nparams = '
    assert one(tmp_path, norm + str(2 * 10**40), report).ok
    assert not one(tmp_path, norm + str(2 * 10**40 + 1), report).ok


# arithmetic


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4,465,920 × 6 + 7,617,024 × 8", 87_731_712),
        ("4_465_920 * 6 + 7'617'024 · 8", 87_731_712),
        ("4\u202f465\u202f920 x 6", 26_795_520),
        ("6 × 3 × (1024 × 128 + 128)", 2_361_600),
        ("1024² + 2^3 + 2**3", 1_048_592),  # 1,048,576 + 8 + 8
        ("−2 + 10 – 3", 5),
        ("7 / 2 ÷ 7 * 4", 2),
        ("2 ^ 10 - 2 ^ (5 + 5)", 0),
        ("⌈50,257 / 64⌉ × 64 + max(1, 2)", 50_306),  # 50,257 / 64 = 785.3, 786·64 = 50,304
        ("\n 1 +\n 2", 3),
    ],
)
def test_arithmetic_is_read_as_people_write_it(text, value):
    assert value == arithmetic.parse(text).value()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("__import__('os')", "character 1: '__import__' is no function"),
        ("d_model × 2", "character 1: 'd_model' is not known; only numbers can stand here"),
        ("0x10", "character 2: a sign is missing before 'x10'"),
        ("1.5 × 2", "1.5 is no whole number"),
        ("1e9", "1e9 is no whole number"),
        ("1,2 × 3", "character 2: ',' has no meaning here"),
        ("4,465,9201", "character 2: ',' has no meaning here"),
        ("1 + 2 = 3", "character 7: '=' has no meaning here"),
        ("1 \x00 2", "character 3: '\\x00' has no meaning here"),
        ("", "at its end: a number or '(' is missing"),
        ("1 +", "at its end: a number or '(' is missing"),
        ("(1 + 2", "at its end: ')' is missing after '('"),
        ("12 345", "character 4: a sign is missing before '345'"),
        ("1 (2)", "character 3: a sign is missing before '('"),
        ("()", "character 2: a number or '(' is missing before ')'"),
        ("1 / (2 - 2)", "division by zero"),
        ("0 ^ -1", "division by zero"),
        ("9**9**9", "beyond 10^1000"),
        ("2^4000", "beyond 10^1000"),
        ("1 / 2^4000", "beyond 10^1000"),
        ("10^999 × 10^999", "beyond 10^1000"),
        ("2 ^ (1/2)", "the exponent 1/2 is not a whole number"),
        ("(" * 240 + "1" + ")" * 240, "character 51: nested more than 50 deep"),
        ("-" * 499 + "1", None),
        ("+".join("1" * 250), None),
        ("1+" * 250_000 + "1", "are more than the 500 of a formula"),
    ],
)
def test_what_is_no_arithmetic_is_refused_at_once(text, problem):
    if problem is None:
        assert arithmetic.parse(text).value() in (-1, 250)
        return
    with pytest.raises(InputError) as caught:
        arithmetic.parse(text)
    assert problem in str(caught.value)


def test_a_sum_that_is_no_whole_number_is_a_slip(tmp_path):
    found = one(tmp_path, 'sum = "7 / 2"\nequals = 3')
    assert found.message == "claim 1: 7 / 2 comes to 7/2, not to 3"
    assert (found.path, found.quantity) == ("7 / 2", "sum")


def test_a_sum_that_derives_a_right_value_wrongly_is_named(tmp_path):
    # 2·1025 = 2050
    text = '[[claim]]\npath = "encoder.layer.self_attention_norm"\nparams = 2_048\nsum = "2 × 1025"'
    value, derivation = check(tmp_path, text)
    assert value.ok
    assert (derivation.expected, derivation.found) == (2050, 2048)
    assert derivation.note == "2,048 is right: a number or a sign of the sum is wrong"


# origins of wrong counts


@pytest.mark.parametrize(
    ("entry", "note"),
    [
        # 787,456 - 1,024 = 786,432 = 768·1024
        (
            'path = "encoder.layer.self_attention.output"\nparams = 786_432',
            "1,024 too few: the bias b left out",
        ),
        # 3,149,056 + 1,024: only the output projection has a bias of 1024
        (
            'path = "encoder.layer.self_attention"\nparams = 3_150_080',
            "1,024 too many: the bias b of output counted twice",
        ),
        # 3,149,056 - 3·768 - 1024 = 3,145,728 = 4·1024·768
        ('path = "encoder.layer.self_attention"\nparams = 3_145_728', "3,328 too few: all biases left out"),
        # 4,465,920 - 2,048
        (
            'path = "encoder.layer"\nparams = 4_463_872',
            "2,048 too few: self_attention_norm or feed_forward_norm left out",
        ),
        # 4,465,920 - 2·2,048
        ('path = "encoder.layer"\nparams = 4_461_824', "4,096 too few: all norms left out"),
        # 26,795,520 - 6·2,048
        (
            'path = "encoder.layer"\nall = true\nparams = 26_783_232',
            "12,288 too few: all 6 self_attention_norm or all 6 feed_forward_norm left out",
        ),
        # 7,617,024 + 1,312,768
        ('path = "decoder.layer"\nparams = 8_929_792', "1,312,768 too many: feed_forward counted twice"),
        # scores and weighted_values, 824,633,720,832 each
        (
            'path = "encoder.layer.self_attention.attention"\nflops = 824_633_720_832',
            "2 times too small: a multiply-add is counted as 1 FLOP there, as 2 here",
        ),
        # 2,473,901,162,496 - 206,158,430,208
        (
            'path = "encoder.layer.self_attention"\nflops = 2_267_742_732_288',
            "206,158,430,208 too few: query, key, value or 1 more left out",
        ),
        # 6·7,617,024 is no figure of the model: 6 = h, and in the formula
        (
            'path = "decoder.layer"\nparams = 45_702_144',
            "6 times too large: h = 6 is multiplied in twice",
        ),
        # 6·787,200
        (
            f'path = "{QUERY}"\nparams = 4_723_200',
            "6 times too large: the figure of all 6 together, or h = 6 is multiplied in twice",
        ),
        # 787,200 / 6 = 131,200 = 1024·128 + 128
        (f'path = "{QUERY}"\nparams = 131_200', "6 times too small: h = 6 is left out"),
        # 32·2,048: no parameter depends on the batch
        (
            'path = "encoder.layer.feed_forward_norm"\nparams = 65_536',
            "32 times too large: B = 32 is multiplied in",
        ),
        # 206,158,430,208 / 32
        (f'path = "{QUERY}"\nflops = 6_442_450_944', "32 times too small: B = 32 is left out"),
        ('path = "decoder.layer"\nparams = 60_936_192', "8 times too large: the figure of all 8 together"),
        (
            'path = "decoder.layer"\nall = true\nparams = 7_617_024',
            "8 times too small: the figure of one of the 8",
        ),
        ('path = "decoder"\nparams = 7_617_024', "8 times too small: N_dec = 8 is left out"),
        ('path = "decoder.layer"\nparams = 4_465_920', "that is the figure of encoder.layer"),
        (
            'path = "decoder.layer.feed_forward"\nparams = 3_149_056',
            "that is the figure of decoder.layer.self_attention or decoder.layer.cross_attention",
        ),
        ('path = "encoder.layer"\nparams = 4_645_920', "the digits 4 and 6 are exchanged"),
        ('path = "encoder.layer"\nparams = 446_592', "a digit 0 is missing"),
        ('path = "encoder.layer"\nparams = 44_465_920', "a digit 4 too many"),
        ('path = "encoder.layer"\nparams = 4_465_951', "all digits agree but 51, which is 20"),
        ('path = "encoder.layer"\nparams = 9_999_999', ""),
        ('path = "encoder.layer"\nparams = 0', ""),
        ('path = "encoder.layer.feed_forward.relu"\nparams = 7', ""),
    ],
)
def test_the_origin_of_a_wrong_count_is_told(tmp_path, entry, note):
    found = one(tmp_path, entry)
    assert not found.ok
    assert note == found.note


def test_a_value_that_its_own_sum_contradicts(tmp_path):
    # 768·1024 + 1024 = 787,456
    entry = 'path = "encoder.layer.self_attention.output"\nparams = 787_000\nsum = "768 × 1024 + 1024"'
    value, derivation = check(tmp_path, "[[claim]]\n" + entry)
    assert value.note == "its own sum, 768 × 1024 + 1024, comes to 787,456"
    assert derivation.ok


def test_a_slip_that_follows_from_another_is_led_back_to_it(tmp_path):
    # 7,617,192 - 7,617,024 = 168;  8·7,617,192 = 60,937,536;  87,731,712 + 8·168 = 87,733,056
    text = """
    claim = [{path = "decoder.layer", params = 7_617_192}, {path = "decoder.layer", all = true, params = 60_937_536},
             {path = "decoder", params = 60_937_536, sum = "8 × 7,617,192"}, {path = "model", params = 87_733_056}]
    """
    layer, layers, decoder, derivation, model = check(tmp_path, text)
    assert layer.note == "all digits agree but 192, which is 024"
    assert layers.note == "it follows from the slip of claim 1, 7,617,192"
    assert "7,617,192 is the slip of claim 1: with 7,617,024 it comes to 60,936,192" in decoder.note
    assert derivation.ok  # the multiplication itself is right
    assert "it follows from the slip of claim 3, 60,937,536" in model.note


def test_a_right_sum_elsewhere_shows_the_right_value(tmp_path):
    # 2·4,465,920 = 8,931,840
    text = '[[claim]]\npath = "encoder.layer"\nparams = 4_000_001\n[[claim]]\nsum = "2 × 4465920"\nequals = 8_931_840'
    wrong, right = check(tmp_path, text)
    assert right.ok
    assert wrong.note == "claim 2 uses the right one: 2 × 4465920 = 8,931,840"


def test_a_result_with_exchanged_digits_is_told(tmp_path):
    # 6·4,465,920 = 26,795,520
    assert one(tmp_path, 'sum = "6 × 4,465,920"\nequals = 26_975_520').note == "the digits 7 and 9 are exchanged"


# origins of wrong shapes


@pytest.mark.parametrize(
    ("path", "shape", "note"),
    [
        (QUERY, [4096, 32, 768], "the axes B = 32 and S = 4096 are exchanged"),
        (QUERY, [768, 32, 4096], "the axes are in another order"),
        (QUERY, [32, 768], "the axis S = 4096 is missing"),
        (QUERY, [32, 4096, 4096, 768], "the axis S = 4096 is written twice"),
        (QUERY, [32, 4096, 512, 768], "one axis too many, 512 (d_ff1 or d_ff2)"),
        (QUERY, [32, 4096, 7, 768], "one axis too many, 7"),
        (QUERY, [32, 4096, 1024], "1024 is d_model: it stands in place of h·d_k = 768"),
        (QUERY, [32, 4096, 128], "128 is d_k: it stands in place of h·d_k = 768"),
        (QUERY, [32, 4096, 769], ""),
        (QUERY, [1, 2, 3], ""),
        (QUERY + "_heads", [32, 4096, 6, 128], "the axes h = 6 and S = 4096 are exchanged"),
        (QUERY + "_heads", [32, 4096, 768], f"that is the shape of its input, {QUERY}"),
        ("encoder.layer.self_attention.attention.scores", [32, 6, 4096], "the axis S = 4096 is missing"),
        ("decoder.layer.cross_attention.attention.scores", [32, 6, 4096], "the axis T = 4096 or S = 4096 is missing"),
    ],
)
def test_the_origin_of_a_wrong_shape_is_told(tmp_path, path, shape, note):
    found = one(tmp_path, f'path = "{path}"\nshape = {shape}')
    assert not found.ok
    assert note == found.note


# bad input


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ('path = "decoder.layer"\nparam = 5', "unknown key 'param'; did you mean 'params'?"),
        ('path = "decoder.layr"\nparams = 5', "no block 'decoder.layr'; did you mean 'decoder.layer'?"),
        (f'paths = ["{QUERY}", ".kye"]\nparams = 5', f"no block '.kye'; did you mean '{QUERY[:-5]}key'?"),
        (f'paths = ["{QUERY}", ".query"]\nparams = 5', "named twice in paths"),
        ('paths = ["model", "decoder"]\nparams = 5', "the model is the whole"),
        ("paths = []\nparams = 5", "paths is empty"),
        ('paths = "decoder"\nparams = 5', "a path is text"),
        ("path = 5\nparams = 5", "a path is text"),
        ('path = "decoder"\npaths = ["decoder"]\nparams = 5', "one of them is enough"),
        ('path = "decoder"', "no value is claimed: add params = … or flops = … or shape"),
        ('label = "nothing"', "no value is claimed"),
        ("params = 5", "a value of what? Add path"),
        ('sum = "1 + 1"', "a sum of what value? Add equals"),
        ("equals = 5", "add sum"),
        ('path = "decoder"\nsum = "1"\nequals = 1', "equals is for a sum without a path"),
        ('path = "decoder"\nsum = "1"\nparams = 1\nflops = 1', "a sum derives one value"),
        ('path = "decoder"\nsum = "1"', "a sum derives one value"),
        ('path = "decoder"\nparams = 5.0', "params = 5.0 is not a whole number: write it as params = 7_617_024"),
        ('path = "decoder"\nparams = nan', "params = nan is not a whole number"),
        ('path = "decoder"\nparams = true', "params = true is not a whole number"),
        ('path = "decoder"\nparams = "many"', "params = 'many' is not a whole number"),
        ('path = "decoder"\nparams = "1,2"', "params = '1,2' is not a whole number"),
        ('path = "decoder"\nparams = [1]', "params = […] is not a whole number"),
        ('path = "decoder"\nparams = {a = 1}', "params = {…} is not a whole number"),
        ('path = "decoder"\nparams = 1979-05-27', "params = 1979-05-27 is not a whole number"),
        ('path = "decoder"\nparams = -5', "params = -5 is negative"),
        ('path = "decoder"\nparams = 0x' + "f" * 5000, "params is beyond 10^1000"),
        ('path = "decoder"\nparams = ' + "9" * 5000, "not TOML: Exceeds the limit"),
        ('path = "decoder"\nshape = 5', "shape = 5 is not a list of sizes"),
        ('path = "decoder"\nshape = "(32, 4096)"', "write it as shape = [32, 4096, 1024]"),
        ('path = "decoder"\nshape = []', "is not a list of sizes"),
        ('path = "decoder"\nshape = [32, 0]', "sizes are at least 1"),
        ('path = "decoder"\nshape = [32, -1]', "a size of shape = -1 is negative"),
        ('path = "decoder"\nshape = [32, 4096.0]', "a size of shape = 4096.0 is not a whole number"),
        ('path = "decoder"\nshape = [true]', "a size of shape = true is not a whole number"),
        ('path = "model"\nshape = [32]', "a shape belongs to a block"),
        ('path = "decoder"\nall = true\nshape = [32]', "all multiplies a count"),
        ('path = "decoder"\nall = 1\nparams = 5', "all = 1: true or false is needed"),
        ('path = "decoder"\nlabel = 5\nparams = 5', "label = 5 is not text"),
        ('path = "decoder"\nlabel = "\\u001b[31m"\nparams = 5', "control characters are not text"),
        ("sum = 5\nequals = 5", "sum = 5 is not text"),
        ("sum = \"__import__('os')\"\nequals = 5", "'__import__' is no function"),
        ('sum = "1 / 0"\nequals = 5', "sum = '1 / 0': character 3: division by zero"),
        ('sum = "9**9**9"\nequals = 5', "beyond 10^1000"),
        (
            'path = "softmax"\nshape = [32, 4096, 50000]',
            "the shape of softmax is (B, T, V), and V is not counted: the vocabulary is not given: --vocab N counts it",
        ),
        ('path = "head"\nflops = 5', "flops of head: V is not counted: the vocabulary is not given: --vocab N counts"),
        ('path = "encoder.embedding"\nparams = 5', "params of encoder.embedding: V is not counted"),
    ],
)
def test_a_bad_claim_is_one_message_with_its_place(tmp_path, entry, problem):
    message = refusal(tmp_path, '[[claim]]\npath = "model"\nparams = 87_731_712\n\n[[claim]]\n' + entry)
    assert problem in message
    assert f"{tmp_path / 'claims.toml'}" in message
    assert "claim 2 (line 5): " in message or "not TOML" in message


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty"),
        ('title = "nothing"', "no claim: each is a table, [[claim]]"),
        ("claim = []", "no claim"),
        ("claim = 5", "a table in double brackets"),
        ("[claim]\nparams = 5", "a table in double brackets"),
        ("claim = [1]", "a table in double brackets"),
        ("[[claims]]\nparams = 5", "unknown key 'claims'; did you mean 'claim'?"),
        ("title = 5\n[[claim]]", "title = 5 is not text"),
        ("[[claim]]\nparams = 7,617,192", "not TOML"),
        ("[[claim]]\nparams = 7,617,192", "  2 | params = 7,617,192\n"),
        ("[[claim]]\nparams = 7,617,192", "thousands are set off as 7_617_024"),
        ("[[claim]]\nparams = 5\nparams = 6", "  3 | params = 6"),
        ("[[claim]\n", "  1 | [[claim]"),
        ('[[claim]]\nlabel = "\x1b[31m"', "\\x1b[31m"),
        ("x = " + "[" * 5000, "nested too deeply"),
        ("x = " + "{a=" * 5000, "nested too deeply"),
        (".".join("a" * 5000) + " = 1", "unknown key 'a'"),
    ],
)
def test_a_file_without_claims_is_one_message(tmp_path, text, problem):
    message = refusal(tmp_path, text)
    assert problem in message
    assert message.startswith(f"{tmp_path / 'claims.toml'}")
    assert "Traceback" not in message


def test_a_file_that_cannot_be_read_is_one_message(tmp_path):
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00\x01")
    for name, problem in (("missing.toml", "cannot read"), ("", "cannot read"), ("binary.toml", "in UTF-8")):
        with pytest.raises(InputError, match=problem):
            check_claims(DEFAULT, tmp_path / name)


def test_a_given_vocabulary_can_be_claimed(tmp_path):
    # V·d_model = 50,000·1024 = 51,200,000, shared by both embeddings and the head
    report = measure(built(Config(vocab=50_000)))
    assert one(tmp_path, 'path = "softmax"\nshape = [32, 4096, 50_000]', report).ok
    assert one(tmp_path, 'path = "model"\nparams = 138_931_712', report).ok  # 87,731,712 + 51,200,000
    wrong = one(tmp_path, 'path = "model"\nparams = 87_731_712', report)
    assert wrong.note == "51,200,000 too few: encoder.embedding left out"


def test_thousands_of_wrong_claims_are_explained(tmp_path):
    # each is looked for by path and value, never among all others: 2,000² comparisons would take minutes
    text = "".join(f'[[claim]]\npath = "decoder.layer"\nparams = {n}\n' for n in range(2_000))
    assert not any(finding.ok for finding in check(tmp_path, text))
