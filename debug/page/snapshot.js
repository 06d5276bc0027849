// The script of /debug/ is one file for the browser: snapshot, list, views, timeline, details and page, put together in
// this order by debug/CMakeLists.txt. Each uses what stands in those before it, and nothing of those behind it.
//
// Here: what the daemon has said, and how its numbers are written.
'use strict';

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
      const key = (t.stack[row] * this.names.length + t.name[row]) * (this.requests.length + 1) + t.request[row] + 1;
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
