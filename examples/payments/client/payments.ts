// Client of Payments, generated from its operations. DO NOT EDIT.
//
//     const api = new Payments({ baseUrl: 'https://api.example.com' });
//
// It needs nothing but fetch, and runs in browsers, Node.js 20, Deno and Bun.

/** Calls operations. One client is enough for a program; it is safe to call at any time, however often at once. */
export class Payments {
  readonly #connection: Connection;

  constructor(options: ClientOptions = {}) {
    this.#connection = new Connection(options, { name: 'auth.refresh', method: 'POST', path: '/v1/auth/refresh', open: true });
  }

  /** The tokens of whoever is signed in. */
  get tokens(): TokenStore { return this.#connection.tokens; }

  /** Ends the session, here and on the server. It is forgotten here even if the server cannot be reached. */
  async signOut(options?: CallOptions): Promise<void> {
    const kept = this.tokens.get();
    try {
      if (kept) await this.#connection.call({ name: 'auth.logout', method: 'POST', path: '/v1/auth/logout' }, { refresh_token: kept.refresh_token }, options);
    } finally {
      this.#connection.signOut();
    }
  }

  readonly payments = {
    /**
     * Holds money on a card, and takes it at once if asked to.
     *
     * A card that is declined leaves a payment with the status declined.
     *
     * `POST /v1/payments`, needs `payments:write`. Fails with `card_declined`, `card_network_unavailable`, beside what any call may fail with.
     */
    authorize: (input: PaymentsAuthorizeInput, options?: CallOptions): Promise<Payment> =>
      this.#connection.call({ name: 'payments.authorize', method: 'POST', path: '/v1/payments', key: true }, input, options),
    /**
     * Shows one payment.
     *
     * Its answer is kept, for those of one merchant and for staff of one role, until an event tells of a change.
     *
     * `GET /v1/payments/{id}`, needs `payments:read`. Fails with `payment_not_found`, beside what any call may fail with.
     */
    get: (input: PaymentsGetInput, options?: CallOptions): Promise<Payment> =>
      this.#connection.call({ name: 'payments.get', method: 'GET', path: '/v1/payments/{id}' }, input, options),
    /**
     * Shows payments, newest first.
     *
     * `GET /v1/payments`, needs `payments:read`.
     */
    list: (input: PaymentsListInput = {}, options?: CallOptions): Pages<Payment> =>
      new Pages<Payment>((cursor) => this.#connection.call({ name: 'payments.list', method: 'GET', path: '/v1/payments' },
        cursor === undefined ? input : { ...input, cursor }, options)),
    /**
     * Takes the money that an authorisation holds, or a part of it once; the rest is released.
     *
     * `POST /v1/payments/{id}/capture`, needs `payments:write`. Fails with `payment_not_found`, `payment_wrong_state`, beside what any call may fail with.
     */
    capture: (input: PaymentsCaptureInput, options?: CallOptions): Promise<Payment> =>
      this.#connection.call({ name: 'payments.capture', method: 'POST', path: '/v1/payments/{id}/capture', key: true }, input, options),
    /**
     * Gives up an authorisation and releases the hold.
     *
     * `POST /v1/payments/{id}/void`, needs `payments:write`. Fails with `payment_not_found`, `payment_wrong_state`, beside what any call may fail with.
     */
    void: (input: PaymentsVoidInput, options?: CallOptions): Promise<Payment> =>
      this.#connection.call({ name: 'payments.void', method: 'POST', path: '/v1/payments/{id}/void', key: true }, input, options),
    /**
     * Gives captured money back, in parts if need be, up to all of it.
     *
     * `POST /v1/payments/{id}/refunds`, needs `refunds:write`. Fails with `payment_not_found`, `payment_wrong_state`, beside what any call may fail with.
     */
    refund: (input: PaymentsRefundInput, options?: CallOptions): Promise<Refund> =>
      this.#connection.call({ name: 'payments.refund', method: 'POST', path: '/v1/payments/{id}/refunds', key: true }, input, options),
    /**
     * Lists what was given back of a payment, newest first.
     *
     * `GET /v1/payments/{id}/refunds`, needs `payments:read`. Fails with `payment_not_found`, beside what any call may fail with.
     */
    refunds: (input: PaymentsRefundsInput, options?: CallOptions): Pages<Refund> =>
      new Pages<Refund>((cursor) => this.#connection.call({ name: 'payments.refunds', method: 'GET', path: '/v1/payments/{id}/refunds' },
        cursor === undefined ? input : { ...input, cursor }, options)),
  };

  readonly events = {
    /**
     * Lists what happened since an event, oldest first.
     *
     * `GET /v1/events`, needs `events:read`. Fails with `events_reset`, beside what any call may fail with.
     */
    list: (input: EventsListInput = {}, options?: CallOptions): Promise<Feed> =>
      this.#connection.call({ name: 'events.list', method: 'GET', path: '/v1/events' }, input, options),
    /**
     * Sends what happens as it happens, and first what has happened since an event: without a gap and nothing twice, whichever instance was listened to before.
     *
     * It fails if that is not kept any more. Load the present state then and begin anew.
     *
     * `GET /v1/events/stream`, needs `events:read`. Fails with `events_reset`, beside what any call may fail with.
     */
    stream: (input: EventsStreamInput = {}, options?: StreamOptions): Subscription<Event> =>
      new Subscription<Event>(this.#connection, { name: 'events.stream', method: 'GET', path: '/v1/events/stream', after: true }, input, options ?? {}),
    /**
     * Sends what happens as it happens, and first what has happened since an event: without a gap and nothing twice, whichever instance was listened to before.
     *
     * It fails if that is not kept any more. Load the present state then and begin anew.
     *
     * `GET /v1/events/ws`, needs `events:read`. Fails with `events_reset`, beside what any call may fail with.
     */
    ws: (input: EventsWsInput = {}, options?: StreamOptions): Subscription<Event> =>
      new Subscription<Event>(this.#connection, { name: 'events.ws', method: 'GET', path: '/v1/events/ws', after: true }, input, options ?? {}),
  };

  readonly ledger = {
    /**
     * Shows what is on each account, of all merchants together or of one.
     *
     * `GET /v1/ledger/balances`, needs `ledger:read`.
     */
    balances: (input: LedgerBalancesInput = {}, options?: CallOptions): Promise<Sheet> =>
      this.#connection.call({ name: 'ledger.balances', method: 'GET', path: '/v1/ledger/balances' }, input, options),
    /**
     * Shows the entries, of all payments or of one, newest first.
     *
     * `GET /v1/ledger/entries`, needs `ledger:read`.
     */
    entries: (input: LedgerEntriesInput = {}, options?: CallOptions): Pages<Entry> =>
      new Pages<Entry>((cursor) => this.#connection.call({ name: 'ledger.entries', method: 'GET', path: '/v1/ledger/entries' },
        cursor === undefined ? input : { ...input, cursor }, options)),
  };

  readonly reports = {
    /**
     * Asks for a report.
     *
     * It is made in the background: read it again to see how far it is.
     *
     * `POST /v1/reports`, needs `reports:read`. Fails with `report_limit_reached`, beside what any call may fail with.
     */
    create: (input: ReportsCreateInput, options?: CallOptions): Promise<Report> =>
      this.#connection.call({ name: 'reports.create', method: 'POST', path: '/v1/reports', key: true }, input, options),
    /**
     * Shows a report, and how far it is.
     *
     * `GET /v1/reports/{id}`, needs `reports:read`. Fails with `report_not_found`, beside what any call may fail with.
     */
    get: (input: ReportsGetInput, options?: CallOptions): Promise<Report> =>
      this.#connection.call({ name: 'reports.get', method: 'GET', path: '/v1/reports/{id}' }, input, options),
    /**
     * Downloads a report that is done: the entries as CSV, or with format=svg a chart by day.
     *
     * In the CSV a text that a spreadsheet would take for a formula has an apostrophe in front.
     *
     * `GET /v1/reports/{id}/file`, needs `reports:read`. Fails with `report_not_found`, `report_not_ready`, beside what any call may fail with.
     */
    file: (input: ReportsFileInput, options?: CallOptions): Promise<FileAnswer> =>
      this.#connection.call({ name: 'reports.file', method: 'GET', path: '/v1/reports/{id}/file', file: true }, input, options),
    /**
     * Removes a report with its files, and ends the job that makes it.
     *
     * It is for those who asked for the report and for its merchant.
     *
     * `DELETE /v1/reports/{id}`, needs `reports:read`. Fails with `report_not_found`, beside what any call may fail with.
     */
    delete: (input: ReportsDeleteInput, options?: CallOptions): Promise<void> =>
      this.#connection.call({ name: 'reports.delete', method: 'DELETE', path: '/v1/reports/{id}' }, input, options),
  };

  readonly merchants = {
    /**
     * Takes a merchant on.
     *
     * `POST /v1/merchants`, needs `merchants:write`.
     */
    create: (input: MerchantsCreateInput, options?: CallOptions): Promise<Merchant> =>
      this.#connection.call({ name: 'merchants.create', method: 'POST', path: '/v1/merchants' }, input, options),
    /**
     * Shows the merchants, newest first.
     *
     * `GET /v1/merchants`, needs `merchants:read`.
     */
    list: (input: MerchantsListInput = {}, options?: CallOptions): Pages<Merchant> =>
      new Pages<Merchant>((cursor) => this.#connection.call({ name: 'merchants.list', method: 'GET', path: '/v1/merchants' },
        cursor === undefined ? input : { ...input, cursor }, options)),
    /**
     * Shows one merchant.
     *
     * `GET /v1/merchants/{id}`, needs `merchants:read`. Fails with `merchant_not_found`, beside what any call may fail with.
     */
    get: (input: MerchantsGetInput, options?: CallOptions): Promise<Merchant> =>
      this.#connection.call({ name: 'merchants.get', method: 'GET', path: '/v1/merchants/{id}' }, input, options),
  };

  readonly webhooks = {
    /**
     * Makes an endpoint.
     *
     * Its secret is shown this once.
     *
     * `POST /v1/webhooks`, needs `webhooks:write`. Fails with `webhook_limit_reached`, beside what any call may fail with.
     */
    create: (input: WebhooksCreateInput, options?: CallOptions): Promise<Created> =>
      this.#connection.call({ name: 'webhooks.create', method: 'POST', path: '/v1/webhooks' }, input, options),
    /**
     * Shows endpoints, newest first.
     *
     * `GET /v1/webhooks`, needs `webhooks:write`.
     */
    list: (input: WebhooksListInput = {}, options?: CallOptions): Pages<Endpoint> =>
      new Pages<Endpoint>((cursor) => this.#connection.call({ name: 'webhooks.list', method: 'GET', path: '/v1/webhooks' },
        cursor === undefined ? input : { ...input, cursor }, options)),
    /**
     * Ends an endpoint.
     *
     * What waits for it is never sent.
     *
     * `DELETE /v1/webhooks/{id}`, needs `webhooks:write`. Fails with `webhook_not_found`, beside what any call may fail with.
     */
    delete: (input: WebhooksDeleteInput, options?: CallOptions): Promise<void> =>
      this.#connection.call({ name: 'webhooks.delete', method: 'DELETE', path: '/v1/webhooks/{id}' }, input, options),
    /**
     * Turns an endpoint on that was disabled, and sends what has waited.
     *
     * `POST /v1/webhooks/{id}/enable`, needs `webhooks:write`. Fails with `webhook_not_found`, beside what any call may fail with.
     */
    enable: (input: WebhooksEnableInput, options?: CallOptions): Promise<Endpoint> =>
      this.#connection.call({ name: 'webhooks.enable', method: 'POST', path: '/v1/webhooks/{id}/enable' }, input, options),
    /**
     * Shows what was and is to be sent to an endpoint, newest first.
     *
     * `GET /v1/webhooks/{id}/deliveries`, needs `webhooks:write`. Fails with `webhook_not_found`, beside what any call may fail with.
     */
    deliveries: (input: WebhooksDeliveriesInput, options?: CallOptions): Pages<Delivery> =>
      new Pages<Delivery>((cursor) => this.#connection.call({ name: 'webhooks.deliveries', method: 'GET', path: '/v1/webhooks/{id}/deliveries' },
        cursor === undefined ? input : { ...input, cursor }, options)),
    /**
     * Sends an event to an endpoint again, under the same id.
     *
     * `POST /v1/webhooks/{id}/deliveries/{delivery_id}/redeliver`, needs `webhooks:write`. Fails with `webhook_not_found`, `webhook_delivery_not_found`, `webhook_disabled`, `webhook_delivery_exhausted`, beside what any call may fail with.
     */
    redeliver: (input: WebhooksRedeliverInput, options?: CallOptions): Promise<Delivery> =>
      this.#connection.call({ name: 'webhooks.redeliver', method: 'POST', path: '/v1/webhooks/{id}/deliveries/{delivery_id}/redeliver' }, input, options),
  };

  readonly auth = {
    /**
     * Shows who is signed in.
     *
     * A token that outlived its account is refused.
     *
     * `GET /v1/auth/me`. Fails with `token_invalid`, beside what any call may fail with.
     */
    me: (options?: CallOptions): Promise<Me> =>
      this.#connection.call({ name: 'auth.me', method: 'GET', path: '/v1/auth/me' }, {}, options),
    /**
     * Exchanges an address and a password for an access token and a refresh token.
     *
     * An unknown address, a wrong password and a disabled account are answered alike.
     *
     * `POST /v1/auth/login`. Fails with `credentials_wrong`, `second_factor_required`, `second_factor_wrong`, `second_factor_throttled`, `sign_in_throttled`, `sign_in_busy`, beside what any call may fail with.
     */
    login: (input: AuthLoginInput, options?: CallOptions): Promise<Grant> =>
      this.#connection.call({ name: 'auth.login', method: 'POST', path: '/v1/auth/login', open: true, tokens: 'take' }, input, options),
    /**
     * Exchanges a refresh token for a new one and a new access token.
     *
     * A refresh token is good once. If one comes again its whole session ends, because somebody has copied it. A client whose answer was lost may repeat the request within ten seconds with the same retry_key.
     *
     * `POST /v1/auth/refresh`. Fails with `refresh_token_invalid`, beside what any call may fail with.
     */
    refresh: (input: AuthRefreshInput, options?: CallOptions): Promise<Grant> =>
      this.#connection.call({ name: 'auth.refresh', method: 'POST', path: '/v1/auth/refresh', open: true, tokens: 'take' }, input, options),
    /**
     * Ends the session of a refresh token, with its access tokens.
     *
     * A token that is unknown, or of somebody else, ends nothing and is answered alike.
     *
     * `POST /v1/auth/logout`.
     */
    logout: (input: AuthLogoutInput, options?: CallOptions): Promise<void> =>
      this.#connection.call({ name: 'auth.logout', method: 'POST', path: '/v1/auth/logout' }, input, options),
    /**
     * Changes the caller's password and ends all other sessions.
     *
     * Access tokens from before are refused from then on; refresh to get a new one.
     *
     * `POST /v1/auth/password`. Fails with `sign_in_throttled`, `sign_in_busy`, `account_not_found`, beside what any call may fail with.
     */
    password: (input: AuthPasswordInput, options?: CallOptions): Promise<void> =>
      this.#connection.call({ name: 'auth.password', method: 'POST', path: '/v1/auth/password' }, input, options),
    /**
     * PublicKeys returns the keys that access tokens are verified with (RFC 7517), for services that verify them themselves.
     *
     * `GET /.well-known/jwks.json`.
     */
    keys: (options?: CallOptions): Promise<JWKS> =>
      this.#connection.call({ name: 'auth.keys', method: 'GET', path: '/.well-known/jwks.json', open: true }, {}, options),
    sessions: {
      /**
       * Shows the caller's open sessions, newest first.
       *
       * `GET /v1/auth/sessions`.
       */
      list: (input: AuthSessionsListInput = {}, options?: CallOptions): Pages<SignedIn> =>
        new Pages<SignedIn>((cursor) => this.#connection.call({ name: 'auth.sessions.list', method: 'GET', path: '/v1/auth/sessions' },
          cursor === undefined ? input : { ...input, cursor }, options)),
      /**
       * Ends one of the caller's sessions, with its tokens.
       *
       * `DELETE /v1/auth/sessions/{id}`. Fails with `session_not_found`, beside what any call may fail with.
       */
      end: (input: AuthSessionsEndInput, options?: CallOptions): Promise<void> =>
        this.#connection.call({ name: 'auth.sessions.end', method: 'DELETE', path: '/v1/auth/sessions/{id}' }, input, options),
      /**
       * Ends all of the caller's sessions but the one that asks.
       *
       * `DELETE /v1/auth/sessions`.
       */
      endOthers: (options?: CallOptions): Promise<void> =>
        this.#connection.call({ name: 'auth.sessions.end_others', method: 'DELETE', path: '/v1/auth/sessions' }, {}, options),
    },
    totp: {
      /**
       * Returns a secret for the caller's authenticator.
       *
       * It is asked for at sign-in once a code of it was confirmed, within ten minutes. The password is needed, so that a stolen access token is not enough.
       *
       * `POST /v1/auth/totp`. Fails with `second_factor_exists`, `sign_in_throttled`, `sign_in_busy`, `account_not_found`, beside what any call may fail with.
       */
      enrol: (input: AuthTotpEnrolInput, options?: CallOptions): Promise<TOTPEnrolment> =>
        this.#connection.call({ name: 'auth.totp.enrol', method: 'POST', path: '/v1/auth/totp' }, input, options),
      /**
       * Turns the second factor on, and answers with recovery codes.
       *
       * The codes are shown this once. Each signs in once in place of the authenticator.
       *
       * `POST /v1/auth/totp/confirm`. Fails with `second_factor_not_found`, `second_factor_throttled`, beside what any call may fail with.
       */
      confirm: (input: AuthTotpConfirmInput, options?: CallOptions): Promise<RecoveryCodes> =>
        this.#connection.call({ name: 'auth.totp.confirm', method: 'POST', path: '/v1/auth/totp/confirm' }, input, options),
      /**
       * Turns the second factor off and deletes the recovery codes.
       *
       * The password or a code is needed, so that a stolen access token is not enough.
       *
       * `DELETE /v1/auth/totp`. Fails with `second_factor_not_found`, `second_factor_throttled`, `sign_in_throttled`, `sign_in_busy`, `account_not_found`, beside what any call may fail with.
       */
      remove: (input: AuthTotpRemoveInput = {}, options?: CallOptions): Promise<void> =>
        this.#connection.call({ name: 'auth.totp.remove', method: 'DELETE', path: '/v1/auth/totp' }, input, options),
    },
  };

  readonly users = {
    /**
     * Makes a user who can sign in from now on.
     *
     * `POST /v1/users`, needs `users:write`. Fails with `email_taken`, `sign_in_busy`, beside what any call may fail with.
     */
    create: (input: UsersCreateInput, options?: CallOptions): Promise<User> =>
      this.#connection.call({ name: 'users.create', method: 'POST', path: '/v1/users' }, input, options),
    /**
     * Shows the users, oldest first.
     *
     * `GET /v1/users`, needs `users:read`.
     */
    list: (input: UsersListInput = {}, options?: CallOptions): Pages<User> =>
      new Pages<User>((cursor) => this.#connection.call({ name: 'users.list', method: 'GET', path: '/v1/users' },
        cursor === undefined ? input : { ...input, cursor }, options)),
  };

  readonly apiKeys = {
    /**
     * Makes an API key for the caller.
     *
     * The key is shown this once. It may do what is asked for here and its owner's role allows at the time of use; permissions that the caller does not have are refused. A key that was made by a key ends and expires with it.
     *
     * `POST /v1/api-keys`. Fails with `permission_denied`, `api_keys_too_many`, `api_key_not_found`, beside what any call may fail with.
     */
    create: (input: ApiKeysCreateInput, options?: CallOptions): Promise<IssuedAPIKey> =>
      this.#connection.call({ name: 'api_keys.create', method: 'POST', path: '/v1/api-keys' }, input, options),
    /**
     * Lists the caller's API keys, oldest first, without those that were ended.
     *
     * A caller that is itself an API key sees itself and the keys it made.
     *
     * `GET /v1/api-keys`. Fails with `cursor_invalid`, beside what any call may fail with.
     */
    list: (input: ApiKeysListInput = {}, options?: CallOptions): Pages<APIKey> =>
      new Pages<APIKey>((cursor) => this.#connection.call({ name: 'api_keys.list', method: 'GET', path: '/v1/api-keys' },
        cursor === undefined ? input : { ...input, cursor }, options)),
    /**
     * Ends an API key, and the keys that it made.
     *
     * It is refused on every instance within a second.
     *
     * `DELETE /v1/api-keys/{id}`. Fails with `api_key_not_found`, beside what any call may fail with.
     */
    end: (input: ApiKeysEndInput, options?: CallOptions): Promise<void> =>
      this.#connection.call({ name: 'api_keys.end', method: 'DELETE', path: '/v1/api-keys/{id}' }, input, options),
  };
}

