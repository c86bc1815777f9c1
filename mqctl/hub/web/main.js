// The page: one connection, and the views of what comes over it.

import { Bayeux } from "./bayeux.js";
import { speaker } from "./drawing.js";
import { LINKS } from "./links.js";
import * as rect from "./rect.js";
import { Status } from "./status.js";
import { tabs } from "./tabs.js";

const find = (id) => document.getElementById(id);

let seen = "";
const speak = speaker(find("spoken"));
const speakFor = (name) => (text) => seen === name && speak(text);

const views = {
  rect: new rect.Rect(speakFor("rect")),
};

const client = new Bayeux(new URL("bayeux", document.baseURI), LINKS, (state) => status.show(state));
const status = new Status(
  (login, kinds) => client.start(login, kinds),
  () => client.hurry(),
);

const channels = { rect: rect.CHANNEL };
for (const [name, channel] of Object.entries(channels)) {
  const problem = find(`${name}-problem`);
  client.subscribe(
    channel,
    (data) => views[name].observe(data),
    (why) => (problem.textContent = why ? `The hub refuses this subscription: ${why}` : ""),
  );
}

tabs((name) => {
  seen = name;
  views[name]?.show();
});

addEventListener("online", () => client.hurry());
addEventListener("pagehide", () => client.stop());
addEventListener("pageshow", (event) => event.persisted && status.connect());
status.connect();
