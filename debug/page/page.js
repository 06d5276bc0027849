// The live page of /debug/. It asks for page.json again and again and shows it as a list, a tree, groups of equal
// stacks, leaks, or the difference to a marked moment.

const ASK_MS = 2000;     // between two questions; more where an answer takes long to work through
const LEAKS_MS = 10000;  // between two questions for leaks
const TABS = {list: 'Tasks', tree: 'Tree', stacks: 'Stacks', leaks: 'Leaks', diff: 'Diff'};
const KEYS = [['/', 'find'], ['↑↓', 'move'], ['Enter', 'open'], ['←→', 'fold'], ['1–5', 'views'], ['p', 'pause'], ['m', 'mark'], ['Esc', 'close']];

class Page {
  constructor() {
    document.documentElement.classList.add('live');
    document.getElementById('plain').remove();
    this.states = new Set();
    this.leaks = [];
    this.tab = location.hash.slice(1) in TABS ? location.hash.slice(1) : 'list';
    this.words = document.getElementById('match');
    // What the form asked for without the script is asked of the daemon; what is typed from here on is looked for in what came.
    this.query = location.search;
    this.words.value = '';
    this.build();
    this.ask();
  }

  build() {
    this.views = new Views(() => this.draw());
    this.timeline = new Timeline();
    this.details = new Details(() => ({snapshot: this.snapshot, base: this.base, leaks: this.leaks, stacks: () => this.stacks()}),
      () => { this.draw(); this.list.host.focus(); });
    const list = make('section', {id: 'list', tabIndex: 0, role: 'grid', 'aria-label': 'Tasks'});
    this.list = new List(list, (view, index) => this.open(view, index));
    this.foot = make('footer', {id: 'foot'});
    document.querySelector('header').after(this.buildBar());
    document.body.append(this.timeline.element, make('div', {id: 'work'}, list, this.details.element), this.foot);
    document.getElementById('filter').addEventListener('submit', (event) => { event.preventDefault(); list.focus(); });
    this.words.addEventListener('input', () => { clearTimeout(this.typing); this.typing = setTimeout(() => this.draw(), 120); });
    document.addEventListener('keydown', (event) => this.key(event));
    this.show(this.tab);
  }
  buildBar() {
    const tabs = Object.entries(TABS).map(([id, title], i) =>
      make('button', {type: 'button', id: `tab-${id}`, role: 'tab', textContent: title, title: `key ${i + 1}`, onclick: () => this.show(id)}));
    this.pauseButton = make('button', {type: 'button', id: 'pause', textContent: 'Pause', title: 'key p', onclick: () => this.pause()});
    const mark = make('button', {type: 'button', id: 'mark', textContent: 'Mark', title: 'key m: compare with this moment', onclick: () => this.mark()});
    this.stateButtons = make('div', {id: 'states', role: 'group', 'aria-label': 'States'});
    return make('div', {id: 'bar'}, make('div', {id: 'tabs', role: 'tablist', 'aria-label': 'Views'}, ...tabs),
      make('div', {}, this.pauseButton, mark), this.stateButtons);
  }

  key(event) {
    if (event.key === 'Escape') {
      if (this.details.isOpen) this.details.close(); else { this.words.value = ''; this.draw(); this.list.host.focus(); }
      return;
    }
    if (event.target.tagName === 'INPUT' || event.ctrlKey || event.altKey || event.metaKey) return;
    const tabs = Object.keys(TABS);
    if (event.key === '/') { this.words.focus(); this.words.select(); }
    else if (event.key === 'p') this.pause();
    else if (event.key === 'm') this.mark();
    else if (event.key >= '1' && event.key <= String(tabs.length)) this.show(tabs[event.key - 1]);
    else return;
    event.preventDefault();
  }

  show(tab) {
    this.tab = tab;
    history.replaceState(null, '', `#${tab}`);
    for (const id of Object.keys(TABS)) document.getElementById(`tab-${id}`).setAttribute('aria-selected', id === tab);
    this.draw();
  }
  pause() {
    this.paused = !this.paused;
    this.pauseButton.setAttribute('aria-pressed', Boolean(this.paused));
    this.pauseButton.textContent = this.paused ? 'Go on' : 'Pause';
    if (!this.paused) this.ask();
    this.drawFoot();
  }
  mark() {
    this.base = this.snapshot;
    this.show('diff');
  }
  open(view, index) {
    const id = view.stack ? undefined : view.task(index);
    if (!view.stack && id === undefined) return;
    this.details.open(view.stack ? {stack: view.key(index)} : {task: id});
    this.draw();
  }

