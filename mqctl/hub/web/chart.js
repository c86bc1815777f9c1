// Bars for an array, a line over time for numbers; both may arrive, and the view shows what came last.

import { find, keepShown, Tally } from "./drawing.js";
import { decode, formatNumber } from "./messages.js";
import { axis, Paper, scale } from "./paper.js";

const SPANS_MAX = 1024; // points of the line, however fast numbers come
const WINDOWS_MS = [10_000, 30_000, 60_000]; // the line begins with a short time, and widens as it grows
const SPAN_MS = WINDOWS_MS.at(-1) / (SPANS_MAX - 2);
const [TOP_PX, BOTTOM_PX, SIDE_PX] = [20, 28, 12];
const SPOKEN_BARS = 12;
const BARS_MAX = 2_000; // no screen has room for more

export class Chart {
  constructor(speak) {
    this.speak = speak;
    this.tally = new Tally();
    this.bars = null;
    this.spans = []; // {at_ms, until_ms, first, low, high, last}: all numbers of a short time
    this.started_ms = 0;
    this.kind = "";
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
    this.paper = new Paper(find("chart-paper"), (pen, size) => this.render(pen, size));
    keepShown(find("chart-tally"), () => `${this.title()}${this.tally}`);
  }

  /** Take in a message. */
  observe(data) {
    const { value, problem } = decode(data);
    if (Array.isArray(value)) [this.kind, this.bars, this.sent] = ["bars", value.slice(0, BARS_MAX), value.length];
    else if (typeof value === "number") this.extend(value);
    else this.tally.add(problem ?? "a position, not a number or an array");
    if (Array.isArray(value) || typeof value === "number") {
      this.tally.add();
      this.speak(() => this.summary());
    }
    this.paper.draw();
  }

  extend(number) {
    const now_ms = performance.now();
    const newest = this.spans.at(-1);
    this.kind = "line";
    this.started_ms ||= now_ms;
    if (newest && now_ms - newest.at_ms < SPAN_MS) {
      newest.until_ms = now_ms;
      newest.low = Math.min(newest.low, number);
      newest.high = Math.max(newest.high, number);
      newest.last = number;
      return;
    }
    this.spans.push({ at_ms: now_ms, until_ms: now_ms, first: number, low: number, high: number, last: number });
    if (this.spans.length > SPANS_MAX) this.spans.shift();
  }

  show() {
    this.paper.draw();
  }

  render(pen, size) {
    if (this.kind === "bars") this.drawBars(pen, size);
    else if (this.kind === "line") this.drawLine(pen, size);
    else this.paper.note("Nothing yet. Try: mqctl publish chart 3 7 12", size);
    this.tell();
  }

  /** The lines of the vertical axis; returns where things are. */
  frame(low, high, { width, height }) {
    const vertical = axis(low, high, Math.max(2, Math.min(7, Math.floor(height / 48))));
    const left = Math.ceil(this.paper.room(vertical)) + SIDE_PX;
    const place = { left, right: width - SIDE_PX, y: scale(vertical, height - BOTTOM_PX, TOP_PX) };
    this.paper.rows(vertical, place);
    if (vertical.ticks.includes(0)) this.paper.stroke(left, place.y(0), place.right, place.y(0), "edge");
    return place;
  }

  drawBars(pen, size) {
    const { paper, bars } = this;
    const { left, right, y } = this.frame(Math.min(0, ...bars), Math.max(0, ...bars), size);
    const step = (right - left) / Math.max(bars.length, 1);
    const width = Math.max(step * 0.7, Math.min(step, 1));
    const every = Math.ceil(40 / step); // labels need room
    bars.forEach((value, n) => {
      const middle = left + step * (n + 0.5);
      pen.fillStyle = paper.colour("bars");
      pen.fillRect(middle - width / 2, y(Math.max(value, 0)), width, Math.abs(y(0) - y(value)));
      if (n % every) return;
      paper.write(`a${n + 1}`, middle, size.height - BOTTOM_PX / 2 + 2, "center");
      if (step >= 28) paper.write(formatNumber(value), middle, y(value) + (value < 0 ? 10 : -10), "center", "ink");
    });
  }

  drawLine(pen, size) {
    const { paper, spans } = this;
    const now_ms = performance.now();
    const window_ms = this.window(now_ms);
    const seen = this.seen(now_ms - window_ms);
    const { left, right, y } = this.frame(...extent(seen), size);
    const x = scale({ low: now_ms - window_ms, high: now_ms }, left, right);
    const below = size.height - BOTTOM_PX / 2 + 2;
    paper.write(`${window_ms / 1000} s ago`, left, below);
    paper.write("now", right, below, "right");
    pen.save();
    pen.beginPath();
    pen.rect(left, 0, right - left, size.height);
    pen.clip();
    pen.beginPath();
    for (const { at_ms, until_ms, first, low, high, last } of seen) {
      const middle_ms = (at_ms + until_ms) / 2;
      pen.lineTo(x(at_ms), y(first));
      if (low < Math.min(first, last)) pen.lineTo(x(middle_ms), y(low));
      if (high > Math.max(first, last)) pen.lineTo(x(middle_ms), y(high));
      pen.lineTo(x(until_ms), y(last));
    }
    pen.lineTo(right, y(spans.at(-1).last));
    pen.strokeStyle = paper.colour("accent");
    pen.lineWidth = 2;
    pen.lineJoin = "round";
    pen.stroke();
    pen.restore();
    // It scrolls until its last point has left.
    if (!this.still.matches && now_ms - spans.at(-1).until_ms < window_ms) paper.draw();
  }

  window(now_ms) {
    return WINDOWS_MS.find((each) => now_ms - this.started_ms < each) ?? WINDOWS_MS.at(-1);
  }

  /** What is in the picture, and the point before it, so that the line enters from the edge. */
  seen(from_ms) {
    const first = this.spans.findIndex(({ at_ms }) => at_ms >= from_ms);
    return this.spans.slice(first < 0 ? -1 : Math.max(first - 1, 0));
  }

  title() {
    if (!this.kind) return "";
    const cut = this.kind === "bars" && this.sent > BARS_MAX;
    return cut ? `the first ${BARS_MAX} bars of ${this.sent} · ` : `${this.kind} · `;
  }

  /** The figures below the picture. */
  tell() {
    const { last, low, high } = this.figures();
    find("chart-newest").hidden = this.kind === "bars";
    for (const [name, value] of Object.entries({ last, min: low, max: high })) {
      find(`chart-${name}`).textContent = value === undefined ? "–" : formatNumber(value);
    }
    if (this.kind) find("chart-paper").setAttribute("aria-label", this.kind === "bars" ? "Bar chart" : "Line chart");
  }

  figures() {
    if (this.kind === "bars" && this.bars.length) {
      return { low: Math.min(...this.bars), high: Math.max(...this.bars) };
    }
    if (this.kind !== "line") return {};
    const now_ms = performance.now();
    const [low, high] = extent(this.seen(now_ms - this.window(now_ms)));
    return { last: this.spans.at(-1).last, low, high };
  }

  summary() {
    if (this.kind === "bars") {
      const said = this.bars.slice(0, SPOKEN_BARS).map(formatNumber).join(", ");
      return `${this.bars.length} bars: ${said}${this.bars.length > SPOKEN_BARS ? " and more" : ""}`;
    }
    const { last, low, high } = this.figures();
    return `last ${formatNumber(last)}, from ${formatNumber(low)} to ${formatNumber(high)}`;
  }
}

function extent(spans) {
  return [Math.min(...spans.map(({ low }) => low)), Math.max(...spans.map(({ high }) => high))];
}
