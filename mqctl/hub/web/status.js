// How the connection is, what it goes over, and the password that a hub may want.

import { find } from "./drawing.js";
import { LINKS } from "./links.js";

/** Show the states of a client. */
export class Status {
  /**
   * @param {(login: object | undefined, kinds: Function[]) => void} onConnect Wants a new connection.
   * @param {() => void} onHurry Wants no more waiting.
   */
  constructor(onConnect, onHurry) {
    this.onConnect = onConnect;
    this.asked = false; // whether a password was
    this.refused = false;
    find("again").addEventListener("click", () => (this.refused ? this.connect() : onHurry()));
    find("transport").value = new URLSearchParams(location.search).get("transport") ?? "";
    if (find("transport").selectedIndex < 0) find("transport").value = "";
    find("transport").addEventListener("change", () => this.choose());
    find("login").addEventListener("submit", (event) => {
      event.preventDefault();
      this.connect({ user: find("user").value, password: find("password").value });
    });
  }

  /** Begin a connection over what was chosen. */
  connect(login) {
    const type = find("transport").value;
    this.onConnect(login, type ? LINKS.filter((kind) => kind.type === type) : LINKS);
  }

  choose() {
    const address = new URL(location);
    const type = find("transport").value;
    if (type) address.searchParams.set("transport", type);
    else address.searchParams.delete("transport");
    history.replaceState(null, "", address);
    this.connect();
  }

  show(state) {
    find("state").dataset.state = state.name;
    find("state-text").textContent = words(state);
    this.refused = state.name === "refused";
    // While it tries, the button stays as it is: somebody may be about to press it.
    if (state.name !== "connecting") find("again").hidden = state.name === "connected" || Boolean(state.login);
    if (state.name === "connected") find("password").value = "";
    this.showLogin(this.refused && state.login, state.why);
  }

  showLogin(wanted, why) {
    const form = find("login");
    const appears = wanted && form.hidden;
    if (wanted) {
      find("login-problem").textContent = this.asked ? why : "";
      this.asked = true;
    } else if (form.hidden === false && find("state").dataset.state === "connecting") {
      return; // until it is known whether the password is right
    }
    form.hidden = !wanted;
    if (appears) find("user").focus();
  }
}

function words(state) {
  switch (state.name) {
    case "connecting":
      return `connecting over ${state.kind.title}`;
    case "connected":
      return `connected over ${state.kind.title}`;
    case "waiting":
      return `not connected: ${state.why}`;
    case "refused":
      return `refused: ${state.why}`;
  }
}
