// The list of payments.
import { h } from './dom.js';
import { money } from './money.js';
import { newest } from './store.js';

export const words = {
  authorized: 'Authorized', captured: 'Captured', partially_refunded: 'Partly refunded', refunded: 'Refunded',
  voided: 'Voided', declined: 'Declined', expired: 'Expired',
};

export const chip = (status) => h('span', { class: 'chip', 'data-status': status }, words[status]);

export const card = (p) => `${brands[p.card.brand] ?? p.card.brand} •••• ${p.card.last4}`;

const brands = { visa: 'Visa', mastercard: 'Mastercard', amex: 'Amex' };

const clock = new Intl.DateTimeFormat('en', { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
export const when = (p) => h('time', { datetime: p.created_at, title: p.created_at }, clock.format(new Date(p.created_at)));

/** Makes the list; `open` shows a payment. The result draws itself again. */
export function list(open) {
  const step = 20;
  let status = '', shown = step;
  const rows = new Map(); // by id: version and element
  const body = h('ul', { class: 'rows', 'aria-label': 'Payments' });
  const empty = h('p', { class: 'empty', hidden: true }, 'No payments here yet.');
  const more = h('button', { class: 'quiet wide', type: 'button', onclick: () => { shown += step; draw(); } }, 'Show more');
  const filters = h('div', { class: 'filters', role: 'group', 'aria-label': 'Status' },
    ['', 'authorized', 'captured', 'refunded', 'declined'].map((s) => h('button', {
      type: 'button', 'aria-pressed': String(s === ''), 'data-filter': s || 'all', onclick(e) {
        status = s;
        shown = step;
        for (const b of filters.children) b.setAttribute('aria-pressed', String(b === e.currentTarget));
        draw();
      },
    }, s === '' ? 'All' : words[s])));

  function row(p) {
    const left = p.captured_amount > 0 && p.captured_amount < p.amount ? `${money(p.captured_amount, p.currency)} captured` : undefined;
    const back = p.refunded_amount > 0 ? `${money(p.refunded_amount, p.currency)} refunded` : undefined;
    return h('li', { class: 'row', id: p.id, 'data-status': p.status },
      h('button', { type: 'button', class: 'open', onclick: () => open(p.id) }, p.reference),
      h('span', { class: 'card' }, card(p)),
      chip(p.status),
      h('span', { class: 'sum' }, money(p.amount, p.currency),
        h('small', {}, [left, back, p.decline_code?.replaceAll('_', ' ')].filter(Boolean).join(' · '))),
      h('span', { class: 'at' }, when(p)));
  }

  let settled = false;
  function draw() {
    const all = newest(status), some = all.slice(0, shown);
    const keep = new Set(some.map((p) => p.id));
    for (const [id, known] of rows) {
      if (keep.has(id)) continue;
      known.element.remove();
      rows.delete(id);
    }
    some.forEach((p, i) => {
      const known = rows.get(p.id);
      let element = known?.element;
      if (known?.version !== p.version) {
        element = row(p);
        if (settled) element.classList.add('news');
        if (known) {
          const focused = known.element.contains(document.activeElement);
          known.element.replaceWith(element);
          if (focused) element.querySelector('.open').focus();
        }
        rows.set(p.id, { version: p.version, element });
      }
      if (body.children[i] !== element) body.insertBefore(element, body.children[i] ?? null);
    });
    empty.hidden = all.length > 0;
    more.hidden = all.length <= shown;
  }

  /** What comes after this is news. */
  const settle = () => { draw(); settled = true; };
  return { draw, settle, element: h('section', { class: 'panel', 'aria-labelledby': 'list-title' }, h('div', { class: 'head' }, h('h2', { id: 'list-title' }, 'Payments'), filters), body, empty, more) };
}
