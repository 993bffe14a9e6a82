// The merchant page in a real browser, used as people use it.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, afterEach, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { Payments } from './payments.js';
import { baseUrl, cutAll, kill, loseAnswer, password, refuse, restart, stall, until } from './stage.mjs';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const wait = 100_000;

let browser;
let noise = []; // what must not be: exceptions, violations of the policy, requests to elsewhere
let contexts = [];
before(async () => {
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox', '--disable-dev-shm-usage'], timeout: 60_000 });
});
after(() => browser?.close());
afterEach(async () => {
  await Promise.all(contexts.map((c) => c.close()));
  contexts = [];
  const found = noise;
  noise = [];
  assert.deepEqual(found, []);
});

async function open({ width = 1280, height = 900, scheme = 'light' } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme, reducedMotion: 'reduce' });
  contexts.push(context);
  context.setDefaultTimeout(wait);
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (e) => console.error(`VIOLATION ${e.violatedDirective} ${e.blockedURI}`));
  });
  const page = await context.newPage();
  page.on('pageerror', (e) => noise.push(String(e)));
  page.on('console', (m) => { if (/VIOLATION|Content Security Policy|Trusted/i.test(m.text())) noise.push(m.text()); });
  page.on('request', (r) => { if (!r.url().startsWith(`${baseUrl}/`) && !r.url().startsWith('data:')) noise.push(`the page asks ${r.url()}`); });
  await page.goto(baseUrl);
  return page;
}

async function signedIn(options, name = 'merchant') {
  const page = await open(options);
  await page.getByLabel('E-mail').fill(`${name}@demo.test`);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.locator('#live[data-state=live]').waitFor();
  await page.locator('.row').first().waitFor();
  await page.evaluate(() => { window.untouched = true; }); // until somebody reloads
  return page;
}

const row = (page, reference) => page.locator('.row').filter({ has: page.getByRole('button', { name: reference, exact: true }) });
const shows = (page, reference, words) => row(page, reference).filter({ hasText: words }).waitFor();
const picture = async (page, name) => { await page.screenshot({ path: `${process.env.PICTURES}/${name}.png` }); };

async function pay(page, reference, { amount = '80.00', card = '4242424242424242' } = {}) {
  const form = page.getByRole('form', { name: 'Test payment' });
  await form.getByLabel('Amount').fill(amount);
  await form.getByLabel('Card').selectOption(card);
  await form.getByLabel('Reference').fill(reference);
  await form.getByRole('button', { name: 'Take payment' }).click();
}

/** What an automatic check of accessibility finds. */
async function accessible(page, what) {
  await page.evaluate(axe);
  const found = await page.evaluate(async () => (await globalThis.axe.run(document, { resultTypes: ['violations'] })).violations
    .map((v) => ({ rule: v.id, help: v.help, where: v.nodes.map((n) => `${n.target.join(' ')}: ${n.any.map((a) => a.message).join('; ')}`) })));
  assert.deepEqual(found, [], what);
}

async function client(name = 'merchant') {
  const api = new Payments({ baseUrl });
  await api.auth.login({ email: `${name}@demo.test`, password });
  return api;
}

const order = (reference) => ({ amount: 80_00, currency: 'EUR', reference, card: { number: '4242424242424242', exp_month: 12, exp_year: 2040, cvc: '123' } });

