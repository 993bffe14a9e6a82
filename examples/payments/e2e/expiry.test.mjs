// Tokens that run out while the page is used. The service gives them seconds.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chromium } from 'playwright-core';
import { baseUrl, seen } from './stage.mjs';

test('tokens run out, and nobody notices', async (t) => {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox', '--disable-dev-shm-usage'], timeout: 60_000 });
  t.after(() => browser.close());
  const page = await browser.newPage();
  page.setDefaultTimeout(100_000);
  await page.goto(baseUrl);
  await page.getByRole('button', { name: 'merchant', exact: true }).click();
  await page.locator('#live[data-state=live]').waitFor();
  const refreshes = async () => (await seen()).filter((r) => r.path === '/v1/auth/refresh').length;
  const pay = async (reference) => {
    await page.getByLabel('Reference').fill(reference);
    await page.getByRole('button', { name: 'Take payment' }).click();
    await page.locator('.row').filter({ hasText: reference }).waitFor();
  };
  for (const reference of ['expired-once', 'expired-twice']) {
    const before = await refreshes(); // before it runs out: the page may need one for itself as soon as it has
    await page.waitForFunction(() => JSON.parse(localStorage.getItem('ashlar.tokens')).expires_at < Date.now());
    await pay(reference);
    assert.equal(await refreshes() > before, true, 'no token was refreshed');
  }
  // One that the service refuses although it should still be good.
  await page.evaluate(() => {
    const kept = JSON.parse(localStorage.getItem('ashlar.tokens'));
    localStorage.setItem('ashlar.tokens', JSON.stringify({ ...kept, access_token: `${kept.access_token.slice(0, -6)}AAAAAA`, expires_at: Date.now() + 600_000 }));
  });
  await pay('refused');
  await page.locator('#live[data-state=live]').waitFor();
  assert.equal(await page.getByLabel('E-mail').count(), 0);
});
