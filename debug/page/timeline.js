// The timeline above the list: tasks by state over time, stacked, on a canvas; in words beside it and for who cannot see it.

const HISTORY_MAX = 300;  // samples

class Timeline {
  constructor() {
    this.canvas = make('canvas', {id: 'timeline', role: 'img'});
    this.now = make('output', {});
    this.element = make('div', {id: 'past'}, this.canvas, this.now);
    this.samples = [];
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.draw());
    new ResizeObserver(() => this.draw()).observe(this.canvas);
  }

  // counts: how many tasks each state has.
  add(time, counts) {
    this.samples.push({time, counts});
    if (this.samples.length > HISTORY_MAX) this.samples.shift();
  }

  draw() {
    const {canvas, samples} = this;
    const scale = devicePixelRatio || 1;
    const width = canvas.width = Math.round(canvas.clientWidth * scale);
    const height = canvas.height = Math.round(canvas.clientHeight * scale);
    const context = canvas.getContext('2d');
    const style = getComputedStyle(document.documentElement);
    if (samples.length === 0 || width === 0) return;
    const total = (sample) => Object.values(sample.counts).reduce((sum, count) => sum + count, 0);
    const most = Math.max(1, ...samples.map(total));
    const last = samples[samples.length - 1];
    const span = Math.max(60000, last.time - samples[0].time);
    const x = (sample) => width - (last.time - sample.time) / span * width;
    const y = (count) => height - count / most * (height - 2);
    const below = samples.map(() => 0);
    for (const state of Object.keys(STATES)) {
      if (!samples.some((sample) => sample.counts[state])) continue;
      const above = samples.map((sample, i) => below[i] + (sample.counts[state] || 0));
      context.beginPath();
      samples.forEach((sample, i) => context.lineTo(x(sample), y(above[i])));
      for (let i = samples.length; i-- > 0;) context.lineTo(x(samples[i]), y(below[i]));
      context.fillStyle = style.getPropertyValue(`--${STATES[state]}`);
      // One sample has no width yet.
      if (samples.length === 1) context.rect(width - 3 * scale, y(above[0]), 3 * scale, y(below[0]) - y(above[0]));
      context.fill();
      above.forEach((value, i) => { below[i] = value; });
    }
    canvas.setAttribute('aria-label', `Tasks by state over ${duration(span)}; now ${number(total(last))}, at most ${number(most)}`);
    this.now.textContent = `${number(total(last))} tasks, at most ${number(most)} in ${duration(span)}`;
  }
}