/** What `payments.authorize` takes. */
export interface PaymentsAuthorizeInput {
  /** A whole number, 1 to 99999999999. */
  amount: number;
  currency: Currency;
  card: Card;
  /**
   * the merchant's own order number
   * 1 to 64 characters.
   */
  reference: string;
  description?: string;
  /** 0 to 20 entries. */
  metadata?: Record<string, string>;
  /** Capture takes the money at once. */
  capture?: boolean;
  /** MerchantID says for whom the payment is. Staff must give it; merchants must not, since their payments are their own. */
  merchant_id?: MerchantId;
}

/** What `payments.get` takes. */
export interface PaymentsGetInput {
  id: PaymentId;
}

/** What `payments.list` takes. */
export interface PaymentsListInput {
  status?: PaymentStatus;
  currency?: Currency;
  /** CreatedAfter and CreatedBefore bound the time; neither is included. */
  created_after?: Timestamp | Date;
  created_before?: Timestamp | Date;
  /** A whole number, 1 to 100. */
  limit?: number;
  /** 1 to 512 characters. */
  cursor?: string;
}

/** What `payments.capture` takes. */
export interface PaymentsCaptureInput {
  id: PaymentId;
  /** A whole number, 1 to 99999999999. */
  amount?: number;
}

/** What `payments.void` takes. */
export interface PaymentsVoidInput {
  id: PaymentId;
}

