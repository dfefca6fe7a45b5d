/* global document, DOMParser, fetch, location, setTimeout */
// Reads the page again every 2 s and changes only what differs, so scroll positions, selections and open details stay.
// Without JavaScript the page is reloaded by itself instead.
const PERIOD_MS = 2000;
const lost = document.getElementById("lost");

function isAtEnd(element) {
  return element.scrollHeight - element.scrollTop - element.clientHeight < 20;
}

/** Follows every log but those in which someone has scrolled back. */
function scrollToEnd(readBack) {
  for (const log of document.querySelectorAll("[data-follow]")) {
    if (!readBack.includes(log)) log.scrollTop = log.scrollHeight;
  }
}

function morph(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== 1 || old.nodeName !== fresh.nodeName || old.id !== fresh.id) {
    old.replaceWith(fresh);
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (name !== "open" && !fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const { name, value } of [...fresh.attributes]) old.setAttribute(name, value);
  const before = [...old.childNodes];
  const after = [...fresh.childNodes];
  after.forEach((node, at) => (at < before.length ? morph(before[at], node) : old.append(node)));
  for (const node of before.slice(after.length)) node.remove();
}

async function refresh() {
  const response = await fetch(location.href, { cache: "no-store" });
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  const open = [...document.querySelectorAll("details[open]")].map(({ id }) => id);
  const readBack = [...document.querySelectorAll("[data-follow]")].filter((log) => !isAtEnd(log));
  document.title = fresh.title;
  for (const part of ["header", "main"]) {
    morph(document.querySelector(part), fresh.querySelector(part));
  }
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  scrollToEnd(readBack);
}

async function keepFresh() {
  if (!document.hidden) {
    try {
      await refresh();
      lost.hidden = true;
    } catch {
      lost.hidden = false;
    }
  }
  setTimeout(keepFresh, PERIOD_MS);
}

scrollToEnd([]);
setTimeout(keepFresh, PERIOD_MS);
