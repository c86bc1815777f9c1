// Values that make themselves, as `mqctl publish --generate` makes them (`mqctl/generators.py`).

import { newProducerId, POSITION_ID_LENGTH, wrap, wrapPosition } from "./messages.js";

const BARS = 7;
const BAR_MAX = 20;
const MIDDLE = 250;
const RADIUS = 200;

/** By name: where the values go, how long to wait between two, and `make()`, which returns what makes the next. */
export const GENERATORS = {
  rotate: {
    channel: "/rect",
    period_ms: 1000,
    help: "An angle in degrees on the topic rect, 50 more each time.",
    make: () => inEnvelope(rotate()),
  },
  bars: {
    channel: "/chart",
    period_ms: 1000,
    help: "Seven random whole numbers from 1 to 20 on the topic chart.",
    make: () => inEnvelope(bars),
  },
  circle: {
    channel: "/test/micomet",
    period_ms: 50,
    help: "A position on the topic test.micomet, going round a circle, one degree each time.",
    make: () => {
      const producerId = newProducerId(POSITION_ID_LENGTH);
      const next = circle();
      return () => wrapPosition(next(), producerId);
    },
  },
};

function inEnvelope(next) {
  const producerId = newProducerId();
  return () => wrap(next(), producerId);
}

function rotate() {
  let angle = 0;
  return () => (angle = (angle + 50) % 360);
}

function bars() {
  return Array.from({ length: BARS }, () => 1 + Math.floor(Math.random() * BAR_MAX));
}

function circle() {
  let degrees = 0;
  return () => {
    const angle = (degrees * Math.PI) / 180;
    degrees = (degrees + 1) % 360;
    return { x: Math.round(MIDDLE + RADIUS * Math.cos(angle)), y: Math.round(MIDDLE + RADIUS * Math.sin(angle)) };
  };
}
