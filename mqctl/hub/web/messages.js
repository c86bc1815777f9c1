// The JSON that the rect, chart and position topics carry: written exactly, read tolerantly (`mqctl/application.py`).

export const PRODUCER_ID_LENGTH = 6;
export const POSITION_ID_LENGTH = 12;
const TEXT_MAX = 200;
const NUMBER_MAX = 1e300; // the difference of larger numbers might be none
const ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789";

/** A short random id. */
export function newProducerId(length = PRODUCER_ID_LENGTH) {
  const chances = crypto.getRandomValues(new Uint32Array(length));
  return Array.from(chances, (chance) => ALPHABET[chance % ALPHABET.length]).join("");
}

/** Data in the envelope of `rect` and `chart`. */
export function wrap(data, producerId) {
  return { producerId, data, date: new Date().toISOString() };
}

/** A position, with who and when. */
export function wrapPosition({ x, y }, producerId) {
  return { x, y, producerId, time: new Date().toISOString() };
}

/**
 * A message as a view sees it: `value` is a number, an array of numbers or `{x, y}`; or undefined, and `problem` says
 * why. `producerId` and `sentAt` (a Date) are null where the message does not say. `shown` is what people want to see.
 */
export function decode(message) {
  let producerId = null;
  let sentAt = null;
  let data = message;
  if (isObject(message)) {
    if (typeof message.producerId === "string") producerId = message.producerId;
    sentAt = dateOf(message.date ?? message.time);
    if ("data" in message) data = message.data;
  }
  try {
    return { value: valueOf(data), producerId, sentAt, problem: null, shown: data };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return { value: undefined, producerId, sentAt, problem: error.message, shown: data };
  }
}

/** Any data in a line, cut. */
export function brief(data, most = TEXT_MAX) {
  const text = typeof data === "string" ? data : json(data);
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

function json(data) {
  try {
    return JSON.stringify(data) ?? "nothing";
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return "nested too deep to be shown"; // which can be read, but not written
  }
}

/** A number for people: at most six digits that matter. */
export function formatNumber(number) {
  const size = Math.abs(number);
  if (size !== 0 && (size >= 1e9 || size < 1e-4)) return number.toExponential(3).replace(/\.?0+e/, "e");
  return String(Number(number.toPrecision(Number.isInteger(number) ? 9 : 6)));
}

function valueOf(data) {
  if (Array.isArray(data)) return data.map((item, n) => numberOf(item, `element ${n + 1}`));
  if (!isObject(data)) {
    if (typeof data !== "number") throw new TypeError(`${kindOf(data)}, not a number`);
    return numberOf(data, "the number");
  }
  if ("x" in data && "y" in data) return { x: numberOf(data.x, "x"), y: numberOf(data.y, "y") };
  throw new TypeError("an object without data or x and y");
}

function numberOf(item, name) {
  if (typeof item !== "number") throw new TypeError(`${name} is ${kindOf(item)}, not a number`);
  if (!(Math.abs(item) <= NUMBER_MAX)) throw new TypeError(`${name} is too large`);
  return item;
}

function kindOf(item) {
  if (item === null) return "null";
  if (item === undefined) return "nothing";
  if (Array.isArray(item)) return "an array";
  return { boolean: "true or false", string: "text", object: "an object" }[typeof item];
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function dateOf(text) {
  const at = new Date(typeof text === "string" ? text : NaN);
  return Number.isNaN(at.getTime()) ? null : at;
}
