// A client of Bayeux: one session, kept alive over whatever link works, with the subscriptions that are wanted.

import { Unreachable } from "./links.js";

const PATIENCE_MS = 10_000; // for an answer, beyond the time that the hub may let a connect wait
const RETRY_MS = { first: 500, most: 20_000 };
const LOYAL_ROUNDS = 3; // so often the kind of link that has worked is tried alone
const UNANSWERED_MAX = 1_000;

/** The hub said no. */
export class Refused extends Error {}

/** Nobody can say whether the hub took it. */
export class Unknown extends Error {}

export class Bayeux {
  #url;
  #kinds;
  #onState;
  #login = null;
  #run = null; // the AbortController of what `start` began
  #link = null;
  #connected = false; // whether messages may be sent over the link
  #worked = null;
  #clientId = null;
  #advice = {};
  #acknowledged = null; // a number once the hub agreed to the ack extension
  #serial = 0;
  #requests = new Map(); // by id: what waits for an answer
  #wanted = new Map(); // by channel: who listens, and whom the hub's refusal is told
  #matching = new Map(); // by channel of a message: the channels of #wanted that it matches
  #hurry = () => {};

  /**
   * @param {URL} url Where Bayeux is.
   * @param {Function[]} kinds Of links, best first.
   * @param {(state: object) => void} onState Told `{name, ...}`: connecting, connected, waiting, refused or stopped.
   */
  constructor(url, kinds, onState) {
    this.#url = url;
    this.#kinds = kinds;
    this.#onState = onState;
  }

  /** Connect, and stay connected. `login` is `{user, password}`, or null. */
  start(login = this.#login, kinds = this.#kinds) {
    this.stop();
    this.#login = login;
    this.#kinds = kinds;
    this.#worked = null;
    this.#run = new AbortController();
    this.#live(this.#run.signal);
  }

  /** Take leave of the hub, at once: a page that goes away has no time. */
  stop() {
    this.#run?.abort();
    this.#hurry();
    const clientId = this.#clientId;
    this.#clientId = null;
    if (clientId) this.#link?.part([{ id: this.#nextId(), channel: "/meta/disconnect", clientId }]);
    this.#connected = false;
    this.#drop(new Unknown("the page disconnected"));
  }

  /** Do not wait any longer before the next attempt. */
  hurry() {
    this.#hurry();
  }

