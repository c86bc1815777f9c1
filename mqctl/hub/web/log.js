// A list of the newest messages. Rows are used again, so that a flood makes no garbage, and text stays text.

import { onFrame } from "./drawing.js";

const ROWS_MAX = 100;

export class Log {
  /**
   * @param {HTMLElement} element Where the rows are; it scrolls.
   * @param {string} empty What it says without rows.
   */
  constructor(element, empty) {
    this.element = element;
    this.list = document.createElement("ol");
    this.empty = document.createElement("p");
    this.empty.className = "aside";
    this.empty.textContent = empty;
    this.waiting = [];
    this.draw = onFrame(() => this.render());
    element.append(this.empty, this.list);
  }

  /** Add a row: texts, each in a cell of its own; `bad` marks it. */
  add(cells, bad = false) {
    this.waiting.push({ cells, bad });
    if (this.waiting.length > 2 * ROWS_MAX) this.waiting.splice(0, ROWS_MAX);
    this.draw();
  }

  /** Draw what came while nobody saw it. */
  show() {
    this.following = true;
    this.draw();
  }

  clear() {
    this.waiting = [];
    this.list.replaceChildren();
    this.empty.hidden = false;
  }

  render() {
    const { element, list } = this;
    if (!element.checkVisibility()) return;
    const following = this.following || element.scrollHeight - element.scrollTop - element.clientHeight < 8;
    this.following = false;
    const rows = this.waiting.splice(0).slice(-ROWS_MAX);
    this.empty.hidden = rows.length + list.childElementCount > 0;
    for (const row of rows) {
      const full = list.childElementCount >= ROWS_MAX;
      list.append(fill(full ? list.firstElementChild : document.createElement("li"), row));
    }
    if (following) element.scrollTop = element.scrollHeight;
  }
}

function fill(item, { cells, bad }) {
  while (item.childElementCount < cells.length) item.append(document.createElement("span"));
  cells.forEach((text, n) => (item.children[n].textContent = text));
  item.classList.toggle("bad", bad);
  return item;
}

/** H:M:S of a Date, as the clock of this machine shows it. */
export function clock(at) {
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":");
}