/** What `payments.refund` takes. */
export interface PaymentsRefundInput {
  id: PaymentId;
  /** A whole number, 1 to 99999999999. */
  amount?: number;
  reason?: string;
}

/** What `payments.refunds` takes. */
export interface PaymentsRefundsInput {
  id: PaymentId;
  /** A whole number, 1 to 100. */
  limit?: number;
  /** 1 to 512 characters. */
  cursor?: string;
}

/** What `events.list` takes. */
export interface EventsListInput {
  /**
   * After is the id of the last event seen; without it the list starts with the first event.
   * Matches `^evt_[0-9a-z]{26}$`.
   */
  after?: string;
  /**
   * 20 if not given
   * A whole number, 1 to 100.
   */
  limit?: number;
}

/** What `events.stream` takes. */
export interface EventsStreamInput {
  /**
   * After is the id of the last event seen; without it the stream starts with what happens next.
   * Matches `^evt_[0-9a-z]{26}$`.
   */
  after?: string;
}

/** What `events.ws` takes. */
export interface EventsWsInput {
  /**
   * After is the id of the last event seen; without it the stream starts with what happens next.
   * Matches `^evt_[0-9a-z]{26}$`.
   */
  after?: string;
}

/** What `ledger.balances` takes. */
export interface LedgerBalancesInput {
  merchant_id?: MerchantId;
}

/** What `ledger.entries` takes. */
export interface LedgerEntriesInput {
  payment_id?: PaymentId;
  /** A whole number, 1 to 100. */
  limit?: number;
  /** 1 to 512 characters. */
  cursor?: string;
}

/** What `reports.create` takes. */
export interface ReportsCreateInput {
  kind: Kind;
  /**
   * From is where the period begins.
   * 10 to 35 characters. Matches `^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2}))?$`.
   */
  from: string;
  /**
   * To is where the period ends: with that day, or before that instant. What has not happened yet when the report is asked for is not in it.
   * 10 to 35 characters. Matches `^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2}))?$`.
   */
  to: string;
  /** Currency narrows the report to one; without it, it has all. */
  currency?: Currency;
  /** MerchantID is for staff: without it the report is of all merchants. */
  merchant_id?: MerchantId;
}

/** What `reports.get` takes. */
export interface ReportsGetInput {
  id: ReportId;
}

/** What `reports.file` takes. */
export interface ReportsFileInput {
  id: ReportId;
  /** csv if not given */
  format?: Format;
}

/** What `reports.delete` takes. */
export interface ReportsDeleteInput {
  id: ReportId;
}

/** What `merchants.create` takes. */
export interface MerchantsCreateInput {
  /** 1 to 120 characters. */
  name: string;
  /** Matches `^[A-Z]{2}$`. */
  country: string;
  /** Currency is the one that the merchant is paid out in. */
  currency: Currency;
}

/** What `merchants.list` takes. */
export interface MerchantsListInput {
  /** A whole number, 1 to 100. */
  limit?: number;
  /** 1 to 512 characters. */
  cursor?: string;
}

/** What `merchants.get` takes. */
export interface MerchantsGetInput {
  id: MerchantId;
}

/** What `webhooks.create` takes. */
export interface WebhooksCreateInput {
  /**
   * URL is where events are sent: https, on a public host.
   * 1 to 2000 characters.
   */
  url: string;
  /**
   * Events are types of events such as payment.captured, a group such as payment.*, or * for all.
   * 1 to 50 entries.
   */
  events: string[];
  description?: string;
  /**
   * MerchantID says whose events are sent. Staff must give it; merchants must not, since they get their own.
   * 1 to 64 characters.
   */
  merchant_id?: MerchantId;
}

/** What `webhooks.list` takes. */
export interface WebhooksListInput {
  /** A whole number, 1 to 100. */
  limit?: number;
  /** 1 to 512 characters. */
  cursor?: string;
}

/** What `webhooks.delete` takes. */
export interface WebhooksDeleteInput {
  id: WebhookId;
}

/** What `webhooks.enable` takes. */
export interface WebhooksEnableInput {
  id: WebhookId;
}

/** What `webhooks.deliveries` takes. */
export interface WebhooksDeliveriesInput {
  /** A whole number, 1 to 100. */
  limit?: number;
  /** 1 to 512 characters. */
  cursor?: string;
  id: WebhookId;
}

/** What `webhooks.redeliver` takes. */
export interface WebhooksRedeliverInput {
  id: WebhookId;
  delivery_id: DeliveryId;
}

/** What `users.create` takes. */
export interface UsersCreateInput {
  /** Format: email. 3 to 254 characters. */
  email: string;
  /** 8 to 1024 characters. */
  password: string;
  role: 'admin' | 'merchant' | 'support' | 'auditor';
  /** MerchantID is required for the role merchant, and for no other. */
  merchant_id?: MerchantId;
}

/** What `users.list` takes. */
export interface UsersListInput {
  /** A whole number, 1 to 100. */
  limit?: number;
  /** 1 to 512 characters. */
  cursor?: string;
}

/** What `auth.login` takes. */
export interface AuthLoginInput {
  /** Format: email. 3 to 254 characters. */
  email: string;
  /** 1 to 1024 characters. */
  password: string;
  /**
   * For accounts with a second factor: what the authenticator shows, or a recovery code.
   * 1 to 64 characters.
   */
  code?: string;
}

/** What `auth.refresh` takes. */
export interface AuthRefreshInput {
  /**
   * The newest refresh token of the session.
   * 1 to 256 characters.
   */
  refresh_token: string;
  /**
   * Random text of the client's making. A repeated request with the same one gets the same refresh token.
   * 16 to 128 characters.
   */
  retry_key?: string;
}

/** What `auth.logout` takes. */
export interface AuthLogoutInput {
  /** 1 to 256 characters. */
  refresh_token: string;
}

/** What `auth.sessions.list` takes. */
export interface AuthSessionsListInput {
  /** A whole number, 1 to 100. */
  limit?: number;
  /** 1 to 512 characters. */
  cursor?: string;
}

/** What `auth.sessions.end` takes. */
export interface AuthSessionsEndInput {
  id: SessionId;
}

/** What `auth.password` takes. */
export interface AuthPasswordInput {
  /**
   * The password until now.
   * 1 to 1024 characters.
   */
  current: string;
  /**
   * The password from now on.
   * 8 to 1024 characters.
   */
  new: string;
}

/** What `auth.totp.enrol` takes. */
export interface AuthTotpEnrolInput {
  /** 1 to 1024 characters. */
  password: string;
}

/** What `auth.totp.confirm` takes. */
export interface AuthTotpConfirmInput {
  /**
   * What the authenticator shows.
   * 1 to 64 characters.
   */
  code: string;
}

/** What `auth.totp.remove` takes. */
export interface AuthTotpRemoveInput {
  /**
   * The password; not needed with a code.
   * 1 to 1024 characters.
   */
  password?: string;
  /**
   * What the authenticator shows, or a recovery code; not needed with the password.
   * 1 to 64 characters.
   */
  code?: string;
}

/** What `api_keys.create` takes. */
export interface ApiKeysCreateInput {
  /**
   * What the key is for, for whoever reads the list.
   * 1 to 100 characters.
   */
  name: string;
  /** 1 to 256 entries. */
  permissions: string[];
  /** From when on the key is refused; null for never. */
  expires_at?: Timestamp | Date | null;
}

/** What `api_keys.list` takes. */
export interface ApiKeysListInput {
  /** A whole number, 1 to 100. */
  limit?: number;
  /** 1 to 512 characters. */
  cursor?: string;
}

/** What `api_keys.end` takes. */
export interface ApiKeysEndInput {
  /** 1 to 64 characters. */
  id: ApiKeyId;
}

