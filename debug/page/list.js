// The list: a table of which only the rows in sight are in the document, so that a hundred thousand tasks scroll like
// twenty. It knows nothing of tasks: what it shows is a view (views.js). Before it, what all parts of the page are made of.

const ROW = 24;   // the height of a row, as page.css has it
const STATES = {  // the colour of each state, by its name in page.css
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

function dot(element, state) {
  element.classList.add('dot');
  element.style.setProperty('--state', `var(--${STATES[state] || 'idle'})`);
}

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
