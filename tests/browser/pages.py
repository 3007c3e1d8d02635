"""pages.py CHROMIUM PAGE...: opens each page at 400 and 1400 pixels, light and dark, and looks at what a reader would miss."""
import sys
sys.path.insert(0, sys.path[0])
from devtools import Browser

# What is drawn, as the reader has it: each figure with the drawing that is shown in it.
FIGURES = """[...document.querySelectorAll('figure')].map(figure => {
    const shown = [...figure.querySelectorAll('div > svg')].filter(svg => svg.getClientRects().length);
    const box = shown.length ? shown[0].getBoundingClientRect() : {width: 0, height: 0};
    const marks = shown.length ? [...shown[0].querySelectorAll('path, polygon, use')].filter(mark => {
        const size = mark.getBoundingClientRect(); return size.width + size.height > 2; }).length : 0;
    const outside = shown.length ? [...shown[0].querySelectorAll('text')].filter(text => {
        const at = text.getBoundingClientRect();
        return at.left < box.left - 2 || at.right > box.right + 2 || at.top < box.top - 2 || at.bottom > box.bottom + 2; })
        .map(text => text.textContent) : [];
    const letters = shown.length ? [...shown[0].querySelectorAll('text')].map(text => parseFloat(
        getComputedStyle(text).fontSize) * text.getScreenCTM().a || 99) : [];
    return {id: figure.id, drawings: shown.length, width: box.width, height: box.height, marks, outside,
            least: Math.min(...letters.filter(size => size > 0)), label: shown.length && shown[0].getAttribute('aria-label'),
            legend: figure.querySelectorAll('.legend li').length, data: figure.querySelector('figcaption a').href};
})"""

# Labels of one axis that touch each other: texts on one line whose boxes overlap.
OVERLAPS = """[...document.querySelectorAll('figure div > svg')].filter(svg => svg.getClientRects().length).flatMap(svg => {
    const texts = [...svg.querySelectorAll('text')].map(text => [text.textContent, text.getBoundingClientRect()]);
    return texts.flatMap(([name, a], i) => texts.slice(i + 1).filter(([other, b]) =>
        a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 3 && b.top < a.bottom - 3)
        .map(([other]) => svg.closest('figure').id + ': ' + name + ' | ' + other));
})"""

# Colours as they are computed: nothing may be left black on dark, or without the page's variables.
INKS = """[...new Set([...document.querySelectorAll('figure div > svg :is(path, polygon, text, use)')].flatMap(
    mark => { const style = getComputedStyle(mark); return [style.stroke, style.fill]; }))]"""

CONTRAST = """(() => {
    const light = text => { const [r, g, b] = text.match(/[\\d.]+/g).slice(0, 3).map(v => { v /= 255;
        return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    const paper = light(getComputedStyle(document.body).backgroundColor);
    return [...document.querySelectorAll('h1, h2, h3, h4, p, td, th, dd, dt, figcaption, a, .unit, .verdict b, summary')].map(e => {
        const ink = light(getComputedStyle(e).color);
        return [(Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05), e.tagName + ' ' + e.textContent.slice(0, 30)];
    }).reduce((a, b) => a[0] < b[0] ? a : b);
})()"""


class Counts:
    passed = failed = 0

    def check(self, holds, what, found=""):
        if holds:
            self.passed += 1
        else:
            self.failed += 1
            print(f"   FAILED {what}: {found}")


def look(browser, page, width, theme, counts):
    where = f"{page.rsplit('/', 1)[-1]} at {width} px, {theme}"
    browser.open(page, width, theme)
    counts.check(not browser.console, where + ": console", browser.console)
    foreign = [url for url in browser.requests if not url.startswith("file://" + page) and not url.startswith("data:")]
    counts.check(not foreign, where + ": asks for nothing else", foreign)
    counts.check(browser.ask("document.scripts.length") == 0, where + ": no scripts")
    wide = browser.ask("document.documentElement.scrollWidth")
    counts.check(wide <= width, where + ": no overflow", f"{wide} px")
    figures = browser.ask(FIGURES)
    counts.check(len(figures) >= 6, where + ": figures", len(figures))
    for figure in figures:
        what = f"{where}: {figure['id']}"
        counts.check(figure["drawings"] == 1 and figure["width"] > 250 and figure["height"] > 60, what + " is there", figure)
        counts.check(figure["marks"] >= 4, what + " has marks", figure["marks"])
        counts.check(not figure["outside"], what + " cuts no text", figure["outside"])
        counts.check(figure["least"] >= 9.5, what + " is readable", figure["least"])
        counts.check(figure["label"] and figure["legend"] >= 1, what + " is told", figure["label"])
        counts.check(figure["data"].startswith("data:text/csv"), what + " has its data")
    counts.check(not browser.ask(OVERLAPS), where + ": no labels over each other", browser.ask(OVERLAPS))
    inks, dark = browser.ask(INKS), theme == "dark"
    counts.check(not dark or "rgb(0, 0, 0)" not in inks, where + ": no black on dark", inks)
    paper = browser.ask("getComputedStyle(document.body).backgroundColor")
    counts.check(paper == ("rgb(20, 24, 29)" if dark else "rgb(255, 255, 255)"), where + ": paper", paper)
    least, whose = browser.ask(CONTRAST)
    counts.check(least >= 4.5, where + ": contrast of text", f"{least} {whose}")
    ids = browser.ask("[...document.querySelectorAll('[id]')].map(e => e.id)")
    counts.check(len(ids) == len(set(ids)), where + ": names are unique", [i for i in ids if ids.count(i) > 1])
    dead = browser.ask("[...document.querySelectorAll('nav a')].filter(a => !document.getElementById(a.hash.slice(1))).length")
    counts.check(dead == 0, where + ": links lead somewhere", dead)
    return inks


def main(program, pages):
    counts = Counts()
    with Browser(program) as browser:
        for page in pages:
            for width in (400, 1400):
                inks = {theme: look(browser, page, width, theme, counts) for theme in ("light", "dark")}
                counts.check(set(inks["light"]) != set(inks["dark"]), page + ": drawings follow the theme")
    print(f"browser: {counts.passed} passed, {counts.failed} failed")
    return counts.failed != 0 or counts.passed == 0


sys.exit(main(sys.argv[1], sys.argv[2:]))