test('a payment, its capture and refund appear live in both windows', async () => {
  const [one, two] = await Promise.all([signedIn(), signedIn()]);
  await pay(one, 'live-1');
  for (const page of [one, two]) await shows(page, 'live-1', 'Authorized');

  await pay(one, 'live-2', { card: '4000000000009995' });
  await one.getByRole('alert').getByText('insufficient funds').waitFor();
  for (const page of [one, two]) await shows(page, 'live-2', 'Declined');

  await row(one, 'live-1').getByRole('button').click();
  const dialog = one.getByRole('dialog', { name: 'live-1' });
  await dialog.getByLabel('Capture (EUR)').fill('100.00');
  await dialog.getByRole('button', { name: 'Capture' }).click();
  await dialog.getByText('Up to €80.00').waitFor();
  await dialog.getByLabel('Capture (EUR)').fill('60.00');
  await dialog.getByRole('button', { name: 'Capture' }).click();
  for (const page of [one, two]) await shows(page, 'live-1', '€60.00 captured');
  await picture(one, 'detail');

  await dialog.getByLabel('Refund (EUR)').fill('15.50');
  await dialog.getByRole('button', { name: 'Refund' }).click();
  for (const page of [one, two]) await shows(page, 'live-1', '€15.50 refunded');
  await dialog.locator('.refunds').getByText('€15.50').waitFor();
  await dialog.getByRole('button', { name: 'Refund' }).click(); // what is left
  for (const page of [one, two]) await shows(page, 'live-1', 'Refunded');
  await one.keyboard.press('Escape');

  await pay(two, 'live-3');
  await row(one, 'live-3').getByRole('button').click();
  await one.getByRole('dialog').getByRole('button', { name: 'Void' }).click();
  for (const page of [one, two]) await shows(page, 'live-3', 'Voided');
  await one.keyboard.press('Escape');
  assert.ok(await one.locator('.plot .fill').count() === 30 && await one.locator('.plot .line').count() === 1, 'the plots are drawn');
  await one.getByRole('button', { name: 'Declined' }).click();
  await row(one, 'live-1').waitFor({ state: 'detached' });
  await shows(one, 'live-2', 'Declined');
  await one.getByRole('button', { name: 'All', exact: true }).click();
  await one.evaluate(() => { for (const toast of document.querySelectorAll('.toast')) toast.remove(); });
  await picture(one, 'page');
  for (const page of [one, two]) assert.equal(await page.evaluate(() => window.untouched), true, 'the page was loaded again');
});

test('the page comes back after a restart and has missed nothing', async () => {
  const page = await signedIn();
  const api = await client();
  await api.payments.authorize(order('before'));
  await shows(page, 'before', 'Authorized');
  await stall('/v1/events/stream'); // so that the page is away while something happens
  await kill();
  await page.locator('#live[data-state=waiting]').waitFor();
  await picture(page, 'reconnecting');
  await restart();
  await api.payments.authorize(order('meanwhile'));
  const first = (await api.payments.list({ limit: 1 })).data[0];
  await api.payments.capture({ id: first.id });
  await stall('');
  await cutAll();
  await page.locator('#live[data-state=live]').waitFor();
  await shows(page, 'meanwhile', 'Captured');
  await pay(page, 'afterwards');
  await shows(page, 'afterwards', 'Authorized');
  assert.equal(await page.evaluate(() => window.untouched), true);
});

test('an answer that was lost on the way charges once', async () => {
  const page = await signedIn();
  await loseAnswer('/v1/payments');
  await pay(page, 'lost-once');
  await shows(page, 'lost-once', 'Authorized');
  await until('the form is free again', () => page.getByRole('button', { name: 'Take payment' }).isEnabled());
  assert.equal(await row(page, 'lost-once').count(), 1);
});

test('a session that was ended elsewhere leads back to the door', async () => {
  const page = await signedIn();
  await page.evaluate(async () => {
    const { access_token, refresh_token } = JSON.parse(localStorage.getItem('ashlar.tokens'));
    const answer = await fetch('/v1/auth/logout', {
      method: 'POST', headers: { Authorization: `Bearer ${access_token}`, 'Content-Type': 'application/json' }, body: JSON.stringify({ refresh_token }),
    });
    if (answer.status !== 204) throw new Error(`logout: ${answer.status}`);
  });
  await page.getByText('Your session has ended').waitFor();
  await page.getByLabel('Password').fill('wrong');
  await page.getByLabel('E-mail').fill('merchant@demo.test');
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByRole('alert').getByText('do not belong together').waitFor();
});