/** A Payment is one card payment. Amounts are minor units: 50_00 is fifty euros. */
export interface Payment {
  id: PaymentId;
  merchant_id: MerchantId;
  status: PaymentStatus;
  amount: number;
  captured_amount: number;
  refunded_amount: number;
  currency: Currency;
  card: Details;
  reference: string;
  description: string;
  metadata: Record<string, string>;
  decline_code?: string;
  created_at: Timestamp;
  updated_at: Timestamp;
  version: number;
}

/** A Status is where a payment stands. */
export type PaymentStatus = 'authorized' | 'captured' | 'partially_refunded' | 'refunded' | 'voided' | 'declined' | 'expired';

export type Currency = 'AED' | 'AFN' | 'ALL' | 'AMD' | 'AOA' | 'ARS' | 'AUD' | 'AWG' | 'AZN' | 'BAM' | 'BBD' | 'BDT' | 'BHD' | 'BIF' | 'BMD' | 'BND' | 'BOB' | 'BRL' | 'BSD' | 'BTN' | 'BWP' | 'BYN' | 'BZD' | 'CAD' | 'CDF' | 'CHF' | 'CLP' | 'CNY' | 'COP' | 'CRC' | 'CUP' | 'CVE' | 'CZK' | 'DJF' | 'DKK' | 'DOP' | 'DZD' | 'EGP' | 'ERN' | 'ETB' | 'EUR' | 'FJD' | 'FKP' | 'GBP' | 'GEL' | 'GHS' | 'GIP' | 'GMD' | 'GNF' | 'GTQ' | 'GYD' | 'HKD' | 'HNL' | 'HTG' | 'HUF' | 'IDR' | 'ILS' | 'INR' | 'IQD' | 'IRR' | 'ISK' | 'JMD' | 'JOD' | 'JPY' | 'KES' | 'KGS' | 'KHR' | 'KMF' | 'KPW' | 'KRW' | 'KWD' | 'KYD' | 'KZT' | 'LAK' | 'LBP' | 'LKR' | 'LRD' | 'LSL' | 'LYD' | 'MAD' | 'MDL' | 'MGA' | 'MKD' | 'MMK' | 'MNT' | 'MOP' | 'MRU' | 'MUR' | 'MVR' | 'MWK' | 'MXN' | 'MYR' | 'MZN' | 'NAD' | 'NGN' | 'NIO' | 'NOK' | 'NPR' | 'NZD' | 'OMR' | 'PAB' | 'PEN' | 'PGK' | 'PHP' | 'PKR' | 'PLN' | 'PYG' | 'QAR' | 'RON' | 'RSD' | 'RUB' | 'RWF' | 'SAR' | 'SBD' | 'SCR' | 'SDG' | 'SEK' | 'SGD' | 'SHP' | 'SLE' | 'SOS' | 'SRD' | 'SSP' | 'STN' | 'SVC' | 'SYP' | 'SZL' | 'THB' | 'TJS' | 'TMT' | 'TND' | 'TOP' | 'TRY' | 'TTD' | 'TWD' | 'TZS' | 'UAH' | 'UGX' | 'USD' | 'UYU' | 'UZS' | 'VED' | 'VES' | 'VND' | 'VUV' | 'WST' | 'XAF' | 'XCD' | 'XCG' | 'XOF' | 'XPF' | 'YER' | 'ZAR' | 'ZMW' | 'ZWG';

export interface Details {
  brand: string;
  last4: string;
  exp_month: number;
  exp_year: number;
}

/** A Refund is money given back. */
export interface Refund {
  id: RefundId;
  payment_id: PaymentId;
  amount: number;
  currency: Currency;
  reason: string;
  created_at: Timestamp;
}

/** A Feed is a part of the events, oldest first. It is continued after its last event. */
export interface Feed {
  data: Event[];
  has_more: boolean;
}

/** An Event tells that a payment changed. It is written in the transaction of the change, so there is exactly one for each. */
export interface Event {
  id: EventId;
  type: string;
  merchant_id: MerchantId;
  payment_id: PaymentId;
  /** Data is the payment as it was after the change. */
  data: Payment;
  created_at: Timestamp;
}

/** Sheet is the trial balance. The balances of one currency sum to zero. */
export interface Sheet {
  data: Balance[];
}

/** A Balance is the sum of an account's entries in one currency. */
export interface Balance {
  account: string;
  currency: Currency;
  balance: number;
}

/** An Entry is one side of a movement of money. A positive amount is a debit, a negative one a credit. */
export interface Entry {
  id: EntryId;
  payment_id: PaymentId;
  merchant_id: MerchantId;
  account: string;
  currency: Currency;
  amount: number;
  /** Reason is the event that moved the money, "payment.captured". */
  reason: string;
  created_at: Timestamp;
}

/** A Report is one that was asked for. */
export interface Report {
  id: ReportId;
  kind: Kind;
  status: ReportStatus;
  /** MerchantID is missing from a report of all merchants. */
  merchant_id?: MerchantId;
  /** From and To bound the period: an entry of the instant From is in it, one of the instant To is not. */
  from: Timestamp;
  to: Timestamp;
  currency?: Currency;
  progress: Progress;
  /** FailureCode says why a report failed. */
  failure_code?: Failure;
  created_at: Timestamp;
  /** ExpiresAt is when the report and its files are removed. */
  expires_at: Timestamp;
}

/** A Kind is what a report is about. */
export type Kind = 'settlement';

/** A Status is where a report stands. */
export type ReportStatus = 'queued' | 'running' | 'done' | 'failed';

/** Progress is how many entries of the ledger are in the report, of those that will be. */
export interface Progress {
  done: number;
  total: number;
}

/** A Failure is why a report failed. */
export type Failure = 'too_large' | 'timed_out' | 'internal';

/** A Merchant is a business whose customers pay. */
export interface Merchant {
  id: MerchantId;
  name: string;
  country: string;
  currency: Currency;
  created_at: Timestamp;
}

/** A Created endpoint shows its secret, this once. */
export interface Created {
  id: WebhookId;
  merchant_id: MerchantId;
  url: string;
  events: string[];
  description: string;
  status: string;
  /** DisabledReason is by_owner, gone (it answered 410) or failing. */
  disabled_reason?: string;
  created_at: Timestamp;
  /** Secret verifies the signatures of what is sent. */
  secret: string;
}

/** An Endpoint is where a merchant's events are sent. */
export interface Endpoint {
  id: WebhookId;
  merchant_id: MerchantId;
  url: string;
  events: string[];
  description: string;
  status: string;
  /** DisabledReason is by_owner, gone (it answered 410) or failing. */
  disabled_reason?: string;
  created_at: Timestamp;
}

/** A Delivery is one event at one endpoint. */
export interface Delivery {
  id: DeliveryId;
  event_id: EventId;
  event_type: string;
  status: string;
  /** AttemptCount counts all attempts; Attempts are the last ten of them. */
  attempt_count: number;
  attempts: Attempt[];
  /** NextAttemptAt is missing if there will be none, or another event of the same payment is to be delivered before. */
  next_attempt_at?: Timestamp;
  created_at: Timestamp;
}

/** An Attempt is one try at a delivery. */
export interface Attempt {
  at: Timestamp;
  outcome: string;
  /** of the answer; 0 without one */
  status: number;
  duration_ms: number;
  /** Response is how the answer's body begins. */
  response: string;
}

/** Me is who asks, and what they may do. */
export interface Me {
  id: string;
  email: string;
  role: string;
  merchant_id?: MerchantId;
  permissions: string[];
}

/** A User is an account as the API shows it. */
export interface User {
  id: UserId;
  email: string;
  role: string;
  /** MerchantID is the merchant that the user is confined to; staff have none. */
  merchant_id?: MerchantId;
  created_at: Timestamp;
}

export interface Grant {
  /** Send it as Authorization: Bearer. */
  access_token: string;
  token_type: string;
  /** Life of the access token in seconds. */
  expires_in: number;
  /** Exchange it for the next pair of tokens. It is good once. */
  refresh_token: string;
}

/** SignedIn is an open session. */
export interface SignedIn {
  id: SessionId;
  /** When the sign-in was. */
  created_at: Timestamp;
  /** When the session was last refreshed; for a cookie, last used. */
  used_at: Timestamp;
  /** IP address that it was last refreshed from. */
  address: string;
  /** User-Agent that it was last refreshed by. */
  agent: string;
  /** Whether it is the session that asks. */
  current: boolean;
}

export interface TOTPEnrolment {
  /** The secret in base32, to be typed into an authenticator. */
  secret: string;
  /** The same as an otpauth URI, to be shown as a QR code. */
  uri: string;
}

export interface RecoveryCodes {
  /** Ten codes. Case, spaces and hyphens do not matter. */
  recovery_codes: string[];
}

export interface IssuedAPIKey {
  id: ApiKeyId;
  name: string;
  /** What bounds the key, beside the role of its owner. */
  permissions: string[];
  /** How the key starts, to tell which one lies somewhere. */
  hint: string;
  /** The key that made this one, if a key did. */
  parent?: string;
  created_at: Timestamp;
  /** From when on the key is refused; null for never. */
  expires_at: Timestamp | null;
  /** Up to a minute late; null if it was never used. */
  last_used_at: Timestamp | null;
  /** Send it as Authorization: Bearer. It is shown this once and kept nowhere. */
  key: string;
}

export interface APIKey {
  id: ApiKeyId;
  name: string;
  /** What bounds the key, beside the role of its owner. */
  permissions: string[];
  /** How the key starts, to tell which one lies somewhere. */
  hint: string;
  /** The key that made this one, if a key did. */
  parent?: string;
  created_at: Timestamp;
  /** From when on the key is refused; null for never. */
  expires_at: Timestamp | null;
  /** Up to a minute late; null if it was never used. */
  last_used_at: Timestamp | null;
}

export interface JWKS {
  /** The key that signs, the one that will, and those whose tokens are still good. */
  keys: JWK[];
}

export interface JWK {
  kty: string;
  crv: string;
  x: string;
  y?: string;
  /** The kid of the tokens that the key signs. */
  kid: string;
  use: string;
  alg: string;
}

export interface Card {
  /** Matches `^[0-9]{12,19}$`. */
  number: string;
  /** A whole number, 1 to 12. */
  exp_month: number;
  /** A whole number, 2000 to 2099. */
  exp_year: number;
  /** Matches `^[0-9]{3,4}$`. */
  cvc: string;
}

