// When things are drawn: at most once for each frame of the screen, however fast messages come, and only what is seen.

const SPEAK_MS = 4_000;
const TALLY_MS = 250;
const BUCKET_MS = 100;
const BUCKETS = 10;

/** The element of an id. */
export const find = (id) => document.getElementById(id);

/** Returns a function that asks for `draw(now_ms)` at the next frame, or some time after it was called last. */
export function onFrame(draw, pause_ms = 0) {
  let asked = false;
  let drawn_ms = -Infinity;
  const run = (now_ms) => {
    asked = false;
    drawn_ms = now_ms;
    draw(now_ms);
  };
  return () => {
    if (asked) return;
    asked = true;
    const left_ms = drawn_ms + pause_ms - performance.now();
    if (left_ms > 0) setTimeout(() => requestAnimationFrame(run), left_ms);
    else requestAnimationFrame(run);
  };
}

/** Returns a function that says to screen readers what `text()` is then: the latest, and not too often. */
export function speaker(element) {
  let latest = null;
  let timer = null;
  const say = () => {
    timer = latest && setTimeout(say, SPEAK_MS);
    if (latest) element.textContent = latest();
    latest = null;
  };
  return (text) => {
    latest = text;
    if (timer === null) say();
  };
}

/** Counts messages, and how many come in a second. */
export class Tally {
  constructor() {
    this.clear();
  }

  clear() {
    this.total = 0;
    this.bad = 0;
    this.problem = "";
    this.buckets = new Array(BUCKETS).fill(0);
    this.at = 0;
  }

  add(problem = null) {
    this.advance();
    this.total += 1;
    this.buckets[this.at % BUCKETS] += 1;
    if (problem !== null) {
      this.bad += 1;
      this.problem = problem;
    }
  }

  /** Messages of the last second. */
  get rate() {
    this.advance();
    return this.buckets.reduce((sum, count) => sum + count, 0);
  }

  advance() {
    const at = Math.floor(performance.now() / BUCKET_MS);
    const passed = Math.min(at - this.at, BUCKETS);
    for (let n = 0; n < passed; n += 1) this.buckets[(at - n) % BUCKETS] = 0;
    this.at = at;
  }

  toString() {
    const count = (number, what) => `${number.toLocaleString("en")} ${what}`;
    const bad = this.bad ? ` · ${count(this.bad, "not understood")}, the last: ${this.problem}` : "";
    return `${count(this.total, this.total === 1 ? "message" : "messages")} · ${count(this.rate, "a second")}${bad}`;
  }
}

/** Keep a text up to date while it can be seen. */
export function keepShown(element, text) {
  setInterval(() => {
    if (!element.checkVisibility()) return;
    const now = String(text());
    if (element.textContent !== now) element.textContent = now;
  }, TALLY_MS);
}