test('everything can be done by keyboard', async () => {
  const page = await open();
  await page.getByLabel('E-mail').waitFor();
  await page.keyboard.type('merchant@demo.test');
  await page.keyboard.press('Tab');
  await page.keyboard.type(password);
  await page.keyboard.press('Enter');
  await page.locator('.row').first().waitFor();
  const focused = () => page.evaluate(() => document.activeElement.name || document.activeElement.textContent);
  /** Presses Tab until something has the focus. */
  const reach = async (what, key = 'Tab') => {
    for (let i = 0; i < 60; i++) {
      if (await focused() === what) return;
      await page.keyboard.press(key);
    }
    assert.fail(`${what} cannot be reached, ${await focused()} has the focus`);
  };
  const write = async (text) => {
    await page.keyboard.press('Control+A');
    await page.keyboard.type(text);
  };
  await reach('amount');
  await write('12.34');
  await reach('reference');
  await write('by-keyboard');
  await page.keyboard.press('Enter');
  await shows(page, 'by-keyboard', 'Authorized');
  await reach('by-keyboard', 'Shift+Tab');
  await page.keyboard.press('Enter');
  await page.getByRole('dialog', { name: 'by-keyboard' }).waitFor();
  await reach('amount');
  await page.keyboard.press('Enter');
  await shows(page, 'by-keyboard', 'Captured');
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
  await reach('Sign out', 'Shift+Tab');
  await page.keyboard.press('Enter');
  await page.getByLabel('E-mail').waitFor();
  assert.equal(await page.evaluate(() => localStorage.length), 0, 'tokens are kept');
});

for (const [name, options] of Object.entries({
  wide: {}, 'wide-dark': { scheme: 'dark' }, phone: { width: 390, height: 844 }, 'phone-dark': { width: 390, height: 844, scheme: 'dark' },
})) {
  test(`it is accessible and fits: ${name}`, async () => {
    const page = await open(options);
    await page.getByLabel('E-mail').waitFor();
    if (name.endsWith('dark')) await accessible(page, 'the door');
    await picture(page, `door-${name}`);
    await page.getByRole('button', { name: 'merchant', exact: true }).click();
    await page.locator('#live[data-state=live]').waitFor();
    await pay(page, `fits-${name}`);
    await shows(page, `fits-${name}`, 'Authorized');
    await page.evaluate(() => scrollTo(0, 0));
    await accessible(page, 'the page');
    await picture(page, `page-${name}`);
    await row(page, `fits-${name}`).getByRole('button').click();
    await page.getByRole('dialog').waitFor();
    await accessible(page, 'the dialog');
    await picture(page, `detail-${name}`);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'something sticks out');
  });
}

test('each role sees what it may do', async () => {
  const auditor = await open();
  await auditor.getByRole('button', { name: 'auditor', exact: true }).click();
  await auditor.locator('.row').first().waitFor();
  assert.equal(await auditor.getByRole('form', { name: 'Test payment' }).count(), 0);
  const admin = await signedIn({}, 'admin');
  await admin.getByLabel('Merchant').selectOption('Rival & Sons');
  await pay(admin, 'by-admin');
  await shows(admin, 'by-admin', 'Authorized');
  await row(auditor, 'by-admin').waitFor({ state: 'detached' }); // it is not live
});

test('what was refused in a dialog is said there', async () => {
  const page = await signedIn();
  await pay(page, 'overtaken');
  await shows(page, 'overtaken', 'Authorized');
  await row(page, 'overtaken').getByRole('button').click();
  const dialog = page.getByRole('dialog', { name: 'overtaken' });
  const id = await row(page, 'overtaken').getAttribute('id');
  await refuse(`/v1/payments/${id}/void`, 500, 1, 0);
  await dialog.getByRole('button', { name: 'Void' }).click();
  await dialog.getByRole('alert').getByText('Refused').waitFor();
  await dialog.getByRole('button', { name: 'Void' }).click();
  await shows(page, 'overtaken', 'Voided');
});
