// A square turned to the angle received, and the list of received messages.

import { find, keepShown, onFrame, Tally } from "./drawing.js";
import { clock, Log } from "./log.js";
import { brief, decode, formatNumber } from "./messages.js";

export const CHANNEL = "/rect";

export class Rect {
  constructor(speak) {
    this.speak = speak;
    this.tally = new Tally();
    this.log = new Log(find("rect-log"), "Nothing yet. Try: mqctl publish rect 45", cellsOf);
    this.angle = null;
    this.turned = 0; // where the square is, counted on beyond a full turn, so that it goes the shorter way
    this.draw = onFrame(() => this.render());
    const transition = find("transition");
    transition.checked = !matchMedia("(prefers-reduced-motion: reduce)").matches;
    const obey = () => find("square").classList.toggle("smooth", transition.checked);
    transition.addEventListener("change", obey);
    obey();
    keepShown(find("rect-tally"), () => this.tally);
  }

  /** Take in a message. */
  observe(data) {
    const sample = decode(data);
    const problem = typeof sample.value === "number" ? null : (sample.problem ?? "not a number of degrees");
    this.tally.add(problem);
    if (problem === null) {
      this.angle = sample.value;
      this.turned += shorterWay(this.turned, sample.value);
      this.draw();
    }
    const { sentAt, producerId, shown } = sample;
    this.log.add({ sentAt, producerId, text: textOf(shown, problem), bad: problem !== null });
  }

  show() {
    this.log.show();
    this.draw();
  }

  render() {
    if (this.angle === null || !find("rect").checkVisibility()) return;
    const degrees = `${formatNumber(this.angle)}°`;
    find("square").style.transform = `rotate(${this.turned}deg)`;
    find("degrees").textContent = degrees;
    find("square-room").setAttribute("aria-label", `A square, turned by ${degrees}`);
    this.speak(() => `turned to ${degrees}`);
  }
}

function textOf(data, problem) {
  return problem === null ? brief({ data }) : `${problem}: ${brief(data)}`;
}

function cellsOf({ sentAt, producerId, text, bad }) {
  return { cells: [sentAt ? clock(sentAt) : "--:--:--", producerId ?? "–", text], bad };
}

/** Degrees from one angle to another, from -180 up to 180; positive is clockwise. */
export function shorterWay(start, end) {
  return ((((end - start + 180) % 360) + 360) % 360) - 180;
}
