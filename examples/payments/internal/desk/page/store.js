// What the page knows of payments, by whichever way it came to know it: a list, a
// stream, an answer. The higher version wins, so the order of arrival is no matter.

export const days = 30;
const most = 2_000;

const payments = new Map();
const listeners = new Set();
let due = false;

/** Calls back after changes, once for all of a moment. */
export function watch(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Takes a payment; returns whether it says anything new. */
export function know(payment) {
  const known = payments.get(payment.id);
  if (known && known.version >= payment.version) return false;
  payments.set(payment.id, payment);
  if (!due) {
    due = true;
    setTimeout(() => {
      due = false;
      for (const l of listeners) l();
    }, 16);
  }
  return true;
}

export const find = (id) => payments.get(id);

export function forget() {
  payments.clear();
}

/** Reads what there is. */
export async function load(api, signal) {
  const since = new Date(Date.now() - days * 86_400_000);
  let n = 0;
  for await (const p of api.payments.list({ created_after: since, limit: 100 }, { signal })) {
    know(p);
    if (++n === most) break;
  }
}

/** The payments, newest first. */
export function newest(status = '') {
  return [...payments.values()].filter((p) => status === '' || p.status === status)
    .sort((a, b) => (a.created_at === b.created_at ? (a.id < b.id ? 1 : -1) : a.created_at < b.created_at ? 1 : -1));
}

/** What the plots show: by day what was captured in a currency, and how many of the payments were approved. */
export function byDay(currency) {
  const all = [];
  const midnight = new Date();
  midnight.setUTCHours(0, 0, 0, 0);
  for (let i = days - 1; i >= 0; i--) {
    all.push({ day: new Date(midnight.getTime() - i * 86_400_000).toISOString().slice(0, 10), volume: 0, approved: 0, asked: 0, refunded: 0 });
  }
  const at = new Map(all.map((d) => [d.day, d]));
  for (const p of payments.values()) {
    const d = at.get(p.created_at.slice(0, 10));
    if (!d) continue;
    d.asked++;
    if (p.status !== 'declined') d.approved++;
    if (p.currency === currency) {
      d.volume += p.captured_amount;
      d.refunded += p.refunded_amount;
    }
  }
  return all;
}

/** The currencies that there are payments in, the most used first. */
export function currencies() {
  const n = new Map();
  for (const p of payments.values()) n.set(p.currency, (n.get(p.currency) ?? 0) + 1);
  return [...n].sort((a, b) => b[1] - a[1]).map(([c]) => c);
}