/** A Format is what a file of a report is. */
export type Format = 'csv' | 'svg';

/** Every problem that this API knows, by its code. */
export interface Problems {
  account_not_found: ProblemOf<'account_not_found', 404>;
  api_key_not_found: ProblemOf<'api_key_not_found', 404>;
  api_keys_too_many: ProblemOf<'api_keys_too_many', 409>;
  body_too_large: ProblemOf<'body_too_large', 413>;
  card_declined: ProblemOf<'card_declined', 402>;
  card_network_unavailable: ProblemOf<'card_network_unavailable', 503>;
  credentials_wrong: ProblemOf<'credentials_wrong', 401>;
  cursor_invalid: ProblemOf<'cursor_invalid', 400>;
  deadline_exceeded: ProblemOf<'deadline_exceeded', 504>;
  email_taken: ProblemOf<'email_taken', 409>;
  events_reset: ProblemOf<'events_reset', 410>;
  idempotency_key_in_flight: ProblemOf<'idempotency_key_in_flight', 409>;
  idempotency_key_malformed: ProblemOf<'idempotency_key_malformed', 400>;
  idempotency_key_missing: ProblemOf<'idempotency_key_missing', 400>;
  idempotency_key_reused: ProblemOf<'idempotency_key_reused', 422>;
  internal: ProblemOf<'internal', 500>;
  invalid: ProblemOf<'invalid', 422> & { errors: Violation[] };
  malformed: ProblemOf<'malformed', 400>;
  media_type_unsupported: ProblemOf<'media_type_unsupported', 415>;
  merchant_not_found: ProblemOf<'merchant_not_found', 404>;
  method_not_allowed: ProblemOf<'method_not_allowed', 405>;
  not_acceptable: ProblemOf<'not_acceptable', 406>;
  not_found: ProblemOf<'not_found', 404>;
  overloaded: ProblemOf<'overloaded', 503>;
  payment_not_found: ProblemOf<'payment_not_found', 404>;
  payment_wrong_state: ProblemOf<'payment_wrong_state', 409>;
  permission_denied: ProblemOf<'permission_denied', 403>;
  permissions_changed: ProblemOf<'permissions_changed', 401>;
  rate_limited: ProblemOf<'rate_limited', 429>;
  refresh_token_invalid: ProblemOf<'refresh_token_invalid', 401>;
  report_limit_reached: ProblemOf<'report_limit_reached', 409>;
  report_not_found: ProblemOf<'report_not_found', 404>;
  report_not_ready: ProblemOf<'report_not_ready', 409>;
  request_timeout: ProblemOf<'request_timeout', 408>;
  second_factor_exists: ProblemOf<'second_factor_exists', 409>;
  second_factor_not_found: ProblemOf<'second_factor_not_found', 404>;
  second_factor_required: ProblemOf<'second_factor_required', 401>;
  second_factor_throttled: ProblemOf<'second_factor_throttled', 429>;
  second_factor_wrong: ProblemOf<'second_factor_wrong', 401>;
  session_not_found: ProblemOf<'session_not_found', 404>;
  sign_in_busy: ProblemOf<'sign_in_busy', 503>;
  sign_in_throttled: ProblemOf<'sign_in_throttled', 429>;
  stale: ProblemOf<'stale', 412>;
  streams_full: ProblemOf<'streams_full', 503>;
  token_invalid: ProblemOf<'token_invalid', 401>;
  too_many_streams: ProblemOf<'too_many_streams', 429>;
  unauthenticated: ProblemOf<'unauthenticated', 401>;
  unavailable: ProblemOf<'unavailable', 503>;
  webhook_delivery_exhausted: ProblemOf<'webhook_delivery_exhausted', 409>;
  webhook_delivery_not_found: ProblemOf<'webhook_delivery_not_found', 404>;
  webhook_disabled: ProblemOf<'webhook_disabled', 409>;
  webhook_limit_reached: ProblemOf<'webhook_limit_reached', 409>;
  webhook_not_found: ProblemOf<'webhook_not_found', 404>;
}

export type ProblemCode = keyof Problems;

/** A problem, told apart by its code. */
export type Problem = Problems[ProblemCode];

/** Whether the service has refused with one of the codes, or, if none is given, with one that is known. */
export function isProblem<C extends ProblemCode>(error: unknown, ...codes: C[]): error is ApiError<Problems[C]> {
  return error instanceof ApiError && (codes.length === 0 || (codes as string[]).includes(error.code));
}

/** What each operation takes, answers, and fails with of its own. */
export interface Operations {
  'payments.authorize': { input: PaymentsAuthorizeInput; answer: Payment; fails: 'card_declined' | 'card_network_unavailable' };
  'payments.get': { input: PaymentsGetInput; answer: Payment; fails: 'payment_not_found' };
  'payments.list': { input: PaymentsListInput; answer: Page<Payment>; fails: never };
  'payments.capture': { input: PaymentsCaptureInput; answer: Payment; fails: 'payment_not_found' | 'payment_wrong_state' };
  'payments.void': { input: PaymentsVoidInput; answer: Payment; fails: 'payment_not_found' | 'payment_wrong_state' };
  'payments.refund': { input: PaymentsRefundInput; answer: Refund; fails: 'payment_not_found' | 'payment_wrong_state' };
  'payments.refunds': { input: PaymentsRefundsInput; answer: Page<Refund>; fails: 'payment_not_found' };
  'events.list': { input: EventsListInput; answer: Feed; fails: 'events_reset' };
  'events.stream': { input: EventsStreamInput; answer: Event; fails: 'events_reset' };
  'events.ws': { input: EventsWsInput; answer: Event; fails: 'events_reset' };
  'ledger.balances': { input: LedgerBalancesInput; answer: Sheet; fails: never };
  'ledger.entries': { input: LedgerEntriesInput; answer: Page<Entry>; fails: never };
  'reports.create': { input: ReportsCreateInput; answer: Report; fails: 'report_limit_reached' };
  'reports.get': { input: ReportsGetInput; answer: Report; fails: 'report_not_found' };
  'reports.file': { input: ReportsFileInput; answer: FileAnswer; fails: 'report_not_found' | 'report_not_ready' };
  'reports.delete': { input: ReportsDeleteInput; answer: void; fails: 'report_not_found' };
  'merchants.create': { input: MerchantsCreateInput; answer: Merchant; fails: never };
  'merchants.list': { input: MerchantsListInput; answer: Page<Merchant>; fails: never };
  'merchants.get': { input: MerchantsGetInput; answer: Merchant; fails: 'merchant_not_found' };
  'webhooks.create': { input: WebhooksCreateInput; answer: Created; fails: 'webhook_limit_reached' };
  'webhooks.list': { input: WebhooksListInput; answer: Page<Endpoint>; fails: never };
  'webhooks.delete': { input: WebhooksDeleteInput; answer: void; fails: 'webhook_not_found' };
  'webhooks.enable': { input: WebhooksEnableInput; answer: Endpoint; fails: 'webhook_not_found' };
  'webhooks.deliveries': { input: WebhooksDeliveriesInput; answer: Page<Delivery>; fails: 'webhook_not_found' };
  'webhooks.redeliver': { input: WebhooksRedeliverInput; answer: Delivery; fails: 'webhook_not_found' | 'webhook_delivery_not_found' | 'webhook_disabled' | 'webhook_delivery_exhausted' };
  'auth.me': { input: Record<string, never>; answer: Me; fails: 'token_invalid' };
  'users.create': { input: UsersCreateInput; answer: User; fails: 'email_taken' | 'sign_in_busy' };
  'users.list': { input: UsersListInput; answer: Page<User>; fails: never };
  'auth.login': { input: AuthLoginInput; answer: Grant; fails: 'credentials_wrong' | 'second_factor_required' | 'second_factor_wrong' | 'second_factor_throttled' | 'sign_in_throttled' | 'sign_in_busy' };
  'auth.refresh': { input: AuthRefreshInput; answer: Grant; fails: 'refresh_token_invalid' };
  'auth.logout': { input: AuthLogoutInput; answer: void; fails: never };
  'auth.sessions.list': { input: AuthSessionsListInput; answer: Page<SignedIn>; fails: never };
  'auth.sessions.end': { input: AuthSessionsEndInput; answer: void; fails: 'session_not_found' };
  'auth.sessions.end_others': { input: Record<string, never>; answer: void; fails: never };
  'auth.password': { input: AuthPasswordInput; answer: void; fails: 'sign_in_throttled' | 'sign_in_busy' | 'account_not_found' };
  'auth.totp.enrol': { input: AuthTotpEnrolInput; answer: TOTPEnrolment; fails: 'second_factor_exists' | 'sign_in_throttled' | 'sign_in_busy' | 'account_not_found' };
  'auth.totp.confirm': { input: AuthTotpConfirmInput; answer: RecoveryCodes; fails: 'second_factor_not_found' | 'second_factor_throttled' };
  'auth.totp.remove': { input: AuthTotpRemoveInput; answer: void; fails: 'second_factor_not_found' | 'second_factor_throttled' | 'sign_in_throttled' | 'sign_in_busy' | 'account_not_found' };
  'api_keys.create': { input: ApiKeysCreateInput; answer: IssuedAPIKey; fails: 'permission_denied' | 'api_keys_too_many' | 'api_key_not_found' };
  'api_keys.list': { input: ApiKeysListInput; answer: Page<APIKey>; fails: 'cursor_invalid' };
  'api_keys.end': { input: ApiKeysEndInput; answer: void; fails: 'api_key_not_found' };
  'auth.keys': { input: Record<string, never>; answer: JWKS; fails: never };
}

/** A moment as RFC 3339 writes it: "2026-11-22T10:00:00.000Z". */
export type Timestamp = string;

/** Bytes in base64. */
export type Base64 = string;

/** Any JSON. */
export type Json = null | boolean | number | string | Json[] | { [member: string]: Json };

declare const brand: unique symbol;
/** A text that names one kind of thing: it can be used as a text, but not in place of another name. */
export type Brand<Name extends string> = string & { readonly [brand]: Name };

