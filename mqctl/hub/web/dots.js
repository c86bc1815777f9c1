// The latest position of every producer as a dot on a grid, which grows when somebody leaves it.

import { find, keepShown, onFrame, Tally } from "./drawing.js";
import { decode, formatNumber } from "./messages.js";
import { axis, Paper, scale } from "./paper.js";

const FIELD = 500;
const LINES = 6;
const PRODUCERS_MAX = 200; // the one that was silent longest makes room for a new one
const NAMED_MAX = 12; // more names, or names on each other, would hide the dots
const LIST_MS = 250;
const DOT_PX = 6;
const NAME_PX = { width: 60, height: 14 };
const COLOURS = ["dot1", "dot2", "dot3", "dot4", "dot5", "dot6"];

export class Dots {
  constructor(speak) {
    this.speak = speak;
    this.tally = new Tally();
    this.paper = new Paper(find("dots-paper"), (pen, size) => this.render(pen, size));
    this.list = document.createElement("ol");
    find("dots-list").append(this.list);
    find("dots-clear").addEventListener("click", () => this.clear());
    this.tellWhere = onFrame(() => this.fillList(), LIST_MS);
    this.clear();
    keepShown(find("dots-rate"), () => this.tally.rate.toLocaleString("en"));
    keepShown(find("dots-count"), () => this.producers.size);
    keepShown(find("dots-tally"), () => this.tally);
  }

  clear() {
    this.tally.clear();
    this.producers = new Map(); // by id, in the order in which they were heard last: {x, y, colour}
    this.seen = 0;
    this.field = axis(0, FIELD, LINES);
    this.paper.draw();
    this.tellWhere();
  }

  /** Take in a message. */
  observe(data) {
    const { value, problem, producerId } = decode(data);
    const isPosition = typeof value === "object" && "x" in value;
    this.tally.add(isPosition ? null : (problem ?? "not a position with x and y"));
    if (!isPosition) return;
    this.move(producerId ?? "?", value);
    this.paper.draw();
    this.tellWhere();
    this.speak(() => `${this.producers.size} producers, ${this.tally.rate} messages a second`);
  }

  move(producerId, { x, y }) {
    const known = this.producers.get(producerId);
    if (known) this.producers.delete(producerId);
    else if (this.producers.size >= PRODUCERS_MAX) this.producers.delete(this.producers.keys().next().value);
    const colour = known?.colour ?? COLOURS[this.seen++ % COLOURS.length];
    this.producers.set(producerId, { x, y, colour });
    const [low, high] = [Math.min(this.field.low, x, y), Math.max(this.field.high, x, y)];
    if (low < this.field.low || high > this.field.high) this.field = axis(low, high, LINES);
  }

  show() {
    this.paper.draw();
    this.tellWhere();
  }

  render(pen, { width, height }) {
    const { paper, field, producers } = this;
    const left = Math.ceil(paper.room(field)) + 12;
    const place = { left, right: width - 12, y: scale(field, 12, height - 24) }; // y counts from above, as in a browser
    const x = scale(field, left, place.right);
    paper.rows(field, place);
    for (const tick of field.ticks) {
      paper.stroke(x(tick), 12, x(tick), height - 24);
      paper.write(formatNumber(tick), x(tick), height - 10, "center");
    }
    const named = [];
    for (const [producerId, at] of [...producers].sort(([one], [other]) => (one < other ? -1 : 1))) {
      pen.fillStyle = paper.colour(at.colour);
      pen.beginPath();
      pen.arc(x(at.x), place.y(at.y), DOT_PX, 0, 2 * Math.PI);
      pen.fill();
      const where = { x: x(at.x), y: place.y(at.y) };
      if (named.length >= NAMED_MAX || named.some((other) => near(where, other))) continue;
      named.push(where);
      const flip = where.x > width - NAME_PX.width;
      paper.write(producerId.slice(0, 6), where.x + (flip ? -10 : 10), where.y, flip ? "right" : "left", "ink");
    }
    if (!producers.size) paper.note("Nothing yet. Start the circle in the Console.", { width, height });
    const count = `${producers.size} producer${producers.size === 1 ? "" : "s"}`;
    find("dots-paper").setAttribute("aria-label", producers.size ? `Positions of ${count}` : "Waiting for positions");
  }

  /** Who is where, as text. */
  fillList() {
    if (!find("dots-list").checkVisibility()) return;
    const { list } = this;
    while (list.childElementCount > this.producers.size) list.lastElementChild.remove();
    const names = [...this.producers.keys()].sort();
    names.forEach((name, n) => {
      const item = list.children[n] ?? list.appendChild(newRow());
      const { x, y, colour } = this.producers.get(name);
      const [swatch, who, where] = item.children;
      swatch.dataset.colour = colour;
      who.textContent = name;
      where.textContent = `${formatNumber(x)}, ${formatNumber(y)}`;
    });
  }
}

function near(one, other) {
  return Math.abs(one.x - other.x) < NAME_PX.width && Math.abs(one.y - other.y) < NAME_PX.height;
}

function newRow() {
  const item = document.createElement("li");
  for (const kind of ["swatch", "who", "where"]) item.appendChild(document.createElement("span")).className = kind;
  return item;
}
