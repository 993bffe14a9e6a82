// The form that takes a test payment.
import { h, say } from './dom.js';
import { minor, money } from './money.js';
import { know } from './store.js';
import { ConnectionError, isProblem } from './payments.js';

const cards = [
  ['Approved', [['4242424242424242', 'Visa'], ['5555555555554444', 'Mastercard'], ['378282246310005', 'American Express'], ['4000000000006975', 'Visa, network takes 2 s']]],
  ['Declined', [['4000000000000002', 'Card declined'], ['4000000000009995', 'Insufficient funds'], ['4000000000000069', 'Expired card'], ['4000000000000127', 'Wrong CVC'], ['4000000000000119', 'Processing error']]],
];

const grouped = (number) => (number.startsWith('3') ? number.replace(/^(.{4})(.{6})/, '$1 $2 ') : number.replace(/(.{4})(?=.)/g, '$1 '));

const reference = () => `order-${String(1000 + Math.floor(Math.random() * 9000))}`;

/** A labelled field with room for what is wrong with it. */
export function field(name, text, control) {
  const id = `field-${name}-${Math.random().toString(36).slice(2, 8)}`;
  control.id = id;
  control.setAttribute('name', name);
  const wrong = h('small', { class: 'wrong', id: `${id}-wrong`, hidden: true });
  control.setAttribute('aria-describedby', wrong.id);
  return h('div', { class: 'field', 'data-field': name }, h('label', { for: id }, text), control, wrong);
}

/** Shows what the service has against an input; returns what belongs to no field. */
export function blame(form, violations) {
  const rest = [];
  for (const f of form.querySelectorAll('[data-field]')) mark(f, '');
  for (const v of violations) {
    const f = form.querySelector(`[data-field="${CSS.escape(v.pointer.split('/')[1] ?? '')}"]`);
    if (f) mark(f, v.detail);
    else rest.push(v.detail);
  }
  form.querySelector('[aria-invalid=true]')?.focus();
  return rest;
}

function mark(f, text) {
  const control = f.querySelector('input, select'), wrong = f.querySelector('.wrong');
  control.setAttribute('aria-invalid', String(text !== ''));
  wrong.textContent = text;
  wrong.hidden = text === '';
}

/** Tells what went wrong, as far as it can be told. */
export function explain(error) {
  if (isProblem(error, 'card_declined')) return `Declined: ${String(error.problem.decline_code).replaceAll('_', ' ')}.`;
  if (isProblem(error)) return error.problem.detail ?? `${error.problem.title}.`;
  if (error instanceof ConnectionError) return 'The service cannot be reached. Try again: nothing is charged twice.';
  return error.message;
}

/** Makes the form. Staff say for whom a payment is. */
export function form(api, merchants) {
  const amount = h('input', { inputmode: 'decimal', autocomplete: 'off', required: true, value: '49.00' });
  const currency = h('select', {}, ['EUR', 'USD', 'GBP', 'JPY'].map((c) => h('option', {}, c)));
  const card = h('select', {}, cards.map(([name, some]) => h('optgroup', { label: name }, some.map(([n, text]) => h('option', { value: n }, `${grouped(n)} · ${text}`)))));
  const order = h('input', { autocomplete: 'off', required: true, maxlength: 64, value: reference() });
  const payee = h('select', {}, merchants.map((m) => h('option', { value: m.id }, m.name)));
  const capture = h('input', { type: 'checkbox', id: 'capture-now' });
  const pay = h('button', { class: 'main wide', type: 'submit' }, 'Take payment');

  // What was sent and had no answer is sent again under its key, so that it is
  // not charged twice, for as long as nothing about it is changed.
  let unanswered;
  const element = h('form', {
    class: 'panel pay', 'aria-labelledby': 'pay-title', novalidate: true,
    async onsubmit(e) {
      e.preventDefault();
      const sum = minor(amount.value, currency.value);
      if (sum === undefined) {
        blame(element, [{ pointer: '/amount', detail: 'Give an amount such as 49.00' }]);
        return;
      }
      const input = {
        amount: sum, currency: currency.value, reference: order.value.trim(), capture: capture.checked,
        card: { number: card.value, exp_month: 12, exp_year: new Date().getFullYear() + 3, cvc: card.value.startsWith('3') ? '1234' : '123' },
        ...(merchants.length > 0 ? { merchant_id: payee.value } : {}),
      };
      const same = JSON.stringify(input);
      if (unanswered?.same !== same) unanswered = { same, key: crypto.randomUUID() };
      pay.disabled = true;
      pay.setAttribute('aria-busy', 'true');
      try {
        const payment = await api.payments.authorize(input, { idempotencyKey: unanswered.key });
        unanswered = undefined;
        blame(element, []);
        know(payment);
        say(`${payment.reference}: ${money(payment.amount, payment.currency)} ${payment.status}.`);
        order.value = reference();
      } catch (error) {
        if (!(error instanceof ConnectionError)) unanswered = undefined;
        const rest = isProblem(error, 'invalid') ? blame(element, error.problem.errors) : [explain(error)];
        if (isProblem(error, 'card_declined')) order.value = reference();
        for (const text of rest) say(text, 'alerts');
      } finally {
        pay.disabled = false;
        pay.removeAttribute('aria-busy');
      }
    },
  },
  h('h2', { id: 'pay-title' }, 'Test payment'),
  h('div', { class: 'two' }, field('amount', 'Amount', amount), field('currency', 'Currency', currency)),
  field('card', 'Card', card),
  field('reference', 'Reference', order),
  merchants.length > 0 ? field('merchant_id', 'Merchant', payee) : undefined,
  h('label', { class: 'check', for: 'capture-now' }, capture, ' Capture at once'),
  pay,
  h('p', { class: 'hint' }, 'Test cards only: nothing is charged, and no number is kept.'));
  return element;
}