export type ApiKeyId = Brand<'ApiKeyId'>;
export const ApiKeyId = (text: string): ApiKeyId => text as ApiKeyId;
export type DeliveryId = Brand<'DeliveryId'>;
export const DeliveryId = (text: string): DeliveryId => text as DeliveryId;
export type EntryId = Brand<'EntryId'>;
export const EntryId = (text: string): EntryId => text as EntryId;
export type EventId = Brand<'EventId'>;
export const EventId = (text: string): EventId => text as EventId;
export type MerchantId = Brand<'MerchantId'>;
export const MerchantId = (text: string): MerchantId => text as MerchantId;
export type PaymentId = Brand<'PaymentId'>;
export const PaymentId = (text: string): PaymentId => text as PaymentId;
export type RefundId = Brand<'RefundId'>;
export const RefundId = (text: string): RefundId => text as RefundId;
export type ReportId = Brand<'ReportId'>;
export const ReportId = (text: string): ReportId => text as ReportId;
export type SessionId = Brand<'SessionId'>;
export const SessionId = (text: string): SessionId => text as SessionId;
export type UserId = Brand<'UserId'>;
export const UserId = (text: string): UserId => text as UserId;
export type WebhookId = Brand<'WebhookId'>;
export const WebhookId = (text: string): WebhookId => text as WebhookId;

/** The word before a token. */
const scheme = 'Bearer';

// What every client is made of. Nothing below depends on the operations.

/** An operation as it travels. */
interface Route {
  name: string;
  method: string;
  path: string;
  /** The operation takes an Idempotency-Key, so a repeated call has no second effect. */
  key?: true;
  /** Nobody has to be signed in. */
  open?: true;
  /** The answer is a file. */
  file?: true;
  /** A stream can be told by a parameter after which item to go on. */
  after?: true;
  /** What becomes of the tokens: the answer brings new ones. */
  tokens?: 'take';
}

/** The tokens of a session. */
export interface Tokens {
  access_token: string;
  refresh_token: string;
  /** When the access token runs out by this machine's clock, in milliseconds; an estimate. */
  expires_at: number;
}

/** Where tokens are kept. {@link memoryTokens} forgets them with the page, {@link storedTokens} shares them between tabs. */
export interface TokenStore {
  get(): Tokens | undefined;
  set(tokens: Tokens | undefined): void;
  /** Runs work while nobody else who shares the store does. A refresh token is good once. */
  alone<T>(work: () => Promise<T>): Promise<T>;
}

/** Keeps tokens in memory: the default. */
export function memoryTokens(): TokenStore {
  let kept: Tokens | undefined;
  return { get: () => kept, set: (tokens) => { kept = tokens; }, alone: (work) => work() };
}

/** What {@link storedTokens} needs: localStorage and sessionStorage are such. */
export interface TextStorage {
  getItem(name: string): string | null;
  setItem(name: string, value: string): void;
  removeItem(name: string): void;
}

/**
 * Keeps tokens in localStorage or the like, so that they outlive a reload. Tabs that share the storage take turns in
 * refreshing, where the browser has locks. Scripts of the page can read them: have a strict Content-Security-Policy.
 */
export function storedTokens(storage: TextStorage, name = 'ashlar.tokens'): TokenStore {
  return {
    get() {
      const text = storage.getItem(name);
      try {
        return text === null ? undefined : (JSON.parse(text) as Tokens);
      } catch {
        return undefined; // somebody else's
      }
    },
    set(tokens) {
      if (tokens) storage.setItem(name, JSON.stringify(tokens));
      else storage.removeItem(name);
    },
    async alone<T>(work: () => Promise<T>): Promise<T> {
      const { navigator } = globalThis as { navigator?: { locks?: { request<R>(name: string, work: () => Promise<R>): Promise<R> } } };
      const locks = navigator?.locks;
      return locks ? await locks.request(name, work) : await work();
    },
  };
}

/** What a client needs to know. */
export interface ClientOptions {
  /** Where the service is, without a path: "https://api.example.com". In a page, its own origin if not given. */
  baseUrl?: string;
  /** An API key, or whatever else makes the bearer token of each request. With it no tokens are kept or refreshed. */
  apiKey?: string | (() => string | Promise<string>);
  /** Where the tokens of a signed-in person are kept: in memory if not given. */
  tokens?: TokenStore;
  /** How long one attempt may take, in milliseconds: 30 000 if not given. Streams may last. */
  timeoutMs?: number;
  /** How often a call that is safe to repeat is tried: 4 times if not given. */
  attempts?: number;
  /** Sent with every request. */
  headers?: Record<string, string>;
  /** Sends requests instead of the global fetch. */
  fetch?: typeof fetch;
  /** Makes WebSockets instead of the global one, which Node.js has since version 22. */
  WebSocket?: typeof WebSocket;
  /** Is called when a session has ended and only a new sign-in helps. */
  onSignedOut?: () => void;
  /** Is called before each repetition, for logs. */
  onRetry?: (what: { operation: string; attempt: number; delayMs: number; reason: unknown }) => void;
}

/** What a single call may ask for. */
export interface CallOptions {
  /** Ends the call, whose promise is then rejected with the signal's reason. */
  signal?: AbortSignal;
  timeoutMs?: number;
  attempts?: number;
  /** One is made for each call that takes one. Give your own to repeat a call of before, after a reload for instance. */
  idempotencyKey?: string;
  /** The ETag of the version that is to be changed; if that is not the present one, the problem is `stale`. */
  ifMatch?: string;
  headers?: Record<string, string>;
  /** Sees the answer's head: its ETag, whether it was replayed, what is left of a limit. */
  onAnswer?: (answer: { status: number; headers: Headers; attempts: number }) => void;
}

/** What a subscription may ask for. */
export interface StreamOptions {
  /** Ends the subscription without an error. */
  signal?: AbortSignal;
  /** How items travel. A WebSocket that cannot be had is an error, never silently something else. */
  transport?: 'sse' | 'websocket';
  /** How long nothing at all may arrive over SSE before the connection is taken for dead: 45 000 ms, three of the server's beats. */
  silenceMs?: number;
  /** Follows the connection. */
  onState?: (state: StreamState) => void;
}

/** How a subscription stands. */
export type StreamState =
  /** Connected. If it is not `resumed`, whatever happened before was not sent: read the present state now. */
  | { state: 'open'; resumed: boolean }
  /** Cut, and about to come back after the last item. */
  | { state: 'waiting'; delayMs: number; reason: unknown };

/** An answer that is a file. */
export interface FileAnswer {
  body: Blob;
  type: string;
  /** The name to save it under, if the server gives one. */
  name?: string;
}

/** A member of a problem's `errors`: a rule that the input breaks. */
export interface Violation {
  /** JSON Pointer to the member at fault, "" for the whole input. */
  pointer: string;
  /** The stable name of the rule. */
  code: string;
  /** The rule, for people. */
  detail: string;
}

/** What went wrong, as RFC 9457 says. A code may bring further members. */
export interface ProblemOf<Code extends string, Status extends number> {
  type: string;
  title: string;
  status: Status;
  code: Code;
  detail?: string;
  /** Names the request to whoever runs the service. */
  trace_id?: string;
  [member: string]: unknown;
}

/** The problem of a code that this client was not made with: the service is newer. */
export type UnknownProblem = ProblemOf<string, number>;

/** The service has refused. Branch on `code`. */
export class ApiError<P extends UnknownProblem = UnknownProblem> extends Error {
  override name = 'ApiError';
  readonly problem: P;
  readonly operation: string;
  readonly headers: Headers;
  constructor(operation: string, problem: P, headers: Headers) {
    super(`${operation}: ${problem.code}: ${problem.detail ?? problem.title}`);
    this.operation = operation;
    this.problem = problem;
    this.headers = headers;
  }
  get code(): P['code'] { return this.problem.code; }
  get status(): P['status'] { return this.problem.status; }
  /** The rules that the input breaks, by JSON Pointer. */
  get violations(): Violation[] {
    return Array.isArray(this.problem.errors) ? (this.problem.errors as Violation[]) : [];
  }
}

/**
 * There is no answer that could be understood. After `network` and `timeout` it is not known whether the call had its
 * effect, unless its `idempotencyKey` is sent again.
 */
export class ConnectionError extends Error {
  override name = 'ConnectionError';
  readonly operation: string;
  readonly reason: 'network' | 'timeout' | 'malformed' | 'unsupported';
  readonly idempotencyKey: string | undefined;
  constructor(operation: string, reason: ConnectionError['reason'], message: string, cause?: unknown, idempotencyKey?: string) {
    super(`${operation}: ${message}`, { cause });
    this.operation = operation;
    this.reason = reason;
    this.idempotencyKey = idempotencyKey;
  }
}

/** One page of a list. */
export interface Page<T> {
  data: T[];
  /** Continues the list; null on the last page. */
  next_cursor: string | null;
  has_more: boolean;
}

/**
 * A list that is read page by page. Await it for one page; iterate it for all items, page after page as they are
 * needed.
 */
export class Pages<T> implements PromiseLike<Page<T>>, AsyncIterable<T> {
  readonly #load: (cursor?: string) => Promise<Page<T>>;
  constructor(load: (cursor?: string) => Promise<Page<T>>) { this.#load = load; }
  then<A = Page<T>, B = never>(done?: ((page: Page<T>) => A | PromiseLike<A>) | null, failed?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<A | B> {
    return this.#load().then(done, failed);
  }
  catch<B = never>(failed: (reason: unknown) => B | PromiseLike<B>): Promise<Page<T> | B> { return this.#load().catch(failed); }
  /** Iterates over whole pages. */
  async *pages(): AsyncGenerator<Page<T>, void, undefined> {
    for (let cursor: string | undefined; ;) {
      const page = await this.#load(cursor);
      yield page;
      if (!page.has_more || page.next_cursor === null) return;
      cursor = page.next_cursor;
    }
  }
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for await (const page of this.pages()) yield* page.data;
  }
}

const wait = (ms: number, signal?: AbortSignal): Promise<void> => new Promise((done, failed) => {
  if (signal?.aborted) return failed(signal.reason);
  const stop = () => { clearTimeout(timer); failed(signal!.reason); };
  const timer = setTimeout(() => { signal?.removeEventListener('abort', stop); done(); }, ms);
  signal?.addEventListener('abort', stop, { once: true });
});

/** Grows with each attempt to 20 s; the half that is random keeps clients from coming back all at once. */
const backoff = (attempt: number): number => Math.min(20_000, 250 * 2 ** Math.min(attempt, 10)) * (0.5 + Math.random() / 2);

/** How long the server asks to wait, in milliseconds. */
function retryAfter(headers: Headers): number | undefined {
  const text = headers.get('Retry-After');
  if (text === null) return undefined;
  const seconds = /^\d+$/.test(text) ? Number(text) : (Date.parse(text) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) * 1000 : undefined;
}

/** The longest that a call waits because the server asks to. Beyond it the caller has to know. */
const longestWait = 30_000;

const exact = (value: unknown): unknown => {
  if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)) {
    throw new RangeError(`${value} is beyond 2^53 and would not stay what it is`);
  }
  return value;
};

