// Money is whole numbers of minor units, from the server to the screen and back.

const digits = new Map();

/** How many decimals a currency has. */
export function decimals(currency) {
  if (!digits.has(currency)) {
    digits.set(currency, new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits);
  }
  return digits.get(currency);
}

/** "€12.50". */
export function money(amount, currency, compact = false) {
  const n = decimals(currency);
  const text = String(amount).padStart(n + 1, '0');
  const exact = n === 0 ? text : `${text.slice(0, -n)}.${text.slice(-n)}`; // as text: no rounding on the way
  return new Intl.NumberFormat('en', {
    style: 'currency', currency, ...(compact ? { notation: 'compact', maximumFractionDigits: 1 } : {}),
  }).format(exact);
}

/** The amount as it is typed: "12.50". */
export function typed(amount, currency) {
  const n = decimals(currency);
  const text = String(amount).padStart(n + 1, '0');
  return n === 0 ? text : `${text.slice(0, -n)}.${text.slice(-n)}`;
}

/** Reads what was typed; undefined if it is no amount of the currency. */
export function minor(text, currency) {
  const n = decimals(currency);
  const m = /^(\d{1,11})(?:[.,](\d*))?$/.exec(text.trim());
  if (!m || (m[2] ?? '').length > n) return undefined;
  const amount = Number(m[1] + (m[2] ?? '').padEnd(n, '0'));
  return amount >= 1 && amount <= 99_999_999_999 ? amount : undefined;
}
