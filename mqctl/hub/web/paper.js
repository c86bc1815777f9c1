// What drawings share: a canvas as sharp as the screen, in the colours of the style sheet, and axes with round numbers.

import { onFrame } from "./drawing.js";
import { formatNumber } from "./messages.js";

const LABEL_PX = 12;
const STEPS = [1, 2, 5, 10];

/** A canvas that is drawn at most once a frame, and again when its size or the colours change. */
export class Paper {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {(pen: CanvasRenderingContext2D, size: {width: number, height: number}, now_ms: number) => void} draw
   */
  constructor(canvas, draw) {
    this.canvas = canvas;
    this.pen = canvas.getContext("2d");
    this.sketch = draw;
    this.draw = onFrame((now_ms) => this.render(now_ms));
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  render(now_ms) {
    const { canvas, pen } = this;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!width || !height) return;
    const scale = devicePixelRatio;
    const [columns, rows] = [Math.round(width * scale), Math.round(height * scale)];
    if (canvas.width !== columns) canvas.width = columns;
    if (canvas.height !== rows) canvas.height = rows;
    const style = getComputedStyle(canvas);
    this.colour = (name) => style.getPropertyValue(`--${name}`);
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.font = `${LABEL_PX}px ${style.fontFamily}`;
    this.sketch(pen, { width, height }, now_ms);
  }

  /** A line from one point to another. */
  stroke(x1, y1, x2, y2, colour = "line") {
    const { pen } = this;
    pen.strokeStyle = this.colour(colour);
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(Math.round(x1) + 0.5, Math.round(y1) + 0.5);
    pen.lineTo(Math.round(x2) + 0.5, Math.round(y2) + 0.5);
    pen.stroke();
  }

  /** A small text. */
  write(text, x, y, align = "left", colour = "faint") {
    const { pen } = this;
    pen.fillStyle = this.colour(colour);
    pen.textAlign = align;
    pen.textBaseline = "middle";
    pen.fillText(text, x, y);
  }

  /** A text in the middle. */
  note(text, { width, height }) {
    this.write(text, width / 2, height / 2, "center");
  }

  /** The width of the widest label of an axis. */
  room(axis) {
    return Math.max(...axis.ticks.map((tick) => this.pen.measureText(formatNumber(tick)).width));
  }

  /** Horizontal lines at the ticks of an axis, with their numbers on the left. */
  rows(axis, { left, right, y }) {
    for (const tick of axis.ticks) {
      this.stroke(left, y(tick), right, y(tick));
      this.write(formatNumber(tick), left - 8, y(tick), "right");
    }
  }
}

/** An axis from `low` to `high` or a little beyond, with about `count` round numbers on it. */
export function axis(low, high, count) {
  if (!(high > low)) [low, high] = [low - (Math.abs(low) || 1) / 2, high + (Math.abs(high) || 1) / 2];
  const wanted = (high - low) / Math.max(count - 1, 1);
  const power = 10 ** Math.floor(Math.log10(wanted));
  const step = STEPS.map((each) => each * power).find((each) => each >= wanted * 0.999) ?? wanted;
  const [first, last] = [Math.floor(low / step + 1e-9), Math.ceil(high / step - 1e-9)];
  const ticks = Array.from({ length: Math.min(last - first, 100) + 1 }, (_, n) => (first + n) * step);
  return { low: ticks[0], high: ticks.at(-1), ticks };
}

/** What turns values of an axis into places between two edges. */
export function scale({ low, high }, from, to) {
  return (value) => from + ((value - low) / (high - low)) * (to - from);
}
