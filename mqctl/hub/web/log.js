// A list of the newest messages. Rows are used again, so that a flood makes no garbage, and text stays text.

import { onFrame } from "./drawing.js";

const ROWS_MAX = 100;
const NEAR_PX = 8;
const PAUSE_MS = 150; // nobody reads faster

export class Log {
  /**
   * @param {HTMLElement} element Where the rows are; it scrolls.
   * @param {string} empty What it says without rows.
   * @param {(entry: object) => {cells: string[], bad?: boolean}} format Makes a row of what was added, if it is seen.
   */
  constructor(element, empty, format) {
    this.element = element;
    this.format = format;
    this.list = document.createElement("ol");
    this.empty = document.createElement("p");
    this.empty.className = "aside";
    this.empty.textContent = empty;
    this.waiting = [];
    this.following = true; // until somebody scrolls back: what they read then stays where it is
    this.draw = onFrame(() => this.render(), PAUSE_MS);
    element.append(this.empty, this.list);
    element.addEventListener("scroll", () => {
      this.following = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_PX;
      if (this.following) this.draw();
    });
  }

  /** Add a row, below the others. */
  add(entry) {
    this.waiting.push(entry);
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
    this.following = true;
  }

  render() {
    const { element, list } = this;
    if (!this.following || !element.checkVisibility()) return;
    const entries = this.waiting.splice(0).slice(-ROWS_MAX);
    this.empty.hidden = entries.length + list.childElementCount > 0;
    for (const entry of entries) {
      const full = list.childElementCount >= ROWS_MAX;
      list.append(fill(full ? list.firstElementChild : document.createElement("li"), this.format(entry)));
    }
    element.scrollTop = element.scrollHeight;
  }
}

function fill(item, { cells, bad = false }) {
  while (item.childElementCount < cells.length) item.append(document.createElement("span"));
  cells.forEach((text, n) => (item.children[n].textContent = text));
  item.classList.toggle("bad", bad);
  return item;
}

/** H:M:S of a Date, as the clock of this machine shows it. */
export function clock(at) {
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":");
}
