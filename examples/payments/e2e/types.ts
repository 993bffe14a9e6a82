// What the types of the client promise, for the compiler to hold: each
// expectation of an error fails if there is none.
import { isProblem, PaymentId, Payments, RefundId } from './payments.ts';
import type { Operations, Payment, PaymentsAuthorizeInput, PaymentStatus } from './payments.ts';

const api = new Payments({ baseUrl: 'http://localhost' });

const order: PaymentsAuthorizeInput = {
  amount: 100_00, currency: 'EUR', reference: 'order-1', card: { number: '4242424242424242', exp_month: 12, exp_year: 2040, cvc: '123' },
};

export async function used(): Promise<void> {
  const payment: Payment = await api.payments.authorize(order);
  await api.payments.capture({ id: payment.id, amount: 1 });
  await api.payments.capture({ id: PaymentId('pay_1') });
  for await (const p of api.payments.list({ status: 'captured', created_after: new Date() })) takes(p);
  const page = await api.payments.list();
  takes(page.data[0]!);
  for await (const e of api.events.stream({}, { transport: 'websocket' })) takes(e.data);

  // @ts-expect-error a currency that there is none of
  await api.payments.authorize({ ...order, currency: 'EURO' });
  // @ts-expect-error a member is missing
  await api.payments.authorize({ amount: 1 });
  // @ts-expect-error a member that nobody reads
  await api.payments.list({ state: 'captured' });
  // @ts-expect-error any text is no payment's id
  await api.payments.get({ id: 'pay_1' });
  // @ts-expect-error neither is that of a refund
  await api.payments.get({ id: RefundId('ref_1') });
  // @ts-expect-error a status that there is none of
  const wrong: PaymentStatus = 'paid';
  void wrong;
}

export function judged(error: unknown): string {
  if (isProblem(error, 'invalid')) return error.problem.errors.map((e) => e.pointer).join(' ');
  if (isProblem(error, 'card_declined')) {
    const status: 402 = error.status;
    return String(status) + String(error.problem.decline_code);
  }
  if (isProblem(error)) {
    switch (error.problem.code) {
      case 'payment_wrong_state': {
        const status: 409 = error.problem.status;
        return String(status);
      }
      // @ts-expect-error a code that this service does not know
      case 'payment_lost':
        return '';
    }
  }
  return '';
}

export const own: Operations['payments.capture']['fails'] = 'payment_wrong_state';

function takes(_: Payment): void { /* nothing */ }