/** Reads JSON. A whole number that JavaScript would round is an error. */
function parse(text: string): unknown {
  return /\d{16}/.test(text) ? JSON.parse(text, (_, value: unknown) => exact(value)) : JSON.parse(text);
}

const written = (value: unknown): string => JSON.stringify(value, (_, member: unknown) => exact(member));

type Input = Record<string, unknown>;

/** Splits an input into path, query and body. */
function place(route: Route, input: Input, inBody: boolean): { path: string; body: string | undefined } {
  const rest = { ...input };
  const path = route.path.replace(/\{([^}]+)\}/g, (_, name: string) => {
    const value = rest[name];
    if (value === undefined || value === null || value === '') throw new TypeError(`${route.name}: ${name} is missing`);
    delete rest[name];
    return encodeURIComponent(plain(value));
  });
  if (inBody) return { path, body: Object.keys(rest).length > 0 ? written(rest) : undefined };
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(rest)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null) query.append(name, plain(one));
    }
  }
  const text = query.toString();
  return { path: text === '' ? path : `${path}?${text}`, body: undefined };
}

const plain = (value: unknown): string => (value instanceof Date ? value.toISOString() : String(exact(value)));

/** The faults after which a request is known to have had no effect. */
const untouched = new Set(['rate_limited', 'overloaded', 'operation_busy', 'idempotency_key_in_flight']);

/** Sends requests, repeats them where that is safe, and keeps the session going. */
class Connection {
  readonly tokens: TokenStore;
  readonly #options: ClientOptions;
  readonly #refreshRoute: Route | undefined;
  readonly #base: string;
  #refreshing: Promise<void> | undefined;

  constructor(options: ClientOptions, refreshRoute: Route | undefined) {
    this.#options = options;
    this.#refreshRoute = refreshRoute;
    this.#base = (options.baseUrl ?? (globalThis as { location?: { origin: string } }).location?.origin ?? '').replace(/\/$/, '');
    this.tokens = options.tokens ?? memoryTokens();
  }

  async call<T>(route: Route, input: object = {}, options: CallOptions = {}): Promise<T> {
    const { path, body } = place(route, input as Input, route.method !== 'GET');
    const key = route.key ? (options.idempotencyKey ?? crypto.randomUUID()) : undefined;
    const headers: Record<string, string> = {
      Accept: route.file ? '*/*, application/problem+json' : accepted, ...this.#options.headers, ...options.headers,
    };
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    if (key !== undefined) headers['Idempotency-Key'] = key;
    if (options.ifMatch !== undefined) headers['If-Match'] = options.ifMatch;

    const repeatable = key !== undefined || ['GET', 'PUT', 'DELETE'].includes(route.method);
    const limit = options.attempts ?? this.#options.attempts ?? 4;
    let refreshed = false;
    for (let attempt = 1; ; attempt++) {
      let problem: unknown, pause: number | undefined;
      const bearer = route.open ? undefined : await this.bearer(options.signal);
      try {
        const answer = await this.#attempt(route, path, body, { ...headers, ...authorization(bearer) }, options, key);
        if (!(answer instanceof ApiError)) {
          options.onAnswer?.({ status: answer.response.status, headers: answer.response.headers, attempts: attempt });
          if (route.tokens === 'take') this.#take(answer.value);
          return answer.value as T;
        }
        problem = answer;
        if (answer.status === 401 && bearer !== undefined && !refreshed && this.renewable()) {
          refreshed = true;
          await this.refresh(bearer, options.signal);
          attempt--;
          continue;
        }
        const again = untouched.has(answer.code) || repeatable && [502, 503, 504].includes(answer.status);
        if (!again || attempt >= limit) throw answer;
        pause = retryAfter(answer.headers);
        if (pause !== undefined && pause > longestWait) throw answer;
      } catch (e) {
        if (!(e instanceof ConnectionError) || e.reason === 'malformed' || !repeatable || attempt >= limit) throw e;
        problem = e;
      }
      const delayMs = (pause ?? 0) + backoff(attempt - 1) * (pause === undefined ? 1 : 0.2);
      this.#options.onRetry?.({ operation: route.name, attempt, delayMs, reason: problem });
      await wait(delayMs, options.signal);
    }
  }

  /** One request and the whole of its answer, within the time for it. */
  async #attempt(route: Route, path: string, body: string | undefined, headers: Record<string, string>, options: CallOptions, key: string | undefined): Promise<ApiError | { value: unknown; response: Response }> {
    const late = options.timeoutMs ?? this.#options.timeoutMs ?? 30_000;
    const timer = new AbortController();
    const stop = () => timer.abort(options.signal!.reason);
    if (options.signal?.aborted) throw options.signal.reason;
    options.signal?.addEventListener('abort', stop, { once: true });
    const clock = setTimeout(() => timer.abort(), late);
    try {
      const request: RequestInit = { method: route.method, headers, signal: timer.signal };
      if (body !== undefined) request.body = body;
      const response = await this.fetch(path, request);
      if (!response.ok) return await refusal(route, response);
      return { value: await this.#value(route, response), response };
    } catch (e) {
      if (options.signal?.aborted) throw options.signal.reason;
      if (e instanceof ConnectionError) throw e;
      if (timer.signal.aborted) throw new ConnectionError(route.name, 'timeout', `no answer in ${late} ms`, e, key);
      throw new ConnectionError(route.name, 'network', 'the connection failed', e, key);
    } finally {
      clearTimeout(clock);
      options.signal?.removeEventListener('abort', stop);
    }
  }

  async #value(route: Route, response: Response): Promise<unknown> {
    if (route.file) {
      const name = /filename="?([^";]+)"?/.exec(response.headers.get('Content-Disposition') ?? '')?.[1];
      const type = response.headers.get('Content-Type') ?? 'application/octet-stream';
      return { body: await response.blob(), type, ...(name === undefined ? {} : { name }) };
    }
    const text = await response.text();
    if (text === '') return undefined;
    try {
      return parse(text);
    } catch (e) {
      throw new ConnectionError(route.name, 'malformed', 'the answer cannot be read', e);
    }
  }

  fetch(path: string, request: RequestInit): Promise<Response> {
    return (this.#options.fetch ?? fetch)(this.#base + path, request);
  }

  socket(path: string): WebSocket {
    const Socket = this.#options.WebSocket ?? (globalThis as { WebSocket?: typeof WebSocket }).WebSocket;
    if (!Socket) throw new ConnectionError('WebSocket', 'unsupported', 'there is no WebSocket here; give one in the options');
    return new Socket(this.#base.replace(/^http/, 'ws') + path);
  }

  /** The token to send, if there is one. One that is known to have run out is renewed first. */
  async bearer(signal?: AbortSignal): Promise<string | undefined> {
    const { apiKey } = this.#options;
    if (apiKey !== undefined) return typeof apiKey === 'string' ? apiKey : await apiKey();
    const kept = this.tokens.get();
    if (kept && this.renewable() && kept.expires_at <= Date.now()) {
      await this.refresh(kept.access_token, signal);
      return this.tokens.get()?.access_token;
    }
    return kept?.access_token;
  }

  renewable(): boolean {
    return this.#options.apiKey === undefined && this.#refreshRoute !== undefined && this.tokens.get() !== undefined;
  }

  /** Replaces a token that was refused. However many calls ask, one request is made. */
  async refresh(refused: string, signal?: AbortSignal): Promise<void> {
    this.#refreshing ??= this.tokens.alone(() => this.#refresh(refused)).finally(() => { this.#refreshing = undefined; });
    const work = this.#refreshing;
    if (!signal) return await work;
    signal.throwIfAborted();
    let stop = () => {};
    const aborted = new Promise<never>((_, failed) => {
      stop = () => failed(signal.reason);
      signal.addEventListener('abort', stop, { once: true });
    });
    await Promise.race([work, aborted]).finally(() => signal.removeEventListener('abort', stop));
  }

  async #refresh(refused: string): Promise<void> {
    const kept = this.tokens.get();
    if (!kept || kept.access_token !== refused) return; // another tab was quicker
    // The key lets the server answer a repetition alike, whose first answer was lost.
    const body = written({ refresh_token: kept.refresh_token, retry_key: crypto.randomUUID() });
    const route = this.#refreshRoute!;
    const headers = { Accept: accepted, 'Content-Type': 'application/json', ...this.#options.headers };
    for (let attempt = 1; ; attempt++) {
      try {
        const answer = await this.#attempt(route, route.path, body, headers, { timeoutMs: 5_000 }, undefined);
        if (!(answer instanceof ApiError)) return this.#take(answer.value);
        if (answer.status === 401) this.signOut();
        if (attempt >= 4 || answer.status !== 429 && answer.status !== 503) throw answer;
        await wait(Math.min(retryAfter(answer.headers) ?? 0, longestWait) + backoff(attempt - 1));
      } catch (e) {
        if (!(e instanceof ConnectionError) || e.reason === 'malformed' || attempt >= 4) throw e;
        await wait(backoff(attempt - 1));
      }
    }
  }

  #take(answer: unknown): void {
    const { access_token, refresh_token, expires_in } = answer as { access_token?: string; refresh_token?: string; expires_in?: number };
    if (access_token && refresh_token) {
      this.tokens.set({ access_token, refresh_token, expires_at: Date.now() + (expires_in ?? 300) * 1000 - 1000 });
    }
  }

  /** Forgets the session. */
  signOut(): void {
    this.tokens.set(undefined);
    this.#options.onSignedOut?.();
  }
}

