// Looks at the page anew whenever the journal has moved: what was open, focused or scrolled to stays so.
"use strict";
(() => {
  const main = document.getElementById("main");
  const status = document.getElementById("live");
  const source = main.dataset.live;
  if (!source) return;

  let isLooking = false;
  let isLate = false;

  const lookAnew = async () => {
    if (isLooking) {
      isLate = true;
      return;
    }
    isLooking = true;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      if (!answer.ok) throw new Error(String(answer.status));
      const next = new DOMParser().parseFromString(await answer.text(), "text/html");
      const open = new Set([...main.querySelectorAll("details[open][id]")].map((details) => details.id));
      for (const details of next.querySelectorAll("details[id]")) details.open = open.has(details.id);
      const focused = document.activeElement?.closest("details[id]")?.id;
      for (const part of ["main", "header"]) {
        const here = document.querySelector(part);
        here.replaceChildren(...next.querySelector(part).childNodes);
      }
      document.title = next.title;
      if (focused) document.getElementById(focused)?.querySelector("summary")?.focus({ preventScroll: true });
      status.textContent = `Up to date at ${new Date().toLocaleTimeString()}.`;
    } catch {
      status.textContent = "This page is not kept up to date any more: mesosflow does not answer.";
    } finally {
      isLooking = false;
      if (isLate) {
        isLate = false;
        setTimeout(lookAnew, 250);
      }
    }
  };

  const events = new EventSource(source);
  events.addEventListener("moved", lookAnew);
  events.addEventListener("error", () => {
    status.textContent = "mesosflow does not answer; this page is as it was last.";
  });
})();
