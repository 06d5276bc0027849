"""The page at /debug/ in a headless Chromium: what a person sees, does with the keyboard, and has without a script."""

import json
import os
import re
import subprocess

import pytest

import containers
import followers
from browser import Browser
from daemon import QUOLLD
from http_client import HttpClient
from waiting import eventually

FOLLOWERS = 12
ROWS = "[...document.querySelectorAll('#list tbody tr[data-index]')]"
MANY = 100_000


@pytest.fixture(scope="module")
def chromium():
    browser = Browser()
    yield browser
    browser.close()


@pytest.fixture
def browser(chromium):
    chromium.scripts(True)
    chromium.dark(False)
    yield chromium
    complaints = list(chromium.complaints)
    chromium.call("Page.navigate", url="about:blank")
    assert complaints == []


@pytest.fixture
def followed(daemon):
    container = containers.run(daemon, containers.SILENT, name="followed")
    with followers.Crowd(daemon.tcp.address, f"/containers/{container}/logs?stdout=1&follow=1", FOLLOWERS):
        eventually(lambda: daemon.dump().count("quoll::api::logs_container(") == FOLLOWERS, what="the followers that wait")
        yield daemon


@pytest.fixture
def page(browser, followed):
    browser.open(followed.url("/debug/"))
    browser.wait_for(f"{ROWS}.length > {FOLLOWERS}")
    return browser


def rows(browser):
    """The visible rows as lists of their cells' texts."""
    return browser.run(f"{ROWS}.map(row => [...row.children].map(cell => cell.textContent))")


def rows_with(browser, text):
    return [row for row in rows(browser) if any(text in cell for cell in row)]


def focus_list(browser):
    browser.run("document.getElementById('list').focus()")


def find(browser, text):
    browser.key("/")
    browser.run("document.getElementById('match').value = ''")
    browser.type(text)
    browser.key("Enter")


def test_it_lists_the_tasks_that_the_daemon_has(page, followed):
    find(page, "logs_container")
    page.wait_for(f"{ROWS}.length === {FOLLOWERS}")
    for row in rows(page):
        assert row[1] == "chan receive" and re.fullmatch(r"[\d.]+ m?s", row[2]) and row[3] == "http.connection"
        assert row[4] == "quoll::mgr::LogFollower::wait_for_growth" and row[5] == "GET /containers/{id}/logs"
    assert followed.http.get("/debug/").expect(200).headers["content-security-policy"].startswith("default-src 'none'")


def test_it_follows_what_happens(page, followed):
    find(page, "logs_container")
    with followers.Crowd(followed.tcp.address, "/containers/followed/logs?stdout=1&follow=1", 3):
        page.wait_for(f"{ROWS}.length === {FOLLOWERS + 3}")
    page.wait_for(f"{ROWS}.length === {FOLLOWERS}")
    page.key("Escape")
    page.wait_for(f"{ROWS}.length > {FOLLOWERS}")


def test_the_stack_of_a_task_is_a_key_away(page):
    find(page, "logs_container")
    page.wait_for(f"{ROWS}.length === {FOLLOWERS}")
    assert page.run("document.activeElement.id") == "list"
    page.key("ArrowDown")
    page.key("ArrowDown")
    assert page.run("document.querySelector('[aria-selected=true][data-index]').dataset.index") == "1"
    page.key("Enter")
    page.wait_for("!document.getElementById('details').hidden")
    frames = page.run("[...document.querySelectorAll('#details li')].map(item => item.firstChild.textContent)")
    assert frames.index("quoll::mgr::LogFollower::wait_for_growth") < frames.index("quoll::api::logs_container")
    details = "document.getElementById('details').textContent"
    assert "http/session.cpp:" in page.run(details)
    page.wait_for(f"{details}.includes('waits forchannel: senders ')")
    page.key("Escape")
    assert page.run("document.getElementById('details').hidden") and page.run("document.activeElement.id") == "list"


def test_every_control_is_reached_by_tab_and_shows_its_focus(page):
    page.run("document.activeElement.blur()")
    seen = []
    for _ in range(40):
        page.key("Tab")
        seen.append(page.run("document.activeElement.id || document.activeElement.dataset.state || document.activeElement.textContent"))
        assert page.run("document.activeElement === document.body || getComputedStyle(document.activeElement).outlineStyle === 'solid'"), seen
    for control in ["match", "tab-list", "tab-diff", "pause", "mark", "chan receive", "list"]:
        assert control in seen, seen


def test_states_filter_and_columns_sort(page):
    page.run("[...document.querySelectorAll('#states button')].find(b => b.dataset.state === 'chan receive').click()")
    page.wait_for(f"{ROWS}.every(row => row.children[1].textContent === 'chan receive') && {ROWS}.length >= {FOLLOWERS}")
    page.run("[...document.querySelectorAll('#list thead button')].find(b => b.textContent.startsWith('ID')).click()")
    ids = [int(row[0]) for row in rows(page)]
    assert ids == sorted(ids)
    page.run("[...document.querySelectorAll('#list thead button')].find(b => b.textContent.startsWith('ID')).click()")
    assert [int(row[0]) for row in rows(page)] == sorted(ids, reverse=True)


def test_the_tree_puts_tasks_below_the_ones_that_spawned_them(page):
    page.key("2")
    page.wait_for("document.getElementById('tab-tree').getAttribute('aria-selected') === 'true'")
    find(page, "logs_container")
    page.wait_for(f"{ROWS}.filter(row => row.textContent.includes('/logs')).length === {FOLLOWERS}")
    shown = rows(page)
    assert shown[0][3] == "▾ daemon" and shown[1][3] == "▾ http.accept"
    focus_list(page)
    page.key("Home")
    page.key("ArrowLeft")
    page.wait_for(f"{ROWS}.length === 1")
    page.key("ArrowRight")
    page.wait_for(f"{ROWS}.length > {FOLLOWERS}")


