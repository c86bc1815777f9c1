// Tabs as the ARIA practices describe them: one of them is in the order of the Tab key, arrows lead to the others.

/** Make them work; `onShow(name)` is called for the panel that is seen. The address remembers it. */
export function tabs(onShow) {
  const all = [...document.querySelectorAll("[role=tab]")];
  const nameOf = (tab) => tab.getAttribute("aria-controls");
  const select = (chosen) => {
    for (const tab of all) {
      tab.setAttribute("aria-selected", String(tab === chosen));
      tab.tabIndex = tab === chosen ? 0 : -1;
      document.getElementById(nameOf(tab)).hidden = tab !== chosen;
    }
    onShow(nameOf(chosen));
  };
  const choose = (tab) => {
    select(tab);
    tab.focus();
    history.replaceState(null, "", `#${nameOf(tab)}`);
  };
  const named = () => all.find((tab) => `#${nameOf(tab)}` === location.hash) ?? all[0];
  all.forEach((tab, n) => {
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", (event) => {
      const to = { ArrowRight: n + 1, ArrowLeft: n - 1, Home: 0, End: all.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      choose(all.at(to % all.length));
    });
  });
  addEventListener("hashchange", () => select(named()));
  select(named());
}