/** An answer, or a problem document where the API has a form of its own for failures as well. */
const accepted = 'application/json, application/problem+json';

const authorization = (bearer: string | undefined): Record<string, string> => (bearer === undefined ? {} : { Authorization: `${scheme} ${bearer}` });

/** The problem that an answer is. Whatever stands in between may answer with something else. */
async function refusal(route: Route, response: Response): Promise<ApiError> {
  const text = await response.text();
  let problem: UnknownProblem = { type: 'about:blank', title: response.statusText, status: response.status, code: `http_${response.status}` };
  try {
    const said = JSON.parse(text) as UnknownProblem;
    if (typeof said.code === 'string' && typeof said.status === 'number') problem = said;
  } catch {
    // no problem document
  }
  return new ApiError(route.name, problem, response.headers);
}

/** One thing that a stream sent. */
interface Sent {
  id?: string | undefined;
  event?: string | undefined;
  data: unknown;
}

/** How a connection of a stream ended. */
class Cut {
  readonly reason: unknown;
  readonly delayMs: number | undefined;
  constructor(reason: unknown, delayMs?: number) {
    this.reason = reason;
    this.delayMs = delayMs;
  }
}

/**
 * A subscription to a stream. Iterate it: it comes back after each cut, behind the last item, until you leave the loop,
 * the signal ends it or the server says that there is nothing more. What cannot be continued is an error.
 */
export class Subscription<T> implements AsyncIterable<T> {
  /** The place behind the last item that was handed out. */
  lastEventId = '';
  readonly #connection: Connection;
  readonly #route: Route;
  readonly #input: Input;
  readonly #options: StreamOptions;

  constructor(connection: Connection, route: Route, input: object, options: StreamOptions) {
    this.#connection = connection;
    this.#route = route;
    this.#input = input as Input;
    this.#options = options;
    if (typeof this.#input.after === 'string') this.lastEventId = this.#input.after;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    const leave = new AbortController();
    const { signal } = this.#options;
    const stop = () => leave.abort(signal!.reason);
    signal?.addEventListener('abort', stop, { once: true });
    if (signal?.aborted) leave.abort(signal.reason);
    try {
      for (let failures = 0; !leave.signal.aborted;) {
        let cut: Cut;
        try {
          const items = this.#options.transport === 'websocket' ? this.#sockets(leave.signal) : this.#events(leave.signal);
          for await (const sent of items) {
            failures = 0;
            if (sent === undefined) { // connected
              this.#options.onState?.({ state: 'open', resumed: this.lastEventId !== '' });
              continue;
            }
            if (sent.event === 'end' || sent.event === 'error') throw this.#ending(sent);
            this.#refusals = 0;
            if (sent.id !== undefined) this.lastEventId = sent.id;
            yield sent.data as T;
          }
          cut = new Cut(new ConnectionError(this.#route.name, 'network', 'the connection was cut'));
        } catch (e) {
          if (leave.signal.aborted || e === completed) return;
          cut = await this.#judge(e, leave.signal);
        }
        const delayMs = cut.delayMs ?? backoff(failures++);
        this.#options.onState?.({ state: 'waiting', delayMs, reason: cut.reason });
        await wait(delayMs, leave.signal).catch(() => undefined);
      }
    } finally {
      signal?.removeEventListener('abort', stop);
      leave.abort();
    }
  }

  /** What the last event of a stream says, as something to throw. */
  #ending(sent: Sent): unknown {
    const data = sent.data as UnknownProblem & { retry_ms?: number };
    if (data.code === 'completed') return completed;
    if (data.code === 'draining') return new Cut(data, (data.retry_ms ?? 1000) + 50);
    if (data.code === 'expired') return new Cut(data, 0);
    return new ApiError(this.#route.name, data, new Headers());
  }

  /** Decides whether to come back; if not, it throws. */
  async #judge(e: unknown, signal: AbortSignal): Promise<Cut> {
    if (e instanceof Cut) return e;
    if (e instanceof ConnectionError && (e.reason === 'network' || e.reason === 'timeout')) return new Cut(e);
    if (!(e instanceof ApiError)) throw e;
    if (e.status === 401 && this.#connection.renewable()) {
      const refused = this.#bearer;
      if (refused === undefined || ++this.#refusals > 3) throw e;
      this.#bearer = undefined;
      try {
        await this.#connection.refresh(refused, signal);
      } catch (failed) {
        if (failed instanceof ConnectionError) return new Cut(failed);
        throw failed;
      }
      return new Cut(e, 0);
    }
    if (e.status === 429 || [502, 503, 504].includes(e.status)) return new Cut(e, (retryAfter(e.headers) ?? 0) + backoff(2));
    throw e;
  }

  #bearer: string | undefined;
  #refusals = 0; // of tokens, since the last item

  /** The items of one connection over server-sent events; undefined when it is open. */
  async *#events(signal: AbortSignal): AsyncGenerator<Sent | undefined, void, undefined> {
    this.#bearer = this.#route.open ? undefined : await this.#connection.bearer(signal);
    const headers: Record<string, string> = { Accept: 'text/event-stream, application/problem+json', ...authorization(this.#bearer) };
    if (this.lastEventId !== '') headers['Last-Event-ID'] = this.lastEventId;
    const { path } = place(this.#route, this.#input, false);
    const silence = this.#options.silenceMs ?? 45_000;
    const silent = new AbortController();
    let heard = setTimeout(() => silent.abort(), silence);
    const listen = () => { clearTimeout(heard); heard = setTimeout(() => silent.abort(), silence); };
    const stop = () => silent.abort(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    try {
      const response = await this.#connection.fetch(path, { headers, signal: silent.signal, cache: 'no-store' });
      if (!response.ok) throw await refusal(this.#route, response);
      if (!response.body) throw new TypeError('the answer has no body');
      listen();
      yield undefined;
      const reader = response.body.getReader();
      const text = new TextDecoder();
      let rest = '', event: string | undefined, id: string | undefined, data: string[] = [];
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        listen();
        const lines = (rest + text.decode(value, { stream: true })).split(/\r\n|\n|\r(?!$)/);
        rest = lines.pop()!;
        for (const line of lines) {
          if (line === '') {
            if (data.length > 0) yield { id, event, data: parse(data.join('\n')) };
            event = undefined;
            data = [];
            continue;
          }
          const colon = line.indexOf(':');
          const name = colon < 0 ? line : line.slice(0, colon);
          const said = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
          if (name === 'data') data.push(said);
          else if (name === 'event') event = said;
          else if (name === 'id') id = said;
        }
      }
    } catch (e) {
      if (e instanceof ApiError || signal.aborted) throw e;
      if (e instanceof RangeError || e instanceof SyntaxError) throw new ConnectionError(this.#route.name, 'malformed', 'an item cannot be read', e);
      throw new ConnectionError(this.#route.name, 'network', silent.signal.aborted ? `nothing came in ${silence} ms` : 'the connection failed', e);
    } finally {
      clearTimeout(heard);
      signal.removeEventListener('abort', stop);
      silent.abort(); // a reader that left in the middle
    }
  }

  /** The items of one WebSocket. */
  async *#sockets(signal: AbortSignal): AsyncGenerator<Sent | undefined, void, undefined> {
    const input = { ...this.#input };
    if (this.#route.after && this.lastEventId !== '') input.after = this.lastEventId;
    else if (this.lastEventId !== '') throw new ConnectionError(this.#route.name, 'unsupported', 'this stream cannot be resumed over a WebSocket');
    this.#bearer = this.#route.open ? undefined : await this.#connection.bearer(signal);
    const socket = this.#connection.socket(place(this.#route, input, false).path);
    const queue: (Sent | undefined)[] = [];
    let wake = () => {}, closed: { code: number } | undefined, renewal: ReturnType<typeof setTimeout> | undefined;
    const authenticate = () => {
      if (this.#bearer === undefined) return;
      socket.send(written({ type: 'token', token: this.#bearer }));
      const kept = this.#connection.tokens.get();
      if (!kept || !this.#connection.renewable()) return;
      // Before the token runs out, another one is sent, and the stream goes on.
      const left = Math.min(2 ** 31 - 1, Math.max(1_000, (kept.expires_at - Date.now()) * 0.8));
      renewal = setTimeout(() => {
        this.#connection.refresh(kept.access_token, signal).then(async () => {
          this.#bearer = await this.#connection.bearer(signal);
          if (socket.readyState === 1) authenticate();
        }).catch(() => socket.close());
      }, left);
    };
    let first = true;
    socket.onopen = () => { authenticate(); queue.push(undefined); wake(); };
    socket.onmessage = (message) => {
      try {
        queue.push(parse(String(message.data)) as Sent);
      } catch (e) {
        queue.push({ event: 'error', data: { type: 'about:blank', title: 'Malformed', status: 502, code: 'malformed', detail: String(e) } });
      }
      wake();
    };
    socket.onclose = (event) => { closed = { code: event.code }; wake(); };
    socket.onerror = () => { closed ??= { code: 1006 }; wake(); }; // not everywhere does a close follow
    const stop = () => wake();
    signal.addEventListener('abort', stop, { once: true });
    try {
      for (;;) {
        while (queue.length > 0) {
          const sent = queue.shift();
          if (sent === undefined && !first) continue;
          first = false;
          yield sent;
        }
        if (signal.aborted) return;
        if (closed) throw new ConnectionError(this.#route.name, 'network', `the WebSocket was closed with ${closed.code}`);
        await new Promise<void>((done) => { wake = done; if (queue.length > 0 || closed || signal.aborted) done(); });
      }
    } finally {
      clearTimeout(renewal);
      signal.removeEventListener('abort', stop);
      socket.onclose = socket.onerror = socket.onmessage = null;
      socket.close();
    }
  }
}

/** The end of a stream that has nothing more to send. */
const completed = Symbol('completed');