def test_equal_stacks_are_counted(page):
    page.key("3")
    page.wait_for("document.getElementById('tab-stacks').getAttribute('aria-selected') === 'true'")
    [row] = rows_with(page, "LogFollower::wait_for_growth ←")
    assert row[0] == str(FOLLOWERS) and row[2] == f"{FOLLOWERS} chan receive"


def test_no_task_of_the_daemon_is_convicted(page):
    page.key("4")
    page.wait_for("document.getElementById('foot').textContent.includes('no task is convicted')")
    assert rows(page) == []


def test_a_marked_moment_is_compared_with_now(page, followed):
    page.key("m")
    find(page, "logs_container")
    with followers.Crowd(followed.tcp.address, "/containers/followed/logs?stdout=1&follow=1", 2):
        page.wait_for(f"{ROWS}.filter(row => row.className === 'new').length === 2")
        page.wait_for("document.getElementById('foot').textContent.includes('2 new, 0 gone')")
        page.key("m")
    page.wait_for(f"{ROWS}.filter(row => row.className === 'gone').length === 2")
    assert len(rows_with(page, "same state")) == FOLLOWERS


def test_a_pause_holds_the_picture(page, followed):
    find(page, "logs_container")
    page.wait_for(f"{ROWS}.length === {FOLLOWERS}")
    page.key("p")
    assert page.run("document.getElementById('pause').getAttribute('aria-pressed')") == "true"
    with followers.Crowd(followed.tcp.address, "/containers/followed/logs?stdout=1&follow=1", 3):
        eventually(lambda: followed.dump().count("quoll::api::logs_container(") == FOLLOWERS + 3)
        page.run("new Promise(done => setTimeout(done, 2500))")
        assert len(rows(page)) == FOLLOWERS
        page.key("p")
        page.wait_for(f"{ROWS}.length === {FOLLOWERS + 3}")


def test_the_timeline_is_drawn_and_read_out(page):
    page.wait_for("document.getElementById('timeline').getAttribute('aria-label')?.startsWith('Tasks by state over')")
    assert page.run("""(() => { const canvas = document.getElementById('timeline');
        return canvas.getContext('2d').getImageData(canvas.width - 2, canvas.height - 2, 1, 1).data[3]; })()""") > 0


def test_it_is_dark_where_the_person_wants_it_dark(page):
    def lightness():
        return page.run("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).reduce((a, b) => a + Number(b), 0)")
    assert lightness() > 600
    page.dark(True)
    assert lightness() < 150


def test_without_a_script_it_is_a_plain_table_with_a_form(browser, followed):
    browser.scripts(False)
    browser.open(followed.url("/debug/?match=logs_container"))
    # The protocol's own evaluation works all the same.
    assert browser.run("document.querySelectorAll('#plain tbody tr').length") == FOLLOWERS
    assert browser.run("document.querySelector('#plain tbody details pre').textContent.includes('quoll::api::logs_container(...)')")
    assert browser.run("document.getElementById('match').value") == "logs_container"
    assert browser.run("getComputedStyle(document.getElementById('ask')).display") != "none"


def test_what_a_client_says_is_text_and_nothing_else(browser, followed):
    page = followed.http.get("/debug/?match=%22%3E%3Cscript%3Ebad%3C/script%3E").expect(200).text
    assert "<script>bad" not in page and 'value="&quot;&gt;&lt;script&gt;bad&lt;/script&gt;"' in page
    followed.http.get("/debug/?match=(").expect(400)


@pytest.fixture
def many():
    """A program with a hundred thousand blocked tasks."""
    program = subprocess.Popen([os.path.join(os.path.dirname(QUOLLD), "dump_target"), str(MANY), "0"],
                               stdout=subprocess.PIPE, text=True)
    line = program.stdout.readline()
    yield int(line.split()[1])
    program.terminate()
    program.wait(timeout=20)
    program.stdout.close()


def test_a_hundred_thousand_tasks_do_not_freeze_it(browser, many):
    browser.open(f"http://127.0.0.1:{many}/debug/")
    browser.wait_for(f"document.getElementById('list').getAttribute('aria-rowcount') > {MANY}")
    # A frame's time tells how long the page stood still; the machine itself may be busy, so that the bound is wide.
    browser.run("""window.longest = 0; (function tick(last) { requestAnimationFrame((now) => {
        window.longest = Math.max(window.longest, now - last); tick(now); }); })(performance.now())""")
    focus_list(browser)
    for key in ["End", "PageDown", "Home", "ArrowDown", "2", "3", "5", "1"]:
        browser.key(key)
        browser.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    browser.run("new Promise(done => setTimeout(done, 2500))")
    assert len(rows(browser)) < 100
    focus_list(browser)
    browser.key("End")
    last = browser.run(f"Math.max(...{ROWS}.map(row => Number(row.dataset.index)))")
    assert last == int(browser.run("document.getElementById('list').getAttribute('aria-rowcount')")) - 1
    find(browser, "read_message")
    browser.wait_for("document.getElementById('foot').textContent.includes('100,000 of')")
    assert browser.run("longest") < 2000
    assert json.loads(HttpClient(("127.0.0.1", many)).get("/debug/page.json?state=chan+receive").expect(200).body)["total"] == MANY