  /**
   * Hand messages of a channel or pattern to `onMessage(data, channel, ext)`, now and after every new connection.
   * `onRefused(why)` is called where the hub does not allow it, and with null where it does. Returns what ends it.
   */
  subscribe(channel, onMessage, onRefused = () => {}) {
    const listener = { onMessage, onRefused };
    const listeners = this.#wanted.get(channel);
    this.#matching.clear();
    if (listeners) listeners.add(listener);
    else this.#wanted.set(channel, new Set([listener]));
    if (this.#connected) this.#subscribe(channel).catch(() => {});
    return () => this.#forget(channel, listener);
  }

  /** Publish JSON-able data. Resolves when the hub took it; rejects with Refused, or with Unknown. */
  async publish(channel, data) {
    if (!this.#connected) throw new Refused("not connected");
    if (this.#requests.size >= UNANSWERED_MAX) throw new Refused("too many messages wait for the hub's answer");
    const reply = await this.#ask({ channel, data });
    if (!reply.successful) throw new Refused(sentence(reply.error));
  }

  // One life: rounds of attempts, with a pause after each.

  async #live(signal) {
    let failures = 0;
    const onConnected = () => (failures = 0);
    while (!signal.aborted) {
      const why = await this.#round(this.#choice(failures), signal, onConnected);
      if (signal.aborted) return;
      if (why instanceof Refused) {
        this.#onState({ name: "refused", why: why.message, login: !this.#worked });
        return;
      }
      failures += 1;
      await this.#pause(failures, why);
    }
  }

  #choice(failures) {
    return this.#worked && failures < LOYAL_ROUNDS ? [this.#worked] : this.#kinds;
  }

  /** Try one kind after the other. Returns why there is no connection, or no longer. */
  async #round(kinds, signal, onConnected) {
    let why = null;
    for (const kind of kinds) {
      let connected = false;
      this.#onState({ name: "connecting", kind });
      try {
        await this.#session(kind, signal, () => {
          connected = true;
          onConnected();
        });
      } catch (error) {
        why = error;
      }
      if (signal.aborted || connected || why instanceof Refused || why instanceof Unreachable) break;
    }
    return why;
  }

  async #pause(failures, why) {
    const longest = Math.min(RETRY_MS.most, RETRY_MS.first * 2 ** (failures - 1));
    const pause_ms = Math.max(longest * (0.5 + Math.random() / 2), why.pause_ms ?? 0);
    this.#onState({ name: "waiting", why: why.message, pause_ms });
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, pause_ms);
      this.#hurry = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#hurry = () => {};
  }

  /** Connect over a link, and go on until it is lost or the hub wants no more; always throws. */
  async #session(kind, signal, onConnected) {
    const link = new kind(
      this.#url,
      (messages) => this.#receive(messages),
      (why) => this.#drop(why),
    );
    this.#link = link;
    try {
      await link.open();
      if (signal.aborted) throw new Unknown("the page disconnected");
      if (!this.#clientId) await this.#handshake(kind);
      await this.#connect(kind, { timeout: 0 });
      await link.carry?.(this.#clientId);
      this.#connected = true;
      // Also where the session was taken up: what is wanted may have changed meanwhile.
      await Promise.all([...this.#wanted.keys()].map((channel) => this.#subscribe(channel)));
      this.#worked = kind;
      onConnected();
      this.#onState({ name: "connected", kind });
      for (;;) {
        await this.#sleep(this.#advice.interval ?? 0);
        await this.#connect(kind);
      }
    } finally {
      if (this.#link === link) {
        this.#link = null;
        this.#connected = false;
      }
      link.close();
    }
  }

  async #handshake(kind) {
    const ext = {};
    if (this.#login) ext.authentication = this.#login;
    if (kind.acknowledges) ext.ack = true;
    const reply = await this.#ask({
      channel: "/meta/handshake",
      version: "1.0",
      supportedConnectionTypes: [kind.type],
      ext,
    });
    this.#heed(reply);
    if (!reply.successful) this.#fail(reply);
    this.#clientId = reply.clientId;
    this.#acknowledged = reply.ext?.ack ? 0 : null;
  }

  /** One connect. A hub that forgot the session is shaken hands with again. */
  async #connect(kind, advice) {
    const wait_ms = advice ? advice.timeout : (this.#advice.timeout ?? 0);
    const ext = this.#acknowledged === null ? undefined : { ack: this.#acknowledged };
    const reply = await this.#ask(
      { channel: "/meta/connect", connectionType: kind.type, advice, ext },
      wait_ms + PATIENCE_MS,
    );
    this.#heed(reply);
    if (reply.successful) {
      if (this.#acknowledged !== null) this.#acknowledged = reply.ext?.ack ?? this.#acknowledged;
      if (this.#advice.reconnect === "none") throw new Refused("the hub ended the session");
      return;
    }
    if (this.#advice.reconnect !== "handshake") this.#fail(reply);
    this.#clientId = null;
    if (!advice) throw new Unknown("the hub forgot the session");
    await this.#handshake(kind);
    await this.#connect(kind, advice);
  }

  #heed(reply) {
    this.#advice = { ...this.#advice, ...reply.advice };
  }

  #fail(reply) {
    this.#clientId = null;
    const why = sentence(reply.error);
    if (this.#advice.reconnect === "none") throw new Refused(why);
    throw Object.assign(new Unreachable(why), { pause_ms: reply.advice?.interval });
  }

  // Requests and their answers.

  #nextId() {
    this.#serial += 1;
    return this.#serial.toString(36);
  }

  /** Send a message, and wait for its answer. */
  #ask(message, patience_ms = PATIENCE_MS) {
    const id = this.#nextId();
    const link = this.#link;
    return new Promise((resolve, reject) => {
      if (link.closed) throw new Unknown("the connection was lost");
      const timer = setTimeout(() => link.lose(new Unknown("the hub does not answer in time")), patience_ms);
      this.#requests.set(id, { channel: message.channel, timer, resolve, reject });
      link.send([{ id, clientId: this.#clientId ?? undefined, ...message }]);
    });
  }

  /** Wait, but not longer than the link lives. */
  #sleep(pause_ms) {
    return new Promise((resolve, reject) => {
      const key = Symbol("pause");
      const timer = setTimeout(() => {
        this.#requests.delete(key);
        resolve();
      }, pause_ms);
      this.#requests.set(key, { timer, reject });
    });
  }

  /** Nothing that waits will be answered any more. */
  #drop(why) {
    const waiting = [...this.#requests.values()];
    this.#requests.clear();
    for (const { timer, reject } of waiting) {
      clearTimeout(timer);
      reject(why);
    }
  }

  #receive(messages) {
    for (const message of messages) {
      const channel = message?.channel;
      if (typeof channel !== "string") throw new SyntaxError("a message without a channel");
      // Others' ids may be in what they published, so an id alone makes no answer.
      if ("successful" in message || channel.startsWith("/meta/")) this.#settle(message);
      else this.#deliver(message);
    }
  }

  #settle(reply) {
    const request = this.#requests.get(reply.id);
    if (request?.channel !== reply.channel) return;
    this.#requests.delete(reply.id);
    clearTimeout(request.timer);
    request.resolve(reply);
  }

  // Subscriptions.

  async #subscribe(channel) {
    const reply = await this.#ask({ channel: "/meta/subscribe", subscription: channel });
    const why = reply.successful ? null : sentence(reply.error);
    this.#wanted.get(channel)?.forEach((listener) => listener.onRefused(why));
  }

  #forget(channel, listener) {
    const listeners = this.#wanted.get(channel);
    if (!listeners?.delete(listener) || listeners.size) return;
    this.#wanted.delete(channel);
    this.#matching.clear();
    if (this.#connected) {
      this.#ask({ channel: "/meta/unsubscribe", subscription: channel }).catch(() => {});
    }
  }

  #deliver({ channel, data, ext }) {
    let matching = this.#matching.get(channel);
    if (!matching) {
      matching = patterns(channel).filter((each) => this.#wanted.has(each));
      if (this.#matching.size > 1_000) this.#matching.clear();
      this.#matching.set(channel, matching);
    }
    for (const each of matching) {
      for (const { onMessage } of this.#wanted.get(each)) shielded(() => onMessage(data, channel, ext));
    }
  }
}

/** Do something whose failure is no failure of the connection. */
function shielded(act) {
  try {
    act();
  } catch (error) {
    reportError(error);
  }
}

/** What a channel may be subscribed to by: itself, then the patterns that match it (Bayeux, 2.2.1). */
export function patterns(channel) {
  const segments = channel.split("/");
  const parents = segments.map((_, depth) => segments.slice(0, depth).join("/")).slice(1);
  return [channel, `${parents.at(-1)}/*`, ...parents.map((parent) => `${parent}/**`)];
}

/** The text of an error, `403:reason:text`, for people. */
function sentence(error) {
  const [, reason, text] = /^\d+:([^:]*):(.*)$/s.exec(error ?? "") ?? [];
  return reason || text || error || "the hub said no";
}
