// The page: who is signed in, what they see, and how it stays true.
import { approval, figure, percent, volume } from './charts.js';
import { detail } from './detail.js';
import { h, say } from './dom.js';
import { blame, explain, field, form } from './form.js';
import { list } from './list.js';
import { money } from './money.js';
import { byDay, currencies, days, forget, know, load, watch } from './store.js';
import { Payments, isProblem, storedTokens } from './payments.js';

const main = document.getElementById('main'), bar = document.getElementById('bar'), live = document.getElementById('live');
const demo = document.documentElement.dataset.demo === 'on';

let leave = new AbortController(); // ends what belongs to the one who is signed in

const api = new Payments({ tokens: storedTokens(localStorage), onSignedOut: () => signIn('Your session has ended. Sign in again.') });

document.getElementById('leave').addEventListener('click', async () => {
  leaving = true;
  await api.signOut().catch(() => undefined); // forgotten here in any case
  leaving = false;
  signIn();
});
let leaving = false;

// Somebody who signs out in another tab has signed out here too.
addEventListener('storage', () => { if (!bar.hidden && !api.tokens.get()) signIn(); });

/** The form for those who are not signed in. */
function signIn(notice) {
  if (leaving) notice = undefined;
  leave.abort();
  forget();
  document.getElementById('detail').close();
  bar.hidden = true;
  const email = h('input', { type: 'email', autocomplete: 'username', required: true });
  const password = h('input', { type: 'password', autocomplete: 'current-password', required: true });
  const enter = h('button', { class: 'main wide', type: 'submit' }, 'Sign in');
  const element = h('form', {
    class: 'panel door', novalidate: true, 'aria-labelledby': 'door-title', async onsubmit(e) {
      e.preventDefault();
      enter.disabled = true;
      try {
        await api.auth.login({ email: email.value.trim(), password: password.value });
        await work();
      } catch (error) {
        const rest = isProblem(error, 'invalid') ? blame(element, error.problem.errors)
          : [isProblem(error, 'credentials_wrong') ? 'This address and password do not belong together.' : explain(error)];
        for (const text of rest) say(text, 'alerts');
      } finally {
        enter.disabled = false;
      }
    },
  },
  h('img', { src: '/page/mark.svg', alt: '', width: 44, height: 44 }),
  h('h1', { id: 'door-title' }, 'Payments'),
  notice ? h('p', { class: 'notice', role: 'status' }, notice) : undefined,
  field('email', 'E-mail', email), field('password', 'Password', password), enter,
  demo ? h('div', { class: 'demo', role: 'group', 'aria-label': 'Demonstration' },
    h('p', { class: 'hint' }, 'Or look around as one of the demonstration:'),
    ['merchant', 'rival', 'support', 'auditor', 'admin'].map((name) => h('button', {
      type: 'button', class: 'quiet', 'data-demo-user': name, onclick() {
        email.value = `${name}@demo.test`;
        password.value = 'square-and-true';
        element.requestSubmit();
      },
    }, name))) : undefined);
  main.replaceChildren(element);
  email.focus();
}

/** The page of somebody who is signed in. */
async function work() {
  leave.abort();
  leave = new AbortController();
  const { signal } = leave;
  const me = await api.auth.me({ signal });
  const may = Object.fromEntries([['write', 'payments:write'], ['refund', 'refunds:write'], ['events', 'events:read'], ['merchants', 'merchants:read']]
    .map(([name, permission]) => [name, me.permissions.includes(permission)]));
  const merchants = may.write && me.merchant_id === undefined && may.merchants ? (await api.merchants.list({ limit: 100 }, { signal })).data : [];
  document.getElementById('who').textContent = me.email;
  bar.hidden = false;

  const rows = list((id) => detail(api, may, id));
  const figures = h('dl', { class: 'figures' });
  const picker = h('select', { 'aria-label': 'Currency', onchange() { wanted = picker.value; draw(); } });
  let wanted = '';
  const left = h('div', { class: 'chart' }), right = h('div', { class: 'chart' });
  const draw = () => {
    const some = currencies();
    const chosen = some.includes(wanted) ? wanted : some[0] ?? 'EUR';
    if ([...picker.options].map((o) => o.value).join() !== some.join()) picker.replaceChildren(...some.map((c) => h('option', { value: c }, c)));
    picker.value = chosen;
    const data = byDay(chosen);
    const sum = (member) => data.reduce((n, d) => n + d[member], 0);
    figures.replaceChildren(
      figure('Captured', money(sum('volume'), chosen), `${days} days`),
      figure('Refunded', money(sum('refunded'), chosen), `${days} days`),
      figure('Approval rate', sum('asked') > 0 ? percent(sum('approved') / sum('asked')) : '–', `${sum('asked')} payments`),
      figure('Today', String(data.at(-1).asked), 'payments'));
    left.replaceChildren(volume(data, chosen));
    right.replaceChildren(approval(data));
    rows.draw();
  };
  const unwatch = watch(draw);
  signal.addEventListener('abort', unwatch);
  main.replaceChildren(
    h('h1', { class: 'unseen' }, 'Payments'),
    figures,
    h('div', { class: 'charts' },
      h('section', { class: 'panel', 'aria-labelledby': 'volume-title' }, h('div', { class: 'head' }, h('h2', { id: 'volume-title' }, 'Captured volume'), picker), left),
      h('section', { class: 'panel', 'aria-labelledby': 'approval-title' }, h('div', { class: 'head' }, h('h2', { id: 'approval-title' }, 'Approval rate'), h('span', { class: 'hint' }, 'over seven days')), right)),
    h('div', { class: may.write ? 'desk' : 'desk alone' }, rows.element, may.write ? form(api, merchants) : undefined));
  draw();
  main.focus({ preventScroll: true });
  scrollTo(0, 0);
  const read = () => load(api, signal).then(rows.settle, (error) => { if (!signal.aborted) say(explain(error), 'alerts'); });
  if (may.events) void follow(signal, read);
  else {
    state('still', 'Not live');
    void read();
  }
}

function state(name, text) {
  if (live.dataset.state === name) return;
  live.dataset.state = name;
  live.textContent = text;
}

/** Keeps what is shown true. A stream that goes on where it was has missed nothing; otherwise all is read again. */
async function follow(signal, read) {
  while (!signal.aborted) {
    try {
      const events = api.events.stream({}, {
        signal, onState(s) {
          if (signal.aborted) return;
          if (s.state === 'waiting') return state('waiting', 'Reconnecting');
          state('live', 'Live');
          // From now on nothing is missed, so that what is read now is all there is.
          if (!s.resumed) void read();
        },
      });
      for await (const e of events) know(e.data);
    } catch (error) {
      if (signal.aborted || !api.tokens.get()) return;
      if (isProblem(error, 'events_reset')) continue; // too long away: begin anew
      state('still', 'Not live');
      say(explain(error), 'alerts');
      return;
    }
  }
}

if (api.tokens.get()) {
  work().catch((error) => {
    if (api.tokens.get()) say(explain(error), 'alerts');
    signIn();
  });
} else {
  signIn();
}
