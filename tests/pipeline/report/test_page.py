import pytest

from contracts.browser import look_at, print_page
from contracts.runs import HOSTILE, LONG, failed, of_many_classes, record, refused
from roadworthy.pipeline.report.page import as_bytes, as_moment, confused, render


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render(record()))
    return path


@pytest.fixture(scope="module")
def on_a_desk(page):
    return look_at(page, width=1280)


def test_a_browser_shows_every_part_and_has_nothing_to_complain_of(on_a_desk):
    for part in ("models", "charts", "gate", "steps", "slices", "confusion", "layers", "data", "run"):
        assert f'<section id="{part}">' in on_a_desk.document
    assert on_a_desk.document.count('<svg class="chart"') == 2
    assert on_a_desk.console == ()


def test_it_says_what_was_chosen_what_was_missed_and_why(on_a_desk):
    document = on_a_desk.document
    assert "chosen: the smallest that passed" in document
    assert "missed max_quality_drop" in document
    assert "95% interval 4.00 to 8.00" in document
    assert "inside the noise, no drop" in document
    assert "it has no kernel" in document
    assert "2 images could not be read" in document
    assert "1,200" in document
    assert "24 / 96 / 4000" in document


def test_the_charts_show_every_model_with_its_fate(on_a_desk):
    for kind in ("parent", "chosen", "missed"):
        assert on_a_desk.document.count(f'<g class="{kind}" transform') == 2
    assert "int8, chosen: accuracy 0.8500 (0.8499 to 0.8501), 200 B</title>" in on_a_desk.document
    assert "gzipped size" in on_a_desk.document
    assert "p95 latency of one image, ms" in on_a_desk.document


def test_each_figure_of_the_table_is_there(on_a_desk):
    document = on_a_desk.document
    for figure in (
        "0.8499\u20130.8501",
        "-0.20 to 1.00",
        "95.0%",
        "0.0100 / 0.4000",
        "4.5x",
        "2.00 / 4.00 / 4.00",
    ):
        assert figure in document


def test_every_table_has_a_caption_and_what_scrolls_can_be_reached_by_keyboard(page):
    text = page.read_text()
    assert text.count("<table") == text.count("<caption>") == text.count('tabindex="0" aria-label=')
    assert "prefers-color-scheme: dark" in text


@pytest.mark.parametrize("of", [record, failed, refused], ids=["finished", "failed", "refused"])
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_a_phone_or_a_desk(tmp_path, of, width):
    page = tmp_path / "report.html"
    page.write_text(render(of()))
    seen = look_at(page, width=width)
    assert seen.console == ()
    assert seen.window_width <= width
    assert seen.content_width <= seen.window_width


@pytest.mark.parametrize("of", [record, failed], ids=["finished", "failed"])
def test_texts_of_the_run_are_no_markup(of):
    text = render(of())
    assert HOSTILE not in text
    assert "&lt;script&gt;" in text
    assert "<b>dusk" not in text


def test_long_names_in_any_letters_are_whole_where_a_mouse_rests(on_a_desk):
    assert f'title="{LONG}"' in on_a_desk.document


def test_what_is_folded_on_the_screen_is_open_in_print(page):
    pdf = print_page(page)
    assert "tiny-int8: images by true class" not in pdf  # captions are for those who listen
    assert pdf.count("conv/kernel") == 3
    assert "it has no kernel" in pdf


def test_a_run_that_was_refused_says_so_and_why(tmp_path):
    text = render(refused())
    assert "No variant stayed within every budget, so nothing was published." in text
    assert text.count("missed: max_size against the parent model must be at most 1%") == 2


def test_a_run_that_failed_says_where_and_why_and_shows_how_far_it_came():
    text = render(failed())
    assert "Failed at Trainer" in text
    assert "out of &lt;script&gt;alert(1)&lt;/script&gt; memory" in text
    assert "out/logs/1.log" in text
    assert "ImageFolderExampleGen" in text
    assert '<section id="models">' not in text


def test_of_many_classes_the_pairs_most_confused_are_shown_and_no_matrix():
    many = of_many_classes(200)
    text = render(many)
    assert '<table class="matrix">' not in text
    assert len(text) < 500_000
    pairs = confused(many.scorecard.parent, many.scorecard.labels)
    assert [(pair.truth, pair.answer, pair.images) for pair in pairs[:2]] == [
        ("class-0", "class-199", 199),
        ("class-0", "class-198", 198),
    ]


@pytest.mark.parametrize(
    "run_id", ["2026-01-02T03:04:05", "2026-01-02T03:04:05.678+00:00", "2026-01-02T05:04:05+02:00"]
)
def test_a_moment_is_told_in_utc(run_id):
    assert as_moment(run_id) == "2026-01-02 03:04:05 UTC"


def test_the_page_asks_nobody_for_anything(page):
    text = page.read_text()
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert "https://" not in text
    assert "<script" not in text
    assert "default-src 'none'" in text


@pytest.mark.parametrize(("count", "text"), [(7, "7 B"), (1500, "1.5 kB"), (3_977_432, "3.98 MB"), (2.5e9, "2.5 GB")])
def test_bytes_are_told_with_three_digits(count, text):
    assert as_bytes(count) == text
