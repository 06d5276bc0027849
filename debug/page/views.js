// What the list shows: the tasks, their tree, equal stacks, verdicts on leaks, or the difference to a marked moment.
//
// A view is {name, columns, count, key(i), indexOf(key), cells(i, row element)}, with task(i), the id to open, or
// stack(i), the group to open; that of the tree folds with fold(i, close). A column is {id, title, width} with number
// or code for how it is set, and sort and sorted where it can be ordered by.

class Views {
  constructor(redraw) {
    this.redraw = redraw;
    this.narrow = false;  // the details are open beside the list
    this.sorting = {column: 'wait', direction: -1};
    this.folded = new Set();
  }

  list(s, rows) {
    const sorted = this.sortRows(s, rows);
    return {name: 'list', columns: this.taskColumns(true), count: sorted.length, key: (i) => s.tasks.id[sorted[i]],
      indexOf: (id) => sorted.indexOf(s.rowOf(id)), cells: (i) => this.taskCells(s, sorted[i]), task: (i) => s.tasks.id[sorted[i]]};
  }

  tree(s, rows) {
    const {folded} = this;
    const rowOf = new Map(rows.map((row) => [s.tasks.id[row], row]));
    const lines = this.treeLines(s, rowOf);
    return {name: 'tree', columns: this.taskColumns(false), count: lines.length, key: (i) => lines[i].id,
      indexOf: (id) => lines.findIndex((line) => line.id === id),
      cells: (i, element) => {
        const line = lines[i];
        element.setAttribute('aria-level', line.depth + 1);
        if (line.parent) element.setAttribute('aria-expanded', !folded.has(line.id)); else element.removeAttribute('aria-expanded');
        const mark = line.parent ? (folded.has(line.id) ? '▸ ' : '▾ ') : '';
        const ended = () => ({id: line.id, name: `${s.ended.get(line.id)?.name || ''} (has ended)`});
        const cells = line.row === undefined ? ended() : this.taskCells(s, line.row);
        if (!rowOf.has(line.id)) element.className = 'faint';
        return {...cells, name: mark + cells.name, indented: 'name', indent: Math.min(line.depth, 24) * 16 + (line.parent ? 0 : 14)};
      },
      task: (i) => (lines[i].row === undefined ? undefined : lines[i].id),
      fold: (i, close) => { if (i >= 0) { if (close) folded.add(lines[i].id); else folded.delete(lines[i].id); this.redraw(); } }};
  }

  stacks(s, rows) {
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

  // Of a leak the whole task is known: it may be gone from the list by the time that somebody looks.
  leaks(leaks) {
    const ids = leaks.map((leak) => leak.task.id);
    return {name: 'leaks', count: leaks.length, key: (i) => ids[i], indexOf: (id) => ids.indexOf(id),
      columns: [{id: 'id', title: 'ID', width: '80px', number: true}, {id: 'kind', title: 'Verdict', width: '110px'},
        {id: 'name', title: 'Name', width: '18%'}, {id: 'reason', title: 'Because'}],
      cells: (i) => ({id: ids[i], kind: leaks[i].kind, name: leaks[i].task.name, reason: leaks[i].reason}), task: (i) => ids[i]};
  }

  // base, baseRows: the marked moment, if there is one, and its rows that the filter lets through.
  diff(s, rows, base, baseRows) {
    const columns = [{id: 'what', title: 'Since then', width: '100px'}, ...this.taskColumns(false)];
    if (!base) return {name: 'diff', columns, count: 0, key: () => null, cells: () => ({})};
    const elapsed = s.time_ms - base.time_ms;
    const lines = [];
    for (const row of baseRows) if (s.rowOf(base.tasks.id[row]) === undefined) lines.push({from: base, row, what: 'gone'});
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
        return {what: line.what, ...this.taskCells(line.from, line.row)};
      },
      task: (i) => lines[i].from.tasks.id[lines[i].row]};
  }

  taskColumns(sortable) {
    const {sorting} = this;
    const column = (id, title, width, more = {}) => ({
      id, title, width, ...more, sorted: sortable && sorting.column === id ? sorting.direction : 0,
      sort: sortable && (() => {
        sorting.direction = sorting.column === id ? -sorting.direction : (more.number && id !== 'id' ? -1 : 1);
        sorting.column = id;
        this.redraw();
      }),
    });
    const columns = [column('id', 'ID', '80px', {number: true}), column('state', 'State', '136px', {state: true}),
      column('wait', 'In state', '88px', {number: true}), column('name', 'Name', sortable ? '17%' : '24%'),
      column('function', 'Function', '', {code: true}), column('request', 'Request', '22%'),
      column('container', 'Container', '10%'), column('age', 'Age', '88px', {number: true})];
    // Beside the details there is room for what they do not say.
    return this.narrow ? columns.slice(0, 5) : columns;
  }

  taskCells(s, row) {
    const request = s.request(row);
    const cancel = s.tasks.cancel[row];
    return {id: s.tasks.id[row], dot: s.state(row), state: s.state(row) + (cancel < 0 ? '' : `, ${s.cancels[cancel]}`),
      wait: s.active(row) ? '' : duration(s.tasks.wait_ms[row]), name: s.name(row), function: s.function(row),
      request: request ? `${request.method} ${request.route || request.path}` : '',
      container: request ? request.container : '', age: duration(s.tasks.age_ms[row])};
  }

  sortRows(s, rows) {
    const t = s.tasks;
    const {column, direction} = this.sorting;
    const values = {id: t.id, wait: t.wait_ms, age: t.age_ms}[column];
    if (values) return rows.sort((a, b) => direction * (values[a] - values[b]) || t.id[a] - t.id[b]);
    const text = {state: (row) => s.state(row), name: (row) => s.name(row), function: (row) => s.function(row),
      request: (row) => { const r = s.request(row); return r ? `${r.method} ${r.route || r.path}` : ''; },
      container: (row) => s.request(row)?.container || ''}[column];
    // Equal texts are gathered first: there are few of them, however many tasks there are.
    const groups = new Map();
    for (const row of rows) { const key = text(row); const group = groups.get(key); if (group) group.push(row); else groups.set(key, [row]); }
    return [...groups.keys()].sort((a, b) => direction * (a < b ? -1 : a > b ? 1 : 0)).flatMap((key) => groups.get(key));
  }

  // The tree's lines as {id, row, depth, parent}: parent says that there are lines below it; without row the task has ended.
  treeLines(s, rowOf) {
    const t = s.tasks;
    const children = new Map();
    const put = (parent, child) => { const list = children.get(parent); if (list) list.push(child); else children.set(parent, [child]); };
    // Above a task stand its ancestors: those that have ended, and those that the filter has left out.
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
    const lines = [];
    const open = (children.get(0) || []).sort((a, b) => b - a).map((id) => [id, 0]);
    while (open.length > 0) {
      const [id, depth] = open.pop();
      const below = children.get(id);
      lines.push({id, row: rowOf.get(id) ?? s.rowOf(id), depth, parent: Boolean(below)});
      if (below && !this.folded.has(id)) open.push(...below.sort((a, b) => b - a).map((child) => [child, depth + 1]));
    }
    return lines;
  }
}
