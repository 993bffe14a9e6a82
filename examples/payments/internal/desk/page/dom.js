// The little that is needed to build elements. Text is only ever text: nothing
// is parsed as HTML, and the policy of the page forbids it.

/** Makes an element. Properties that begin with "on" are listeners. */
export function h(name, properties = {}, ...children) {
  return fill(document.createElement(name), properties, children);
}

/** The same for SVG. */
export function svg(name, properties = {}, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', name), properties, children);
}

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === false || value === null) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat(Infinity).filter((c) => c !== undefined && c !== null && c !== false));
  return element;
}

const lifeOf = { toasts: 5_000, alerts: 9_000 };

/** Says something in passing; `alerts` are read out at once. While a dialog is open, nothing else can be heard. */
export function say(text, where = 'toasts') {
  const toast = h('p', { class: 'toast' }, text);
  const dialog = where === 'alerts' && document.querySelector('dialog[open] .said');
  (dialog || document.getElementById(where)).append(toast);
  setTimeout(() => toast.remove(), lifeOf[where]);
}
