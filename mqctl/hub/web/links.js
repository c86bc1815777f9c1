// What messages travel by. A link is opened once, sends arrays of messages, hands on what comes, and is lost once.

const OPEN_MS = 5_000;
const BATCH = 500; // messages in a request; the hub takes 1,000

/** The hub cannot be reached at all, so that no other kind of link would help. */
export class Unreachable extends Error {}

class Link {
  /**
   * @param {URL} url Where Bayeux is.
   * @param {(messages: object[]) => void} onMessages Told every array that comes.
   * @param {(why: Error) => void} onLost Told once, if the link ends by itself.
   */
  constructor(url, onMessages, onLost) {
    this.url = url;
    this.onMessages = onMessages;
    this.onLost = onLost;
    this.closed = false;
  }

  take(text) {
    try {
      const messages = JSON.parse(text);
      if (!Array.isArray(messages)) throw new SyntaxError("no array");
      this.onMessages(messages);
    } catch (error) {
      this.lose(error instanceof SyntaxError ? new Error("what came is not Bayeux") : error);
    }
  }

  lose(why) {
    if (this.closed) return;
    this.close();
    this.onLost(why);
  }

  close() {
    this.closed = true;
  }
}

export class WebSocketLink extends Link {
  static type = "websocket";
  static title = "WebSocket";

  open() {
    const url = new URL(this.url);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = (this.socket = new WebSocket(url));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => socket.close(), OPEN_MS);
      socket.onopen = () => {
        clearTimeout(timer);
        resolve();
      };
      socket.onmessage = (event) => this.take(event.data);
      socket.onclose = (event) => {
        clearTimeout(timer);
        reject(new Error("no WebSocket could be opened"));
        this.lose(new Error(event.reason || "the WebSocket was closed"));
      };
    });
  }

  send(messages) {
    this.socket.send(JSON.stringify(messages));
  }

  /** Say the last word while the page goes away. */
  part(messages) {
    if (this.socket.readyState === WebSocket.OPEN) this.send(messages);
    this.close();
  }

  close() {
    super.close();
    this.socket?.close(1000);
  }
}

/** Requests, each of which waits for its answer: one for connects, and one at a time for everything else. */
export class PollingLink extends Link {
  static type = "long-polling";
  static title = "long-polling";
  static acknowledges = true; // its two requests could overtake each other (CometD, "metaConnectDeliverOnly")

  constructor(...args) {
    super(...args);
    this.leaving = new AbortController();
    this.waiting = [];
    this.busy = false;
  }

  async open() {}

  send(messages) {
    if (messages[0].channel === "/meta/connect") {
      this.post(messages);
    } else {
      this.waiting.push(...messages);
      this.flush();
    }
  }

  async flush() {
    if (this.busy) return;
    this.busy = true;
    while (this.waiting.length && !this.closed) await this.post(this.waiting.splice(0, BATCH));
    this.busy = false;
  }

  async post(messages) {
    try {
      const response = await this.ask(messages, { signal: this.leaving.signal });
      const text = await response.text();
      if (response.ok) this.take(text);
      else this.lose(new Error(`the hub answered ${response.status}: ${text.trim()}`));
    } catch (error) {
      this.lose(new Unreachable("the hub does not answer", { cause: error }));
    }
  }

  ask(messages, options) {
    return fetch(this.url, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(messages),
      cache: "no-store",
      ...options,
    });
  }

  part(messages) {
    this.close();
    this.ask(messages, { keepalive: true }).catch(() => {});
  }

  close() {
    super.close();
    this.leaving.abort();
  }
}

/** The same, with a stream by which messages come. */
export class EventSourceLink extends PollingLink {
  static type = "eventsource";
  static title = "server-sent events";
  static acknowledges = false;

  /** Open the stream of a session, which its id names (as Faye does). */
  carry(clientId) {
    const stream = (this.stream = new EventSource(`${this.url}/${clientId}`));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => stream.onerror(), OPEN_MS);
      stream.onopen = () => {
        clearTimeout(timer);
        resolve();
      };
      stream.onmessage = (event) => this.take(event.data);
      // It would try again by itself, but for ever and without a word.
      stream.onerror = () => {
        clearTimeout(timer);
        reject(new Error("no stream of events could be opened"));
        this.lose(new Error("the stream of events ended"));
      };
    });
  }

  close() {
    super.close();
    this.stream?.close();
  }
}

/** Best first. */
export const LINKS = [WebSocketLink, EventSourceLink, PollingLink];
