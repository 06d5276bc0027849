// The details beside the list: one task with its stack and all that is known of it, or one stack that many tasks share.

class Details {
  // known(): the newest {snapshot, base, leaks, stacks()}. closed(): called when the person has closed the details.
  constructor(known, closed) {
    this.known = known;
    this.closed = closed;
    this.element = make('aside', {id: 'details', hidden: true, tabIndex: -1, 'aria-label': 'Details'});
  }

  get isOpen() { return !this.element.hidden; }

  // what: {task: id}, or {stack: the key of one of the stacks' view}.
  open(what) {
    this.what = what;
    this.draw();
  }

  // What is open follows the new answer, unless somebody is about to copy from it.
  refresh() {
    if (!this.isOpen || this.element.contains(document.activeElement)) return;
    if (getSelection().toString() === '') this.draw();
  }

  close() {
    this.element.hidden = true;
    this.element.parentElement.classList.remove('open');
    this.closed();
  }

  draw() {
    if (this.what.stack !== undefined) this.drawStack(this.what.stack); else this.drawTask(this.what.task);
  }

  drawTask(id) {
    const {snapshot, base, leaks} = this.known();
    const leak = leaks?.find((leak) => leak.task.id === id);
    const s = snapshot.rowOf(id) !== undefined ? snapshot : base;
    const row = s && s.rowOf(id);
    if (row === undefined) return;
    const t = s.tasks;
    const request = s.request(row);
    const facts = [['state', s.state(row)], ['in state', s.active(row) ? '' : duration(t.wait_ms[row])], ['age', duration(t.age_ms[row])],
      ['worker', s.workers[t.worker[row]]], ['convicted', leak && leak.reason],
      ['request', request && `${request.method} ${request.path}`], ['route', request && request.route], ['client', request && request.client],
      ['container', request && request.container], ['spawned by', this.parentOf(s, row)]];
    this.fill(`${id} ${s.name(row)}`, facts, s, t.stack[row], make('a', {href: `tasks?id=${id}`, textContent: 'everything that is known, as JSON'}));
    if (s === snapshot) this.tellMore(id);
  }

  parentOf(s, row) {
    const parent = s.tasks.parent[row];
    if (!parent) return 'no task';
    const parentRow = s.rowOf(parent);
    return `${parent} ${parentRow === undefined ? `${s.ended.get(parent)?.name || ''} (has ended)` : s.name(parentRow)}`;
  }

  // What the columns do not have: who holds what it waits for, who has cancelled it and where.
  async tellMore(id) {
    const list = this.element.querySelector('dl');
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

  drawStack(text) {
    const {snapshot, stacks} = this.known();
    const view = stacks();
    const index = view.indexOf(text);
    if (index < 0) return;
    const group = view.stack(index);
    const facts = [['tasks', number(group.rows.length)], ['longest in state', duration(group.longest)],
      ['ids', group.rows.slice(0, 20).map((row) => snapshot.tasks.id[row]).join(', ') + (group.rows.length > 20 ? ', …' : '')]];
    this.fill('Equal stacks', facts, snapshot, group.stack);
  }

  fill(title, facts, s, stack, ...more) {
    const told = facts.filter(([, value]) => value);
    const list = make('dl', {}, ...told.flatMap(([name, value]) => [make('dt', {textContent: name}), make('dd', {textContent: value})]));
    const frames = s.stacks[stack].map((p) => s.places[p])
      .map(([name, file, line]) => make('li', {}, name, make('small', {textContent: `${file}:${line}`})));
    this.element.replaceChildren(
      make('button', {type: 'button', className: 'close', textContent: 'Close', title: 'key Esc', onclick: () => this.close()}),
      make('h2', {textContent: title}), list, make('ol', {}, ...frames), ...more);
    this.element.hidden = false;
    this.element.parentElement.classList.add('open');
  }
}
