"""The page of the small run in a real browser: nothing is fetched, nothing goes wrong, at any width, light and dark, by
keyboard, printed, and without scripts.

Run: python test_page.py path/to/report_write_small_run [folder for screenshots]
"""
import json
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from PIL import Image

from browser import NAMES, Browser, find_browser

BROWSER = find_browser()
if BROWSER is None:
    print(f"SKIPPED: none of {', '.join(NAMES)} is on PATH; scripts/setup --browser installs one")
    sys.exit(0)

SHOTS = Path(sys.argv.pop()) if len(sys.argv) > 2 else None
WRITE_SMALL_RUN = sys.argv.pop()
PRINTED_WIDTH = int(277 / 25.4 * 96)  # A4 on its side, margins of 10 mm: @page in page.css
# Repeat the last column of the first table with numbers until it has twelve beside its first; the number of its columns.
WIDEN = """(() => {
  const table = [...document.querySelectorAll('main table')].find((each) => each.querySelectorAll('thead th').length > 3);
  for (const row of table.rows) while (row.cells.length < 13) row.append(row.cells[row.cells.length - 1].cloneNode(true));
  return table.rows[0].cells.length;
})()"""
DRAWN = "Number(document.documentElement.dataset.drawn || 0)"
# The ratio of WCAG 2.1, success criterion 1.4.3, of the text of the first element that fits a selector to what is behind it.
CONTRAST = """(selector) => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const element = document.querySelector(selector);
  let behind = element;
  while (rgb(getComputedStyle(behind).backgroundColor)[3] === 0) behind = behind.parentElement;
  const light = (colour) => {
    const [r, g, b] = rgb(colour).map((c) => (c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [a, b] = [light(getComputedStyle(element).color), light(getComputedStyle(behind).backgroundColor)].sort();
  return (b + 0.05) / (a + 0.05);
}"""


class PageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        path = Path(cls.folder.name)
        subprocess.run([WRITE_SMALL_RUN, path / "results.h5", path / "page.html"], check=True)
        cls.url = (path / "page.html").as_uri()
        cls.browser = Browser(BROWSER)

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        cls.folder.cleanup()

    def open(self, width=1600, scheme="light"):
        self.browser.look(width, scheme=scheme)
        self.browser.open(self.url)
        self.browser.wait_for(DRAWN)

    def no_complaints(self):
        """Nothing but the page itself was asked for, and nobody wrote to the console."""
        for event in self.browser.events:
            if event["method"] == "Network.requestWillBeSent":
                url = event["params"]["request"]["url"]
                self.assertTrue(url == self.url or url.startswith(("data:", "blob:")), url)
            self.assertNotIn(event["method"], ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"), event)

    def test_all_charts_are_drawn_at_any_width_light_and_dark(self):
        for width in (1600, 360):
            for scheme, background in (("light", (255, 255, 255)), ("dark", (20, 24, 29))):
                with self.subTest(width=width, scheme=scheme):
                    self.open(width, scheme)
                    plots = self.browser.evaluate("document.querySelectorAll('.plot').length")
                    self.assertGreater(plots, 10)
                    self.assertEqual(self.browser.evaluate("document.querySelectorAll('.plot svg.marks').length"), plots)
                    self.assertLessEqual(self.browser.evaluate("document.documentElement.scrollWidth"), width)
                    wider = ("[...document.querySelectorAll('.plot svg.marks')].filter((svg) => "
                             "svg.getBoundingClientRect().width > svg.closest('.plot').clientWidth + 1).length")
                    self.assertEqual(self.browser.evaluate(wider), 0)
                    shot = Path(self.folder.name) / f"{width}-{scheme}.png"
                    self.browser.screenshot(shot)
                    with Image.open(shot) as image:
                        colours = image.convert("RGB").getcolors(1 << 24)
                        self.assertEqual(max(colours)[1], background)
                        self.assertGreater(len(colours), 100)
                        if SHOTS is not None:
                            image.save(SHOTS / shot.name)
                    self.no_complaints()

    def test_text_stands_out_from_what_is_behind_it(self):
        for scheme in ("light", "dark"):
            self.open(scheme=scheme)
            for selector in ("body", "nav a", ".explanation", "thead th", ".interval", "td.best", "td.best .interval", ".absent",
                             ".verdict b", ".legend .learned", ".legend .chosen", ".legend .given", ".legend .baseline", "footer"):
                with self.subTest(scheme=scheme, selector=selector):
                    self.assertGreaterEqual(self.browser.evaluate(f"({CONTRAST})({selector!r})"), 4.5)

    def test_tables_are_complete_without_scripts(self):
        cells = "document.querySelectorAll('tbody td, tbody th').length"
        self.open()
        with_scripts = self.browser.evaluate(cells)
        self.browser.call("Emulation.setScriptExecutionDisabled", value=True)
        try:
            self.browser.open(self.url)
            self.assertEqual(self.browser.evaluate(cells), with_scripts)
            self.assertGreater(with_scripts, 100)
            self.assertIn("Charts need JavaScript", self.browser.evaluate("document.body.innerText"))
        finally:
            self.browser.call("Emulation.setScriptExecutionDisabled", value=False)

    def column(self, section, number):
        return self.browser.evaluate(f"[...document.querySelectorAll('#{section} tbody tr')].map(r => r.cells[{number}].innerText)")

    def test_a_heading_sorts_by_keyboard_and_what_is_not_there_stays_last(self):
        self.open()
        before = self.column("ranks", 0)
        self.browser.evaluate("document.querySelectorAll('#ranks thead button')[1].focus()")
        self.browser.press("Enter", 13, "\r")
        self.assertEqual(self.column("ranks", 1), ["5.50", "4.00", "3.88", "3.25", "2.75", "1.62", "-"])
        self.assertEqual(self.browser.evaluate("document.querySelectorAll('#ranks th')[1].ariaSort"), "descending")
        self.browser.press(" ", 32, " ")
        self.assertEqual(self.column("ranks", 1), ["1.62", "2.75", "3.25", "3.88", "4.00", "5.50", "-"])
        self.assertEqual(sorted(self.column("ranks", 0)), sorted(before))
        self.browser.evaluate("document.querySelectorAll('#ranks thead button')[0].focus()")
        self.browser.press("Enter", 13, "\r")
        self.assertEqual(self.column("ranks", 0), sorted(before))

    def test_the_table_of_arms_is_sorted_by_the_values_of_a_task(self):
        self.open()
        task = self.browser.evaluate("[...document.querySelectorAll('#arms thead th')].findIndex((th) => th.innerText.includes('known-10'))")
        self.assertGreater(task, 0)
        self.browser.evaluate(f"document.querySelectorAll('#arms thead th')[{task}].querySelector('button').click()")
        values = [float(re.match(r"[\d.]+", text).group()) for text in self.column("arms", task) if text[:1].isdigit()]
        self.assertGreater(len(set(values)), 3)
        self.assertEqual(values, sorted(values, reverse=True))

    def test_a_page_of_two_runs_says_first_that_one_failed(self):
        whole = Path(self.folder.name) / "page.html.two"
        two = whole.rename(whole.with_suffix(".html")) if whole.exists() else whole.with_suffix(".html")
        url, type(self).url = self.url, two.as_uri()
        try:
            for width in (1600, 360):
                self.open(width)
                self.assertLessEqual(self.browser.evaluate("document.documentElement.scrollWidth"), width)
                self.assertEqual(self.browser.evaluate("[...document.querySelectorAll('.verdicts b')].map((b) => b.innerText)"),
                                 ["VALID", "INVALID"])
                self.assertLess(self.browser.evaluate("document.querySelector('.verdicts').getBoundingClientRect().bottom"), 300)
                self.browser.evaluate("document.querySelectorAll('.verdicts a')[1].click()")
                self.assertLess(abs(self.browser.evaluate("document.querySelector('#run2-top').getBoundingClientRect().top")), 50)
                self.no_complaints()
        finally:
            type(self).url = url

    def test_the_tab_key_reaches_everything_that_can_be_used(self):
        self.open()
        self.browser.press("Tab", 9)
        self.assertEqual(self.browser.evaluate("document.activeElement.className"), "skip")
        reached = set()
        for _ in range(self.browser.evaluate("document.querySelectorAll('a, button, summary, [tabindex]').length") + 1):
            reached.add(self.browser.evaluate("document.activeElement.tagName + '.' + (document.activeElement.closest("
                                              "'nav, .scroll, .vega-embed, details') || {}).className"))
            self.browser.press("Tab", 9)
        for expected in ("A.", "BUTTON.scroll", "DIV.scroll", "SUMMARY."):
            self.assertTrue(any(each.startswith(expected) for each in reached), (expected, reached))

    def test_a_chart_can_be_saved_and_its_source_opened(self):
        self.open()
        link = "[...document.querySelectorAll('.vega-actions')][0].querySelectorAll('a')"
        self.assertEqual(self.browser.evaluate(f"[...{link}].map(a => a.textContent)"), ["Save as SVG", "Save as PNG", "View Source"])
        for number, kind in enumerate(("blob:", "data:image/png")):
            self.browser.evaluate(f"{link}[{number}].dispatchEvent(new MouseEvent('mousedown')), 0")
            self.browser.wait_for(f"{link}[{number}].href.startsWith({kind!r})")
        self.no_complaints()

    def test_a_chart_can_be_saved_by_keyboard(self):
        self.open()
        link = "[...document.querySelectorAll('.vega-actions')][0].querySelectorAll('a')"
        # What a click on the link would save: its address, and the picture behind an address of the page's own.
        self.browser.evaluate("addEventListener('click', (event) => { window.saved = event.target.href; event.preventDefault(); }, true), "
                              "window.address = URL.createObjectURL, "
                              "URL.createObjectURL = (blob) => (window.blob = blob, address.call(URL, blob)), 0")
        self.browser.evaluate("document.querySelector('.plot details').open = true")
        for number, address in enumerate(("blob:", "data:image/png;base64,")):
            self.browser.evaluate(f"window.saved = null, {link}[{number}].focus(), 0")
            self.browser.press("Enter", 13, "\r")
            self.browser.wait_for("window.saved !== null")
            self.assertEqual(self.browser.evaluate("window.saved")[:len(address)], address)
        self.assertGreater(len(self.browser.evaluate("window.saved")), 2000)
        self.assertTrue(self.browser.evaluate("window.blob.text()").startswith("<svg"))

    def test_a_charts_source_opens_and_holds_its_data(self):
        self.open()
        self.browser.evaluate("document.querySelector('.plot details').open = true")
        self.browser.evaluate("document.querySelector('.plot .vega-actions').querySelectorAll('a')[2].focus()")
        self.browser.press("Enter", 13, "\r")
        source = json.loads(self.browser.text_of_popup())
        self.assertIn("vega-lite", source["$schema"])
        self.assertGreater(len(source["data"]["values"]), 0)
        self.no_complaints()

    def test_it_prints_light_whatever_the_screen_is(self):
        self.open(scheme="dark")
        # The same of all charts: they are drawn one after the other.
        background = "[...new Set([...document.querySelectorAll('.plot svg.marks')].map((svg) => svg.style.backgroundColor))].join()"
        self.assertEqual(self.browser.evaluate(background), "rgb(20, 24, 29)")
        # The page is printed as soon as the event's handlers and what they wait for have run.
        self.assertEqual(self.browser.evaluate("(dispatchEvent(new Event('beforeprint')), new Promise((done) => "
                                               f"queueMicrotask(() => setTimeout(() => done({background})))))"), "rgb(255, 255, 255)")
        self.assertEqual(self.browser.evaluate("[...document.querySelectorAll('main details:not([open])')]"
                                               ".filter((element) => !element.closest('.plot')).length"), 0)
        drawn = self.browser.evaluate(DRAWN)
        self.browser.evaluate("dispatchEvent(new Event('afterprint'))")
        self.browser.wait_for(f"{DRAWN} > {drawn}")
        self.assertEqual(self.browser.evaluate(background), "rgb(20, 24, 29)")
        pdf = Path(self.folder.name) / "page.pdf"
        self.browser.pdf(pdf)
        self.assertGreater(pdf.read_bytes().count(b"/Type /Page\n"), 2)
        if SHOTS is not None:
            (SHOTS / "page.pdf").write_bytes(pdf.read_bytes())
        self.no_complaints()

    def test_tables_of_a_dozen_tasks_fit_the_printed_page(self):
        self.open()
        self.browser.evaluate("dispatchEvent(new Event('beforeprint'))")
        self.browser.look_printed(PRINTED_WIDTH)
        columns = self.browser.evaluate(WIDEN)
        self.assertGreaterEqual(columns, 13)
        wide = self.browser.evaluate("[...document.querySelectorAll('main table')].filter((table) => table.getBoundingClientRect().right >"
                                     f"{PRINTED_WIDTH}).map((table) => table.caption?.textContent || table.textContent.slice(0, 80))")
        self.assertEqual(wide, [])
        self.assertLessEqual(self.browser.evaluate("document.documentElement.scrollWidth"), PRINTED_WIDTH)


if __name__ == "__main__":
    unittest.main()
