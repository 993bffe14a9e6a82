// One payment in a dialog: what it is, and what can be done with it.
import { h, say } from './dom.js';
import { minor, money, typed } from './money.js';
import { blame, explain, field } from './form.js';
import { card, chip, when } from './list.js';
import { find, know, watch } from './store.js';
import { isProblem } from './payments.js';

/** Shows a payment until it is closed, as it is at each moment. */
export function detail(api, may, id) {
  const dialog = document.getElementById('detail'), inside = dialog.querySelector('.content');
  let drawn;
  const draw = () => {
    const p = find(id);
    if (!p || drawn === p.version) return;
    const focused = dialog.contains(document.activeElement) && drawn !== undefined;
    drawn = p.version;
    inside.replaceChildren(...content(p));
    if (focused) dialog.querySelector('.close').focus();
  };
  const unwatch = watch(draw);
  dialog.addEventListener('close', () => { unwatch(); for (const part of dialog.children) part.replaceChildren(); }, { once: true });
  draw();
  dialog.showModal();

  function content(p) {
    const open = p.captured_amount - p.refunded_amount;
    return [
      h('div', { class: 'head' }, h('h2', { id: 'detail-title' }, p.reference),
        h('button', { class: 'quiet close', type: 'button', 'aria-label': 'Close', onclick: () => dialog.close() }, '✕')),
      h('p', { class: 'big' }, money(p.amount, p.currency), ' ', chip(p.status)),
      progress(p),
      h('dl', { class: 'facts' },
        fact('Card', `${card(p)}, ${String(p.card.exp_month).padStart(2, '0')}/${p.card.exp_year}`),
        fact('Captured', money(p.captured_amount, p.currency)),
        fact('Refunded', money(p.refunded_amount, p.currency)),
        p.decline_code ? fact('Declined', p.decline_code.replaceAll('_', ' ')) : [],
        fact('Made', when(p)),
        fact('Payment', h('code', {}, p.id))),
      p.refunded_amount > 0 ? refunds(p) : undefined,
      may.write && p.status === 'authorized' ? action(p, 'Capture', p.amount, 'The rest is released.',
        (amount) => api.payments.capture({ id: p.id, ...(amount === p.amount ? {} : { amount }) })) : undefined,
      may.write && p.status === 'authorized' ? h('button', {
        class: 'quiet wide danger', type: 'button', onclick: (e) => run(e.currentTarget, 'voided', () => api.payments.void({ id: p.id })),
      }, 'Void') : undefined,
      may.refund && open > 0 ? action(p, 'Refund', open, undefined, (amount) => api.payments.refund({ id: p.id, amount })) : undefined,
    ].filter((x) => x !== undefined);
  }

  function action(p, name, most, hint, send) {
    const amount = h('input', { inputmode: 'decimal', autocomplete: 'off', value: typed(most, p.currency) });
    const button = h('button', { class: 'main', type: 'submit' }, name);
    const form = h('form', {
      class: 'action', novalidate: true, 'data-action': name.toLowerCase(), onsubmit(e) {
        e.preventDefault();
        const sum = minor(amount.value, p.currency);
        if (sum === undefined || sum > most) {
          blame(form, [{ pointer: '/amount', detail: `Up to ${money(most, p.currency)}` }]);
          return;
        }
        void run(button, `${name.toLowerCase()}${name.endsWith('e') ? 'd' : 'ed'}`, () => send(sum), form);
      },
    }, field('amount', `${name} (${p.currency})`, amount), button, hint ? h('p', { class: 'hint' }, hint) : undefined);
    return form;
  }

  async function run(button, done, send, form) {
    button.disabled = true;
    try {
      const answer = await send();
      know(answer.payment_id === undefined ? answer : await api.payments.get({ id }));
      const p = find(id);
      say(`${p.reference}: ${done}.`);
    } catch (error) {
      const rest = form && isProblem(error, 'invalid') ? blame(form, error.problem.errors) : [explain(error)];
      for (const text of rest) say(text, 'alerts');
      if (isProblem(error, 'payment_wrong_state', 'stale')) api.payments.get({ id }).then(know, () => undefined); // somebody was quicker
    } finally {
      button.disabled = false;
    }
  }

  function refunds(p) {
    const list = h('ul', { class: 'refunds' });
    api.payments.refunds({ id: p.id, limit: 20 }).then((page) => {
      list.append(...page.data.map((r) => h('li', {}, h('span', {}, money(r.amount, r.currency)), h('span', {}, when(r)), r.reason ? h('span', {}, r.reason) : undefined)));
    }, () => list.remove());
    return list;
  }
}

const fact = (name, value) => [h('dt', {}, name), h('dd', {}, value)];

/** How much of a payment is captured, and how much of that given back. */
function progress(p) {
  const share = (n) => Math.round((n / p.amount) * 100);
  return h('div', { class: 'shares' },
    h('progress', { max: 100, value: share(p.captured_amount), 'aria-label': `${share(p.captured_amount)} % captured` }),
    p.refunded_amount > 0 ? h('progress', { class: 'back', max: 100, value: share(p.refunded_amount), 'aria-label': `${share(p.refunded_amount)} % refunded` }) : undefined);
}
