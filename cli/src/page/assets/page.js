// Looks at the page anew whenever the journal has moved: what was open, focused or scrolled to stays so, and what is typed.
"use strict";
(() => {
  const main = document.getElementById("main");
  const status = document.getElementById("live");
  const source = main.dataset.live;
  if (!source) return;

  // A page with a form has a part of its own that is made anew, and the rest stays.
  const parts = document.getElementById("fresh") ? ["#fresh"] : ["#main", "header"];
  let isLooking = false;
  let isLate = false;

  // How the element that has the focus is found again.
  const place = (element) => {
    const details = element?.closest("details[id]");
    if (element?.matches("summary") && details) return `#${CSS.escape(details.id)} > summary`;
    const href = element?.getAttribute?.("href");
    return href ? `a[href="${CSS.escape(href)}"]` : null;
  };

  const lookAnew = async () => {
    if (isLooking) {
      isLate = true;
      return;
    }
    isLooking = true;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      if (!answer.ok) {
        status.textContent = `This page is not kept up to date: mesosflow answers with ${answer.status}.`;
        return;
      }
      const next = new DOMParser().parseFromString(await answer.text(), "text/html");
      const open = new Set([...main.querySelectorAll("details[open][id]")].map((details) => details.id));
      for (const details of next.querySelectorAll("details[id]")) details.open = open.has(details.id);
      const focused = place(document.activeElement);
      for (const part of parts) {
        document.querySelector(part).replaceChildren(...next.querySelector(part).childNodes);
      }
      document.title = next.title;
      if (focused && document.activeElement === document.body) {
        document.querySelector(focused)?.focus({ preventScroll: true });
      }
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

  // A browser has six connections to one address: pages that nobody sees take none.
  let events = null;
  const listen = () => {
    if (document.visibilityState === "hidden") {
      events?.close();
      events = null;
    } else if (!events) {
      events = new EventSource(source);
      events.addEventListener("moved", lookAnew);
      events.addEventListener("error", () => {
        status.textContent = "mesosflow does not answer; this page is as it was last.";
      });
    }
  };
  document.addEventListener("visibilitychange", listen);
  listen();
})();