  async ask() {
    clearTimeout(this.timer);
    const turn = this.turn = (this.turn || 0) + 1;
    let worked = 0;
    try {
      const tasks = await fetch('page.json' + this.query);
      if (!tasks.ok) throw new Error(await tasks.text());
      const text = await tasks.text();
      // A verdict takes the daemon two looks at every task: it is asked for less often, unless somebody waits for it.
      const due = this.tab === 'leaks' || !(performance.now() - this.judgedAt < LEAKS_MS);
      const leaks = due ? await fetch('leaks?format=json') : null;
      const verdicts = leaks === null ? this.leaks : leaks.ok ? (await leaks.json()).verdicts : null;
      if (due) this.judgedAt = performance.now();
      if (this.paused || turn !== this.turn) return;
      const started = performance.now();
      this.renew(new Snapshot(JSON.parse(text)), verdicts);
      worked = performance.now() - started;
    } catch (error) {
      this.failure = `no answer: ${error.message.trim()}`;
      this.drawFoot();
    }
    if (!this.paused && turn === this.turn) this.timer = setTimeout(() => this.ask(), Math.max(ASK_MS, 12 * worked));
  }
  renew(snapshot, verdicts) {
    this.snapshot = snapshot;
    this.leaks = verdicts;
    this.timeline.add(snapshot.time_ms, snapshot.counts);
    this.failure = '';
    this.draw();
    this.details.refresh();
    this.drawStates();
    this.timeline.draw();
  }

  filtered(snapshot) { return snapshot.select(this.words.value.toLowerCase().split(/\s+/).filter(Boolean), this.states); }
  stacks() { return this.views.stacks(this.snapshot, this.filtered(this.snapshot)); }

  draw() {
    const {snapshot: s, base, leaks, views} = this;
    if (!s) return;
    const rows = this.filtered(s);
    this.shown = rows.length;
    views.narrow = this.details.isOpen;
    const makers = {list: () => views.list(s, rows), tree: () => views.tree(s, rows), stacks: () => views.stacks(s, rows),
      leaks: () => views.leaks(leaks || []), diff: () => views.diff(s, rows, base, base && this.filtered(base))};
    const view = makers[this.tab]();
    this.note = view.note || '';
    if (this.tab === 'diff' && !base) this.note = 'press m or Mark: what comes and goes from then on is shown here';
    if (this.tab === 'leaks') this.note = leaks === null ? 'no verdicts from this process' : leaks.length === 0 ? 'no task is convicted' : '';
    this.list.show(view);
    this.drawFoot();
  }

  drawStates() {
    const counts = Object.entries(this.snapshot.counts).sort((a, b) => b[1] - a[1]);
    for (const state of this.states) if (!(state in this.snapshot.counts)) counts.push([state, 0]);
    const known = new Map([...this.stateButtons.children].map((button) => [button.dataset.state, button]));
    const buttons = counts.map(([state, count]) => {
      const button = known.get(state) || this.stateButton(state);
      button.textContent = `${state} ${number(count)}`;
      return button;
    });
    // Moving a button would take its focus away.
    if (buttons.some((button, i) => this.stateButtons.children[i] !== button) && !this.stateButtons.contains(document.activeElement)) this.stateButtons.replaceChildren(...buttons);
    else for (const button of buttons) if (!button.isConnected) this.stateButtons.append(button);
    const leaks = document.getElementById('tab-leaks');
    leaks.replaceChildren('Leaks ', ...(this.leaks?.length ? [make('b', {textContent: number(this.leaks.length)})] : []));
  }
  stateButton(state) {
    const button = make('button', {type: 'button', onclick: () => {
      if (!this.states.delete(state)) this.states.add(state);
      button.setAttribute('aria-pressed', this.states.has(state));
      this.draw();
    }});
    button.dataset.state = state;
    button.setAttribute('aria-pressed', false);
    dot(button, state);
    return button;
  }

  drawFoot() {
    const s = this.snapshot;
    const parts = [];
    const part = (text, className = '') => { if (text) parts.push(make('span', {textContent: text, className})); };
    if (s) {
      part(`${s.process} (${s.pid}) at ${clock(s.time_ms)}${this.paused ? ', paused' : ''}`);
      part(this.tab === 'leaks' ? '' : `${number(this.shown)} of ${number(s.total)} tasks`);
      if (s.size < s.total) part(`the first ${number(s.size)} are listed: narrow them with ?match= in the address`, 'bad');
      if (!s.complete) part(`no answer from ${s.silent}`, 'bad');
    }
    part(this.note);
    part(this.failure, 'bad');
    const keys = make('span', {className: 'keys'});
    for (const [key, what] of KEYS) {
      if (key === '←→' && this.tab !== 'tree') continue;
      keys.append(make('kbd', {textContent: key}), ` ${what}  `);
    }
    this.foot.replaceChildren(...parts, keys);
  }
}

new Page();
