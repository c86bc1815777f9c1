// Topics as mqctl writes them, and the channels of Bayeux that they are.

const LEVEL = /^[A-Za-z0-9\-_!~()$@ #+.{}]+$/; // as the hub takes it
const TRIES = "'*' is one level at the end, '**' a subtree at the end";

/**
 * The channels that a topic or pattern is: dotted levels, or with a slash in it levels between slashes; with a slash at
 * its head it is a channel already. Throws RangeError with a sentence where there are none.
 */
export function channelsOf(text) {
  const topic = text.trim();
  if (!topic) throw new RangeError("a topic needs a name");
  const native = topic.startsWith("/");
  const levels = (native ? topic.slice(1) : topic).split(native || topic.includes("/") ? "/" : ".");
  levels.forEach((level, n) => check(level, n === levels.length - 1));
  const channel = `/${levels.join("/")}`;
  // A last ** of mqctl matches what stands before it too; that of Bayeux does not.
  return native || !channel.endsWith("/**") || levels.length === 1 ? [channel] : [channel.slice(0, -3), channel];
}

/** The one channel to publish to. Throws RangeError where there is none, or many. */
export function channelOf(text) {
  const channels = channelsOf(text);
  if (channels.at(-1).endsWith("*")) throw new RangeError("a message goes to one topic, without '*'");
  return channels[0];
}

/** The topic of a channel, for people. */
export function topicOf(channel) {
  const levels = channel.slice(1);
  return levels.includes(".") ? levels : levels.replaceAll("/", ".");
}

function check(level, last) {
  if (!level) throw new RangeError("a topic has no empty level");
  if (level === "*" || level === "**") {
    if (!last) throw new RangeError(TRIES);
  } else if (!LEVEL.test(level)) {
    throw new RangeError(level.includes("*") ? TRIES : `a level of a topic cannot be '${level}'`);
  }
}
