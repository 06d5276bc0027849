// The live page of /debug/. It asks for page.json again and again and shows it as a list, a tree, groups of equal
// stacks, leaks, or the difference to a marked moment. Only the rows in sight are in the document, so that a hundred
// thousand tasks scroll like twenty.
'use strict';

const ROW = 24;             // the height of a row, as page.css has it
const ASK_MS = 2000;        // between two questions; more where an answer takes long to work through
const LEAKS_MS = 10000;     // between two questions for leaks
const HISTORY_MAX = 300;    // samples in the timeline
const STATES = {            // the colour of each state, by its name in page.css
  'running': 'running', 'runnable': 'runnable', 'idle': 'idle', 'IO wait': 'io', 'sleep': 'sleep',
  'chan receive': 'receive', 'chan send': 'send', 'select': 'select', 'select (no cases)': 'select',
  'sync.Mutex.Lock': 'lock', 'semacquire': 'wait', 'sync.Cond.Wait': 'wait', 'sync.WaitGroup.Wait': 'group',
  'syscall': 'call',
};

function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value; else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function duration(ms) {
  if (ms < 1000) return `${ms} ms`;
  const s = Math.floor(ms / 1000);
  if (s < 60) return `${(ms / 1000).toFixed(1)} s`;
  if (s < 3600) return s % 60 ? `${Math.floor(s / 60)} m ${s % 60} s` : `${s / 60} m`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor(s % 3600 / 60)} m`;
  return `${Math.floor(s / 86400)} d ${Math.floor(s % 86400 / 3600)} h`;
}

const clock = (ms) => new Date(ms).toLocaleTimeString([], {hour12: false});
const number = (n) => n.toLocaleString('en');

function dot(element, state) {
  element.classList.add('dot');
  element.style.setProperty('--state', `var(--${STATES[state] || 'idle'})`);
}

// -- what the daemon has said --

// One answer. Tasks are rows of columns; `row` is an index into all of them.
class Snapshot {
  constructor(answer) {
    Object.assign(this, answer);
    this.size = this.tasks.id.length;
    this.ended = new Map(this.ended.map(([id, parent, name]) => [id, {parent, name}]));
    this.functions = this.stacks.map((stack) => this.place(stack.find((p) => !this.place(p).startsWith('quoll::task::')) ?? stack[0]));
  }
  place(index) { return index === undefined ? '' : this.places[index][0]; }
  state(row) { return this.states[this.tasks.state[row]]; }
  name(row) { return this.names[this.tasks.name[row]]; }
  function(row) { return this.functions[this.tasks.stack[row]]; }
  request(row) { const index = this.tasks.request[row]; return index < 0 ? null : this.requests[index]; }
  active(row) { const state = this.state(row); return state === 'running' || state === 'runnable'; }
  rowOf(id) {
    if (!this.byId) this.byId = new Map(this.tasks.id.map((value, row) => [value, row]));
    return this.byId.get(id);
  }

  // The rows that the words and the states let through. Words are looked up once in each name, stack and request.
  select(words, states) {
    const has = (...texts) => { const all = texts.join('\n').toLowerCase(); return words.every((word) => all.includes(word)); };
    const chosen = this.states.map((state) => states.size === 0 || states.has(state));
    const rows = [];
    if (words.length === 0) {
      for (let row = 0; row < this.size; ++row) if (chosen[this.tasks.state[row]]) rows.push(row);
      return rows;
    }
    const known = new Map();
    for (let row = 0; row < this.size; ++row) {
      const t = this.tasks;
      if (!chosen[t.state[row]]) continue;
      const key = (t.stack[row] * 4096 + t.name[row]) * 1048576 + t.request[row] + 1;
      let found = known.get(key);
      if (found === undefined) {
        const request = this.request(row);
        found = has(this.name(row), ...this.stacks[t.stack[row]].map((p) => this.place(p) + ' ' + this.places[p][1]),
          ...(request ? Object.values(request) : []), this.state(row));
        known.set(key, found);
      }
      if (found || (words.length === 1 && String(t.id[row]) === words[0])) rows.push(row);
    }
    return rows;
  }
}

// -- the list, of which only what is in sight exists --

class List {
  constructor(host, open) {
    this.host = host;
    this.open = open;
    this.head = make('tr', {role: 'row'});
    this.above = make('tr', {className: 'pad'}, make('td'));
    this.below = make('tr', {className: 'pad'}, make('td'));
    this.body = make('tbody', {}, this.above, this.below);
    host.append(make('table', {role: 'presentation'}, make('thead', {}, this.head), this.body));
    this.rows = [];
    this.view = {columns: [], count: 0};
    host.addEventListener('scroll', () => this.draw(), {passive: true});
    new ResizeObserver(() => this.draw()).observe(host);
    host.addEventListener('keydown', (event) => this.key(event));
    this.body.addEventListener('click', (event) => {
      const row = event.target.closest('tr[data-index]');
      if (row) { this.choose(Number(row.dataset.index)); this.open(this.view, this.index); }
    });
  }

  // view: columns [{title, width, number, sort}], count, key(i), cells(i, row element), and what open() wants.
  show(view) {
    const other = view.name !== this.view.name;
    const key = !other && this.index >= 0 && this.index < this.view.count ? this.view.key(this.index) : null;
    if (other) { this.host.scrollTop = 0; this.index = -1; }
    this.view = view;
    this.drawHead();
    if (key !== null) this.index = view.indexOf ? view.indexOf(key) : -1;
    this.host.setAttribute('aria-rowcount', view.count);
    this.draw();
  }
  drawHead() {
    this.head.replaceChildren(...this.view.columns.map((column) => {
      const cell = make('th', {className: column.number ? 'number' : '', scope: 'col', role: 'columnheader'});
      if (column.width) cell.style.width = column.width;
      if (!column.sort) { cell.textContent = column.title; cell.style.padding = '4px 8px'; return cell; }
      const up = column.sorted === 1;
      const button = make('button', {type: 'button', textContent: column.title + (column.sorted ? (up ? ' ▲' : ' ▼') : ''), onclick: column.sort});
      if (column.number) button.style.textAlign = 'right';
      if (column.sorted) cell.setAttribute('aria-sort', up ? 'ascending' : 'descending');
      cell.append(button);
      return cell;
    }));
  }
  draw() {
    const {view} = this;
    const first = Math.max(0, Math.min(Math.floor(this.host.scrollTop / ROW) - 8, view.count));
    const last = Math.min(view.count, first + Math.ceil(this.host.clientHeight / ROW) + 18);
    while (this.rows.length < last - first) {
      const row = make('tr', {role: 'row'});
      this.rows.push(row);
    }
    this.body.replaceChildren(this.above, ...this.rows.slice(0, last - first), this.below);
    this.above.style.height = `${first * ROW}px`;
    this.below.style.height = `${(view.count - last) * ROW}px`;
    for (let i = first; i < last; ++i) this.drawRow(this.rows[i - first], i);
  }
  drawRow(row, index) {
    const {columns} = this.view;
    while (row.children.length < columns.length) row.append(make('td', {role: 'gridcell'}));
    while (row.children.length > columns.length) row.lastChild.remove();
    row.dataset.index = index;
    row.id = `row-${index}`;
    row.className = '';
    row.setAttribute('aria-rowindex', index + 1);
    row.setAttribute('aria-selected', index === this.index);
    const cells = this.view.cells(index, row);
    columns.forEach((column, i) => {
      const cell = row.children[i];
      const text = String(cells[column.id] ?? '');
      cell.className = (column.number ? 'number ' : '') + (column.code ? 'code' : '');
      cell.style.paddingLeft = column.id === cells.indented ? `${8 + cells.indent}px` : '';
      if (cell.textContent !== text) { cell.textContent = text; cell.title = text; }
      if (column.state && text) dot(cell, cells.dot);
    });
  }
  choose(index) {
    this.index = Math.max(0, Math.min(index, this.view.count - 1));
    const top = this.index * ROW;
    const room = this.host.clientHeight - 2 * ROW;
    if (top < this.host.scrollTop) this.host.scrollTop = top;
    if (top > this.host.scrollTop + room) this.host.scrollTop = top - room;
    this.host.setAttribute('aria-activedescendant', `row-${this.index}`);
    this.draw();
  }
  key(event) {
    if (event.target !== this.host || event.ctrlKey || event.altKey || event.metaKey) return;
    const page = Math.max(1, Math.floor(this.host.clientHeight / ROW) - 2);
    const moves = {ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity};
    if (event.key in moves) this.choose((this.index < 0 ? (moves[event.key] > 0 ? -1 : 0) : this.index) + moves[event.key]);
    else if (event.key === 'Enter' || event.key === ' ') { if (this.index >= 0) this.open(this.view, this.index); }
    else if (this.view.fold && (event.key === 'ArrowLeft' || event.key === 'ArrowRight')) this.view.fold(this.index, event.key === 'ArrowLeft');
    else return;
    event.preventDefault();
  }
}

// -- the views --

const sorting = {column: 'wait', direction: -1};
const folded = new Set();

function taskColumns(sortable) {
  const column = (id, title, width, more = {}) => ({
    id, title, width, ...more, sorted: sortable && sorting.column === id ? sorting.direction : 0,
    sort: sortable && (() => {
      sorting.direction = sorting.column === id ? -sorting.direction : (more.number && id !== 'id' ? -1 : 1);
      sorting.column = id;
      page.draw();
    }),
  });
  const columns = [column('id', 'ID', '80px', {number: true}), column('state', 'State', '136px', {state: true}),
    column('wait', 'In state', '88px', {number: true}), column('name', 'Name', sortable ? '17%' : '24%'),
    column('function', 'Function', '', {code: true}), column('request', 'Request', '22%'),
    column('container', 'Container', '10%'), column('age', 'Age', '88px', {number: true})];
  // Beside the details there is room for what they do not say.
  return page.details.hidden ? columns : columns.slice(0, 5);
}

function taskCells(s, row) {
  const request = s.request(row);
  const cancel = s.tasks.cancel[row];
  return {id: s.tasks.id[row], dot: s.state(row), state: s.state(row) + (cancel < 0 ? '' : `, ${s.cancels[cancel]}`), wait: s.active(row) ? '' : duration(s.tasks.wait_ms[row]), name: s.name(row),
    function: s.function(row), request: request ? `${request.method} ${request.route || request.path}` : '',
    container: request ? request.container : '', age: duration(s.tasks.age_ms[row])};
}

function sortRows(s, rows) {
  const t = s.tasks;
  const direction = sorting.direction;
  const text = {state: (row) => s.state(row), name: (row) => s.name(row), function: (row) => s.function(row),
    request: (row) => { const r = s.request(row); return r ? `${r.method} ${r.route || r.path}` : ''; },
    container: (row) => s.request(row)?.container || ''}[sorting.column];
  const values = {id: t.id, wait: t.wait_ms, age: t.age_ms}[sorting.column];
  if (values) return rows.sort((a, b) => direction * (values[a] - values[b]) || t.id[a] - t.id[b]);
  // Equal texts are gathered first: there are few of them, however many tasks there are.
  const groups = new Map();
  for (const row of rows) { const key = text(row); const group = groups.get(key); if (group) group.push(row); else groups.set(key, [row]); }
  return [...groups.keys()].sort((a, b) => direction * (a < b ? -1 : a > b ? 1 : 0)).flatMap((key) => groups.get(key));
}

function listView(s, rows) {

  const sorted = sortRows(s, rows);
  return {name: 'list', columns: taskColumns(true), count: sorted.length, key: (i) => s.tasks.id[sorted[i]],
    indexOf: (id) => sorted.indexOf(s.rowOf(id)), cells: (i) => taskCells(s, sorted[i]), task: (i) => s.tasks.id[sorted[i]]};
}

function treeView(s, rows) {
  const t = s.tasks;
  const children = new Map();
  const put = (parent, child) => { const list = children.get(parent); if (list) list.push(child); else children.set(parent, [child]); };
  // Above a task stand its ancestors: those that have ended, and those that the filter has left out.
  const rowOf = new Map(rows.map((row) => [t.id[row], row]));
  const placed = new Set();
  const place = (id) => {
    for (let parent; !placed.has(id); id = parent) {
      placed.add(id);
      const row = rowOf.get(id) ?? s.rowOf(id);
      parent = row !== undefined ? t.parent[row] : s.ended.get(id)?.parent ?? 0;
      put(parent, id);
      if (parent === 0) return;
    }
  };
  for (const id of rowOf.keys()) place(id);
  const lines = [];  // {id, row, depth, parent}; no row: the task has ended
  const open = (children.get(0) || []).sort((a, b) => b - a).map((id) => [id, 0]);
  while (open.length > 0) {
    const [id, depth] = open.pop();
    const below = children.get(id);
    lines.push({id, row: rowOf.get(id) ?? s.rowOf(id), depth, parent: Boolean(below)});
    if (below && !folded.has(id)) open.push(...below.sort((a, b) => b - a).map((child) => [child, depth + 1]));
  }
  return {name: 'tree', columns: taskColumns(false), count: lines.length, key: (i) => lines[i].id, indexOf: (id) => lines.findIndex((line) => line.id === id),
    cells: (i, element) => {
      const line = lines[i];
      element.setAttribute('aria-level', line.depth + 1);
      if (line.parent) element.setAttribute('aria-expanded', !folded.has(line.id)); else element.removeAttribute('aria-expanded');
      const mark = line.parent ? (folded.has(line.id) ? '▸ ' : '▾ ') : '';
      const cells = line.row === undefined ? {id: line.id, name: `${s.ended.get(line.id)?.name || ''} (has ended)`} : taskCells(s, line.row);
      if (!rowOf.has(line.id)) element.className = 'faint';
      return {...cells, name: mark + cells.name, indented: 'name', indent: Math.min(line.depth, 24) * 16 + (line.parent ? 0 : 14)};
    },
    task: (i) => (lines[i].row === undefined ? undefined : lines[i].id),
    fold: (i, close) => { if (i >= 0) { if (close) folded.add(lines[i].id); else folded.delete(lines[i].id); page.draw(); } }};
}

function stacksView(s, rows) {
  const groups = new Map();
  for (const row of rows) {
    const stack = s.tasks.stack[row];
    let group = groups.get(stack);
    if (!group) groups.set(stack, group = {stack, rows: [], states: new Map(), longest: 0});
    group.rows.push(row);
    group.states.set(s.state(row), (group.states.get(s.state(row)) || 0) + 1);
    if (!s.active(row)) group.longest = Math.max(group.longest, s.tasks.wait_ms[row]);
  }
  const sorted = [...groups.values()].sort((a, b) => b.rows.length - a.rows.length || a.stack - b.stack);
  const callers = (group) => s.stacks[group.stack].map((p) => s.place(p)).filter((f) => !f.startsWith('quoll::task::')).slice(0, 4).join(' ← ');
  // Stacks are numbered anew in each answer, so that their text is what they are known by.
  const key = (i) => s.stacks[sorted[i].stack].map((p) => s.places[p].join(' ')).join('\n');
  return {name: 'stacks', count: sorted.length, key, indexOf: (text) => sorted.findIndex((_, i) => key(i) === text), stack: (i) => sorted[i],
    columns: [{id: 'count', title: 'Tasks', width: '90px', number: true}, {id: 'longest', title: 'Longest', width: '100px', number: true},
      {id: 'states', title: 'States', width: '22%'}, {id: 'stack', title: 'Stack, innermost first', code: true}],
    cells: (i) => ({count: number(sorted[i].rows.length), longest: duration(sorted[i].longest), stack: callers(sorted[i]),
      states: [...sorted[i].states].map(([state, count]) => `${number(count)} ${state}`).join(', ')})};
}

function diffView(s, rows, base) {
  const columns = [{id: 'what', title: 'Since then', width: '100px'}, ...taskColumns(false)];
  if (!base) return {name: 'diff', columns, count: 0, key: () => null, cells: () => ({})};
  const elapsed = s.time_ms - base.time_ms;
  const lines = [];
  const chosen = page.filtered(base);
  for (const row of chosen) if (s.rowOf(base.tasks.id[row]) === undefined) lines.push({from: base, row, what: 'gone'});
  for (const row of rows) {
    if (base.rowOf(s.tasks.id[row]) === undefined) lines.push({from: s, row, what: 'new'});
    else if (!s.active(row) && s.tasks.wait_ms[row] >= elapsed) lines.push({from: s, row, what: 'same state'});
    else lines.push({from: s, row, what: 'moved'});
  }
  const order = {new: 0, gone: 1, moved: 2, 'same state': 3};
  lines.sort((a, b) => order[a.what] - order[b.what] || a.from.tasks.id[a.row] - b.from.tasks.id[b.row]);
  const count = (what) => number(lines.filter((line) => line.what === what).length);
  return {name: 'diff', columns, count: lines.length, key: (i) => lines[i].from.tasks.id[lines[i].row],
    indexOf: (id) => lines.findIndex((line) => line.from.tasks.id[line.row] === id),
    note: `since ${clock(base.time_ms)}: ${count('new')} new, ${count('gone')} gone, ${count('moved')} moved, ${count('same state')} in the same state all the time`,
    cells: (i, element) => {
      const line = lines[i];
      if (line.what === 'new' || line.what === 'gone') element.className = line.what;
      return {what: line.what, ...taskCells(line.from, line.row)};
    },
    task: (i) => lines[i].from.tasks.id[lines[i].row]};
}

// Of a leak the whole task is known: it may be gone from the list by the time that somebody looks.
function leaksView(leaks) {
  const ids = leaks.map((leak) => leak.task.id);
  return {name: 'leaks', count: leaks.length, key: (i) => ids[i], indexOf: (id) => ids.indexOf(id),
    columns: [{id: 'id', title: 'ID', width: '80px', number: true}, {id: 'kind', title: 'Verdict', width: '110px'},
      {id: 'name', title: 'Name', width: '18%'}, {id: 'reason', title: 'Because'}],
    cells: (i) => ({id: ids[i], kind: leaks[i].kind, name: leaks[i].task.name, reason: leaks[i].reason}), task: (i) => ids[i]};
}

// -- the page --

class Page {
  constructor() {
    document.documentElement.classList.add('live');
    document.getElementById('plain').remove();
    this.history = [];
    this.states = new Set();
    this.leaks = [];
    this.tab = location.hash.slice(1) in this.tabs() ? location.hash.slice(1) : 'list';
    this.words = document.getElementById('match');
    // What the form asked for without the script is asked of the daemon; what is typed from here on is looked for in what came.
    this.query = location.search;
    this.words.value = '';
    this.build();
    this.ask();
  }
  tabs() { return {list: 'Tasks', tree: 'Tree', stacks: 'Stacks', leaks: 'Leaks', diff: 'Diff'}; }

  build() {
    const tab = ([id, title], i) => make('button', {type: 'button', id: `tab-${id}`, role: 'tab', textContent: title, title: `key ${i + 1}`, onclick: () => this.show(id)});
    this.pauseButton = make('button', {type: 'button', id: 'pause', textContent: 'Pause', title: 'key p', onclick: () => this.pause()});
    this.markButton = make('button', {type: 'button', id: 'mark', textContent: 'Mark', title: 'key m: compare with this moment', onclick: () => this.mark()});
    this.stateButtons = make('div', {id: 'states', role: 'group', 'aria-label': 'States'});
    const bar = make('div', {id: 'bar'}, make('div', {id: 'tabs', role: 'tablist', 'aria-label': 'Views'}, ...Object.entries(this.tabs()).map(tab)),
      make('div', {}, this.pauseButton, this.markButton), this.stateButtons);
    this.canvas = make('canvas', {id: 'timeline', role: 'img'});
    this.now = make('output', {});
    const list = make('section', {id: 'list', tabIndex: 0, role: 'grid', 'aria-label': 'Tasks'});
    this.details = make('aside', {id: 'details', hidden: true, tabIndex: -1, 'aria-label': 'Details'});
    this.work = make('div', {id: 'work'}, list, this.details);
    this.foot = make('footer', {id: 'foot'});
    document.body.append(bar, make('div', {id: 'past'}, this.canvas, this.now), this.work, this.foot);
    document.querySelector('header').after(bar);
    this.list = new List(list, (view, index) => this.open(view, index));
    document.getElementById('filter').addEventListener('submit', (event) => { event.preventDefault(); list.focus(); });
    this.words.addEventListener('input', () => { clearTimeout(this.typing); this.typing = setTimeout(() => this.draw(), 120); });
    document.addEventListener('keydown', (event) => this.key(event));
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.drawTimeline());
    new ResizeObserver(() => this.drawTimeline()).observe(this.canvas);
    this.show(this.tab);
  }

  key(event) {
    if (event.key === 'Escape') {
      if (!this.details.hidden) this.close(); else { this.words.value = ''; this.draw(); this.list.host.focus(); }
      return;
    }
    if (event.target.tagName === 'INPUT' || event.ctrlKey || event.altKey || event.metaKey) return;
    const tabs = Object.keys(this.tabs());
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
    for (const id of Object.keys(this.tabs())) document.getElementById(`tab-${id}`).setAttribute('aria-selected', id === tab);
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
      this.snapshot = new Snapshot(JSON.parse(text));
      this.leaks = verdicts;
      this.history.push({time: this.snapshot.time_ms, counts: this.snapshot.counts});
      if (this.history.length > HISTORY_MAX) this.history.shift();
      this.failure = '';
      this.draw();
      this.refresh();
      this.drawStates();
      this.drawTimeline();
      worked = performance.now() - started;
    } catch (error) {
      this.failure = `no answer: ${error.message.trim()}`;
      this.drawFoot();
    }
    if (!this.paused && turn === this.turn) this.timer = setTimeout(() => this.ask(), Math.max(ASK_MS, 12 * worked));
  }

  filtered(snapshot) { return snapshot.select(this.words.value.toLowerCase().split(/\s+/).filter(Boolean), this.states); }

  draw() {
    const s = this.snapshot;
    if (!s) return;
    const rows = this.filtered(s);
    this.shown = rows.length;
    const views = {list: () => listView(s, rows), tree: () => treeView(s, rows), stacks: () => stacksView(s, rows),
      leaks: () => leaksView(this.leaks || []), diff: () => diffView(s, rows, this.base)};
    const view = views[this.tab]();
    this.note = view.note || '';
    if (this.tab === 'diff' && !this.base) this.note = 'press m or Mark: what comes and goes from then on is shown here';
    if (this.tab === 'leaks') this.note = this.leaks === null ? 'no verdicts from this process' : this.leaks.length === 0 ? 'no task is convicted' : '';
    this.list.show(view);
    this.drawFoot();
  }

  drawStates() {
    const counts = Object.entries(this.snapshot.counts).sort((a, b) => b[1] - a[1]);
    for (const state of this.states) if (!(state in this.snapshot.counts)) counts.push([state, 0]);
    const known = new Map([...this.stateButtons.children].map((button) => [button.dataset.state, button]));
    const buttons = counts.map(([state, count]) => {
      let button = known.get(state);
      if (!button) {
        button = make('button', {type: 'button', onclick: () => {
          if (!this.states.delete(state)) this.states.add(state);
          button.setAttribute('aria-pressed', this.states.has(state));
          this.draw();
        }});
        button.dataset.state = state;
        button.setAttribute('aria-pressed', false);
        dot(button, state);
      }
      button.textContent = `${state} ${number(count)}`;
      return button;
    });
    // Moving a button would take its focus away.
    if (buttons.some((button, i) => this.stateButtons.children[i] !== button) && !this.stateButtons.contains(document.activeElement)) this.stateButtons.replaceChildren(...buttons);
    else for (const button of buttons) if (!button.isConnected) this.stateButtons.append(button);
    const leaks = document.getElementById('tab-leaks');
    leaks.replaceChildren('Leaks ', ...(this.leaks?.length ? [make('b', {textContent: number(this.leaks.length)})] : []));
  }

  // Tasks by state over time, stacked.
  drawTimeline() {
    const {canvas, history} = this;
    const scale = devicePixelRatio || 1;
    const width = canvas.width = Math.round(canvas.clientWidth * scale);
    const height = canvas.height = Math.round(canvas.clientHeight * scale);
    const context = canvas.getContext('2d');
    const style = getComputedStyle(document.documentElement);
    if (history.length === 0 || width === 0) return;
    const total = (sample) => Object.values(sample.counts).reduce((sum, count) => sum + count, 0);
    const most = Math.max(1, ...history.map(total));
    const last = history[history.length - 1];
    const span = Math.max(60000, last.time - history[0].time);
    const x = (sample) => width - (last.time - sample.time) / span * width;
    const states = Object.keys(STATES).filter((state) => history.some((sample) => sample.counts[state]));
    const below = history.map(() => 0);
    for (const state of states) {
      const above = history.map((sample, i) => below[i] + (sample.counts[state] || 0));
      context.beginPath();
      history.forEach((sample, i) => context.lineTo(x(sample), height - above[i] / most * (height - 2)));
      for (let i = history.length; i-- > 0;) context.lineTo(x(history[i]), height - below[i] / most * (height - 2));
      context.fillStyle = style.getPropertyValue(`--${STATES[state]}`);
      if (history.length === 1) context.rect(width - 3 * scale, height - above[0] / most * (height - 2), 3 * scale, (above[0] - below[0]) / most * (height - 2));
      context.fill();
      above.forEach((value, i) => { below[i] = value; });
    }
    canvas.setAttribute('aria-label', `Tasks by state over ${duration(span)}; now ${number(total(last))}, at most ${number(most)}`);
    this.now.textContent = `${number(total(last))} tasks, at most ${number(most)} in ${duration(span)}`;
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
    for (const [key, what] of [['/', 'find'], ['↑↓', 'move'], ['Enter', 'open'], ['←→', 'fold'], ['1–5', 'views'], ['p', 'pause'], ['m', 'mark'], ['Esc', 'close']]) {
      if (key === '←→' && this.tab !== 'tree') continue;
      keys.append(make('kbd', {textContent: key}), ` ${what}  `);
    }
    this.foot.replaceChildren(...parts, keys);
  }

  open(view, index) {
    const id = view.stack ? undefined : view.task(index);
    if (!view.stack && id === undefined) return;
    const stack = view.stack && view.key(index);
    this.opened = view.stack ? () => this.openStack(stack) : () => this.openTask(id);
    this.opened();
    this.draw();
  }
  // What is open follows the new answer, unless somebody is about to copy from it.
  refresh() {
    if (this.details.hidden || this.details.contains(document.activeElement)) return;
    if (getSelection().toString() === '') this.opened();
  }
  openTask(id) {
    const leak = this.leaks?.find((leak) => leak.task.id === id);
    const s = this.snapshot.rowOf(id) !== undefined ? this.snapshot : this.base;
    const row = s && s.rowOf(id);
    if (row === undefined) return;
    const t = s.tasks;
    const request = s.request(row);
    const parent = t.parent[row];
    const facts = [['state', s.state(row)], ['in state', s.active(row) ? '' : duration(t.wait_ms[row])], ['age', duration(t.age_ms[row])],
      ['worker', s.workers[t.worker[row]]], ['convicted', leak && leak.reason],
      ['request', request && `${request.method} ${request.path}`], ['route', request && request.route], ['client', request && request.client],
      ['container', request && request.container], ['spawned by', parent ? `${parent}${s.rowOf(parent) === undefined ? ` ${s.ended.get(parent)?.name || ""} (has ended)` : ` ${s.name(s.rowOf(parent))}`}` : 'no task']];
    this.fill(`${id} ${s.name(row)}`, facts, s, t.stack[row], make('a', {href: `tasks?id=${id}`, textContent: 'everything that is known, as JSON'}));
    if (s === this.snapshot) this.tellMore(id);
  }
  // What the columns do not have: who holds what it waits for, who has cancelled it and where.
  async tellMore(id) {
    const list = this.details.querySelector('dl');
    let task;
    try {
      const answer = await fetch(`tasks?id=${id}`);
      task = answer.ok ? (await answer.json()).tasks[0] : undefined;
    } catch { return; }
    if (!task || !list.isConnected) return;
    const add = (name, value) => { if (value) list.append(make('dt', {textContent: name}), make('dd', {textContent: value})); };
    const {kind, count, ...ids} = task.waits_for || {};
    const others = Object.entries(ids).map(([role, id]) => `${role} ${[id].flat().join(', ') || 'none'}`).join('; ');
    add('waits for', kind && kind + (others ? `: ${others}` : '') + (count !== undefined ? ` (${count} in all)` : ''));
    const {cancel} = task;
    add('told to end', cancel && `${cancel.reason}, ${duration(cancel.ago_ms)} ago${cancel.by ? ` by ${cancel.by}` : ''}${cancel.place ? `, in ${cancel.place.function}` : ''}`);
    add('spawned in', task.creator && `${task.creator.function} (${task.creator.file}:${task.creator.line})`);
  }
  openStack(text) {
    const s = this.snapshot;
    const view = stacksView(s, this.filtered(s));
    const index = view.indexOf(text);
    if (index < 0) return;
    const group = view.stack(index);
    const facts = [['tasks', number(group.rows.length)], ['longest in state', duration(group.longest)],
      ['ids', group.rows.slice(0, 20).map((row) => s.tasks.id[row]).join(', ') + (group.rows.length > 20 ? ', …' : '')]];
    this.fill('Equal stacks', facts, s, group.stack);
  }
  fill(title, facts, s, stack, ...more) {
    const list = make('dl', {}, ...facts.filter(([, value]) => value).flatMap(([name, value]) => [make('dt', {textContent: name}), make('dd', {textContent: value})]));
    const frames = make('ol', {}, ...s.stacks[stack].map((p) => make('li', {}, s.places[p][0], make('small', {textContent: `${s.places[p][1]}:${s.places[p][2]}`}))));
    this.details.replaceChildren(make('button', {type: 'button', className: 'close', textContent: 'Close', title: 'key Esc', onclick: () => this.close()}),
      make('h2', {textContent: title}), list, frames, ...more);
    this.details.hidden = false;
    this.work.classList.add('open');
  }
  close() {
    this.details.hidden = true;
    this.work.classList.remove('open');
    this.draw();
    this.list.host.focus();
  }
}

const page = new Page();
