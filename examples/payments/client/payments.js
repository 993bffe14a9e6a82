// Client of Payments, generated from its operations. DO NOT EDIT.
//
//     const api = new Payments({ baseUrl: 'https://api.example.com' });
//
// It needs nothing but fetch, and runs in browsers, Node.js 20, Deno and Bun.
/** Calls operations. One client is enough for a program; it is safe to call at any time, however often at once. */
export class Payments {
    #connection;
    constructor(options = {}) {
        this.#connection = new Connection(options, { name: 'auth.refresh', method: 'POST', path: '/v1/auth/refresh', open: true });
    }
    /** The tokens of whoever is signed in. */
    get tokens() { return this.#connection.tokens; }
    /** Ends the session, here and on the server. It is forgotten here even if the server cannot be reached. */
    async signOut(options) {
        const kept = this.tokens.get();
        try {
            if (kept)
                await this.#connection.call({ name: 'auth.logout', method: 'POST', path: '/v1/auth/logout' }, { refresh_token: kept.refresh_token }, options);
        }
        finally {
            this.#connection.signOut();
        }
    }
    payments = {
        /**
         * Holds money on a card, and takes it at once if asked to.
         *
         * A card that is declined leaves a payment with the status declined.
         *
         * `POST /v1/payments`, needs `payments:write`. Fails with `card_declined`, `card_network_unavailable`, beside what any call may fail with.
         */
        authorize: (input, options) => this.#connection.call({ name: 'payments.authorize', method: 'POST', path: '/v1/payments', key: true }, input, options),
        /**
         * Shows one payment.
         *
         * Its answer is kept, for those of one merchant and for staff of one role, until an event tells of a change.
         *
         * `GET /v1/payments/{id}`, needs `payments:read`. Fails with `payment_not_found`, beside what any call may fail with.
         */
        get: (input, options) => this.#connection.call({ name: 'payments.get', method: 'GET', path: '/v1/payments/{id}' }, input, options),
        /**
         * Shows payments, newest first.
         *
         * `GET /v1/payments`, needs `payments:read`.
         */
        list: (input = {}, options) => new Pages((cursor) => this.#connection.call({ name: 'payments.list', method: 'GET', path: '/v1/payments' }, cursor === undefined ? input : { ...input, cursor }, options)),
        /**
         * Takes the money that an authorisation holds, or a part of it once; the rest is released.
         *
         * `POST /v1/payments/{id}/capture`, needs `payments:write`. Fails with `payment_not_found`, `payment_wrong_state`, beside what any call may fail with.
         */
        capture: (input, options) => this.#connection.call({ name: 'payments.capture', method: 'POST', path: '/v1/payments/{id}/capture', key: true }, input, options),
        /**
         * Gives up an authorisation and releases the hold.
         *
         * `POST /v1/payments/{id}/void`, needs `payments:write`. Fails with `payment_not_found`, `payment_wrong_state`, beside what any call may fail with.
         */
        void: (input, options) => this.#connection.call({ name: 'payments.void', method: 'POST', path: '/v1/payments/{id}/void', key: true }, input, options),
        /**
         * Gives captured money back, in parts if need be, up to all of it.
         *
         * `POST /v1/payments/{id}/refunds`, needs `refunds:write`. Fails with `payment_not_found`, `payment_wrong_state`, beside what any call may fail with.
         */
        refund: (input, options) => this.#connection.call({ name: 'payments.refund', method: 'POST', path: '/v1/payments/{id}/refunds', key: true }, input, options),
        /**
         * Lists what was given back of a payment, newest first.
         *
         * `GET /v1/payments/{id}/refunds`, needs `payments:read`. Fails with `payment_not_found`, beside what any call may fail with.
         */
        refunds: (input, options) => new Pages((cursor) => this.#connection.call({ name: 'payments.refunds', method: 'GET', path: '/v1/payments/{id}/refunds' }, cursor === undefined ? input : { ...input, cursor }, options)),
    };
    events = {
        /**
         * Lists what happened since an event, oldest first.
         *
         * `GET /v1/events`, needs `events:read`. Fails with `events_reset`, beside what any call may fail with.
         */
        list: (input = {}, options) => this.#connection.call({ name: 'events.list', method: 'GET', path: '/v1/events' }, input, options),
        /**
         * Sends what happens as it happens, and first what has happened since an event: without a gap and nothing twice, whichever instance was listened to before.
         *
         * It fails if that is not kept any more. Load the present state then and begin anew.
         *
         * `GET /v1/events/stream`, needs `events:read`. Fails with `events_reset`, beside what any call may fail with.
         */
        stream: (input = {}, options) => new Subscription(this.#connection, { name: 'events.stream', method: 'GET', path: '/v1/events/stream', after: true }, input, options ?? {}),
        /**
         * Sends what happens as it happens, and first what has happened since an event: without a gap and nothing twice, whichever instance was listened to before.
         *
         * It fails if that is not kept any more. Load the present state then and begin anew.
         *
         * `GET /v1/events/ws`, needs `events:read`. Fails with `events_reset`, beside what any call may fail with.
         */
        ws: (input = {}, options) => new Subscription(this.#connection, { name: 'events.ws', method: 'GET', path: '/v1/events/ws', after: true }, input, options ?? {}),
    };
    ledger = {
        /**
         * Shows what is on each account, of all merchants together or of one.
         *
         * `GET /v1/ledger/balances`, needs `ledger:read`.
         */
        balances: (input = {}, options) => this.#connection.call({ name: 'ledger.balances', method: 'GET', path: '/v1/ledger/balances' }, input, options),
        /**
         * Shows the entries, of all payments or of one, newest first.
         *
         * `GET /v1/ledger/entries`, needs `ledger:read`.
         */
        entries: (input = {}, options) => new Pages((cursor) => this.#connection.call({ name: 'ledger.entries', method: 'GET', path: '/v1/ledger/entries' }, cursor === undefined ? input : { ...input, cursor }, options)),
    };
    reports = {
        /**
         * Asks for a report.
         *
         * It is made in the background: read it again to see how far it is.
         *
         * `POST /v1/reports`, needs `reports:read`. Fails with `report_limit_reached`, beside what any call may fail with.
         */
        create: (input, options) => this.#connection.call({ name: 'reports.create', method: 'POST', path: '/v1/reports', key: true }, input, options),
        /**
         * Shows a report, and how far it is.
         *
         * `GET /v1/reports/{id}`, needs `reports:read`. Fails with `report_not_found`, beside what any call may fail with.
         */
        get: (input, options) => this.#connection.call({ name: 'reports.get', method: 'GET', path: '/v1/reports/{id}' }, input, options),
        /**
         * Downloads a report that is done: the entries as CSV, or with format=svg a chart by day.
         *
         * In the CSV a text that a spreadsheet would take for a formula has an apostrophe in front.
         *
         * `GET /v1/reports/{id}/file`, needs `reports:read`. Fails with `report_not_found`, `report_not_ready`, beside what any call may fail with.
         */
        file: (input, options) => this.#connection.call({ name: 'reports.file', method: 'GET', path: '/v1/reports/{id}/file', file: true }, input, options),
        /**
         * Removes a report with its files, and ends the job that makes it.
         *
         * It is for those who asked for the report and for its merchant.
         *
         * `DELETE /v1/reports/{id}`, needs `reports:read`. Fails with `report_not_found`, beside what any call may fail with.
         */
        delete: (input, options) => this.#connection.call({ name: 'reports.delete', method: 'DELETE', path: '/v1/reports/{id}' }, input, options),
    };
    merchants = {
        /**
         * Takes a merchant on.
         *
         * `POST /v1/merchants`, needs `merchants:write`.
         */
        create: (input, options) => this.#connection.call({ name: 'merchants.create', method: 'POST', path: '/v1/merchants' }, input, options),
        /**
         * Shows the merchants, newest first.
         *
         * `GET /v1/merchants`, needs `merchants:read`.
         */
        list: (input = {}, options) => new Pages((cursor) => this.#connection.call({ name: 'merchants.list', method: 'GET', path: '/v1/merchants' }, cursor === undefined ? input : { ...input, cursor }, options)),
        /**
         * Shows one merchant.
         *
         * `GET /v1/merchants/{id}`, needs `merchants:read`. Fails with `merchant_not_found`, beside what any call may fail with.
         */
        get: (input, options) => this.#connection.call({ name: 'merchants.get', method: 'GET', path: '/v1/merchants/{id}' }, input, options),
    };
    webhooks = {
        /**
         * Makes an endpoint.
         *
         * Its secret is shown this once.
         *
         * `POST /v1/webhooks`, needs `webhooks:write`. Fails with `webhook_limit_reached`, beside what any call may fail with.
         */
        create: (input, options) => this.#connection.call({ name: 'webhooks.create', method: 'POST', path: '/v1/webhooks' }, input, options),
        /**
         * Shows endpoints, newest first.
         *
         * `GET /v1/webhooks`, needs `webhooks:write`.
         */
        list: (input = {}, options) => new Pages((cursor) => this.#connection.call({ name: 'webhooks.list', method: 'GET', path: '/v1/webhooks' }, cursor === undefined ? input : { ...input, cursor }, options)),
        /**
         * Ends an endpoint.
         *
         * What waits for it is never sent.
         *
         * `DELETE /v1/webhooks/{id}`, needs `webhooks:write`. Fails with `webhook_not_found`, beside what any call may fail with.
         */
        delete: (input, options) => this.#connection.call({ name: 'webhooks.delete', method: 'DELETE', path: '/v1/webhooks/{id}' }, input, options),
        /**
         * Turns an endpoint on that was disabled, and sends what has waited.
         *
         * `POST /v1/webhooks/{id}/enable`, needs `webhooks:write`. Fails with `webhook_not_found`, beside what any call may fail with.
         */
        enable: (input, options) => this.#connection.call({ name: 'webhooks.enable', method: 'POST', path: '/v1/webhooks/{id}/enable' }, input, options),
        /**
         * Shows what was and is to be sent to an endpoint, newest first.
         *
         * `GET /v1/webhooks/{id}/deliveries`, needs `webhooks:write`. Fails with `webhook_not_found`, beside what any call may fail with.
         */
        deliveries: (input, options) => new Pages((cursor) => this.#connection.call({ name: 'webhooks.deliveries', method: 'GET', path: '/v1/webhooks/{id}/deliveries' }, cursor === undefined ? input : { ...input, cursor }, options)),
        /**
         * Sends an event to an endpoint again, under the same id.
         *
         * `POST /v1/webhooks/{id}/deliveries/{delivery_id}/redeliver`, needs `webhooks:write`. Fails with `webhook_not_found`, `webhook_delivery_not_found`, `webhook_disabled`, `webhook_delivery_exhausted`, beside what any call may fail with.
         */
        redeliver: (input, options) => this.#connection.call({ name: 'webhooks.redeliver', method: 'POST', path: '/v1/webhooks/{id}/deliveries/{delivery_id}/redeliver' }, input, options),
    };
    auth = {
        /**
         * Shows who is signed in.
         *
         * A token that outlived its account is refused.
         *
         * `GET /v1/auth/me`. Fails with `token_invalid`, beside what any call may fail with.
         */
        me: (options) => this.#connection.call({ name: 'auth.me', method: 'GET', path: '/v1/auth/me' }, {}, options),
        /**
         * Exchanges an address and a password for an access token and a refresh token.
         *
         * An unknown address, a wrong password and a disabled account are answered alike.
         *
         * `POST /v1/auth/login`. Fails with `credentials_wrong`, `second_factor_required`, `second_factor_wrong`, `second_factor_throttled`, `sign_in_throttled`, `sign_in_busy`, beside what any call may fail with.
         */
        login: (input, options) => this.#connection.call({ name: 'auth.login', method: 'POST', path: '/v1/auth/login', open: true, tokens: 'take' }, input, options),
        /**
         * Exchanges a refresh token for a new one and a new access token.
         *
         * A refresh token is good once. If one comes again its whole session ends, because somebody has copied it. A client whose answer was lost may repeat the request within ten seconds with the same retry_key.
         *
         * `POST /v1/auth/refresh`. Fails with `refresh_token_invalid`, beside what any call may fail with.
         */
        refresh: (input, options) => this.#connection.call({ name: 'auth.refresh', method: 'POST', path: '/v1/auth/refresh', open: true, tokens: 'take' }, input, options),
        /**
         * Ends the session of a refresh token, with its access tokens.
         *
         * A token that is unknown, or of somebody else, ends nothing and is answered alike.
         *
         * `POST /v1/auth/logout`.
         */
        logout: (input, options) => this.#connection.call({ name: 'auth.logout', method: 'POST', path: '/v1/auth/logout' }, input, options),
        /**
         * Changes the caller's password and ends all other sessions.
         *
         * Access tokens from before are refused from then on; refresh to get a new one.
         *
         * `POST /v1/auth/password`. Fails with `sign_in_throttled`, `sign_in_busy`, `account_not_found`, beside what any call may fail with.
         */
        password: (input, options) => this.#connection.call({ name: 'auth.password', method: 'POST', path: '/v1/auth/password' }, input, options),
        /**
         * PublicKeys returns the keys that access tokens are verified with (RFC 7517), for services that verify them themselves.
         *
         * `GET /.well-known/jwks.json`.
         */
        keys: (options) => this.#connection.call({ name: 'auth.keys', method: 'GET', path: '/.well-known/jwks.json', open: true }, {}, options),
        sessions: {
            /**
             * Shows the caller's open sessions, newest first.
             *
             * `GET /v1/auth/sessions`.
             */
            list: (input = {}, options) => new Pages((cursor) => this.#connection.call({ name: 'auth.sessions.list', method: 'GET', path: '/v1/auth/sessions' }, cursor === undefined ? input : { ...input, cursor }, options)),
            /**
             * Ends one of the caller's sessions, with its tokens.
             *
             * `DELETE /v1/auth/sessions/{id}`. Fails with `session_not_found`, beside what any call may fail with.
             */
            end: (input, options) => this.#connection.call({ name: 'auth.sessions.end', method: 'DELETE', path: '/v1/auth/sessions/{id}' }, input, options),
            /**
             * Ends all of the caller's sessions but the one that asks.
             *
             * `DELETE /v1/auth/sessions`.
             */
            endOthers: (options) => this.#connection.call({ name: 'auth.sessions.end_others', method: 'DELETE', path: '/v1/auth/sessions' }, {}, options),
        },
        totp: {
            /**
             * Returns a secret for the caller's authenticator.
             *
             * It is asked for at sign-in once a code of it was confirmed, within ten minutes. The password is needed, so that a stolen access token is not enough.
             *
             * `POST /v1/auth/totp`. Fails with `second_factor_exists`, `sign_in_throttled`, `sign_in_busy`, `account_not_found`, beside what any call may fail with.
             */
            enrol: (input, options) => this.#connection.call({ name: 'auth.totp.enrol', method: 'POST', path: '/v1/auth/totp' }, input, options),
            /**
             * Turns the second factor on, and answers with recovery codes.
             *
             * The codes are shown this once. Each signs in once in place of the authenticator.
             *
             * `POST /v1/auth/totp/confirm`. Fails with `second_factor_not_found`, `second_factor_throttled`, beside what any call may fail with.
             */
            confirm: (input, options) => this.#connection.call({ name: 'auth.totp.confirm', method: 'POST', path: '/v1/auth/totp/confirm' }, input, options),
            /**
             * Turns the second factor off and deletes the recovery codes.
             *
             * The password or a code is needed, so that a stolen access token is not enough.
             *
             * `DELETE /v1/auth/totp`. Fails with `second_factor_not_found`, `second_factor_throttled`, `sign_in_throttled`, `sign_in_busy`, `account_not_found`, beside what any call may fail with.
             */
            remove: (input = {}, options) => this.#connection.call({ name: 'auth.totp.remove', method: 'DELETE', path: '/v1/auth/totp' }, input, options),
        },
    };
    users = {
        /**
         * Makes a user who can sign in from now on.
         *
         * `POST /v1/users`, needs `users:write`. Fails with `email_taken`, `sign_in_busy`, beside what any call may fail with.
         */
        create: (input, options) => this.#connection.call({ name: 'users.create', method: 'POST', path: '/v1/users' }, input, options),
        /**
         * Shows the users, oldest first.
         *
         * `GET /v1/users`, needs `users:read`.
         */
        list: (input = {}, options) => new Pages((cursor) => this.#connection.call({ name: 'users.list', method: 'GET', path: '/v1/users' }, cursor === undefined ? input : { ...input, cursor }, options)),
    };
    apiKeys = {
        /**
         * Makes an API key for the caller.
         *
         * The key is shown this once. It may do what is asked for here and its owner's role allows at the time of use; permissions that the caller does not have are refused. A key that was made by a key ends and expires with it.
         *
         * `POST /v1/api-keys`. Fails with `permission_denied`, `api_keys_too_many`, `api_key_not_found`, beside what any call may fail with.
         */
        create: (input, options) => this.#connection.call({ name: 'api_keys.create', method: 'POST', path: '/v1/api-keys' }, input, options),
        /**
         * Lists the caller's API keys, oldest first, without those that were ended.
         *
         * A caller that is itself an API key sees itself and the keys it made.
         *
         * `GET /v1/api-keys`. Fails with `cursor_invalid`, beside what any call may fail with.
         */
        list: (input = {}, options) => new Pages((cursor) => this.#connection.call({ name: 'api_keys.list', method: 'GET', path: '/v1/api-keys' }, cursor === undefined ? input : { ...input, cursor }, options)),
        /**
         * Ends an API key, and the keys that it made.
         *
         * It is refused on every instance within a second.
         *
         * `DELETE /v1/api-keys/{id}`. Fails with `api_key_not_found`, beside what any call may fail with.
         */
        end: (input, options) => this.#connection.call({ name: 'api_keys.end', method: 'DELETE', path: '/v1/api-keys/{id}' }, input, options),
    };
}
/** Whether the service has refused with one of the codes, or, if none is given, with one that is known. */
export function isProblem(error, ...codes) {
    return error instanceof ApiError && (codes.length === 0 || codes.includes(error.code));
}
export const ApiKeyId = (text) => text;
export const DeliveryId = (text) => text;
export const EntryId = (text) => text;
export const EventId = (text) => text;
export const MerchantId = (text) => text;
export const PaymentId = (text) => text;
export const RefundId = (text) => text;
export const ReportId = (text) => text;
export const SessionId = (text) => text;
export const UserId = (text) => text;
export const WebhookId = (text) => text;
/** The word before a token. */
const scheme = 'Bearer';
/** Keeps tokens in memory: the default. */
export function memoryTokens() {
    let kept;
    return { get: () => kept, set: (tokens) => { kept = tokens; }, alone: (work) => work() };
}
/**
 * Keeps tokens in localStorage or the like, so that they outlive a reload. Tabs that share the storage take turns in
 * refreshing, where the browser has locks. Scripts of the page can read them: have a strict Content-Security-Policy.
 */
export function storedTokens(storage, name = 'ashlar.tokens') {
    return {
        get() {
            const text = storage.getItem(name);
            try {
                return text === null ? undefined : JSON.parse(text);
            }
            catch {
                return undefined; // somebody else's
            }
        },
        set(tokens) {
            if (tokens)
                storage.setItem(name, JSON.stringify(tokens));
            else
                storage.removeItem(name);
        },
        async alone(work) {
            const { navigator } = globalThis;
            const locks = navigator?.locks;
            return locks ? await locks.request(name, work) : await work();
        },
    };
}
/** The service has refused. Branch on `code`. */
export class ApiError extends Error {
    name = 'ApiError';
    problem;
    operation;
    headers;
    constructor(operation, problem, headers) {
        super(`${operation}: ${problem.code}: ${problem.detail ?? problem.title}`);
        this.operation = operation;
        this.problem = problem;
        this.headers = headers;
    }
    get code() { return this.problem.code; }
    get status() { return this.problem.status; }
    /** The rules that the input breaks, by JSON Pointer. */
    get violations() {
        return Array.isArray(this.problem.errors) ? this.problem.errors : [];
    }
}
/**
 * There is no answer that could be understood. After `network` and `timeout` it is not known whether the call had its
 * effect, unless its `idempotencyKey` is sent again.
 */
export class ConnectionError extends Error {
    name = 'ConnectionError';
    operation;
    reason;
    idempotencyKey;
    constructor(operation, reason, message, cause, idempotencyKey) {
        super(`${operation}: ${message}`, { cause });
        this.operation = operation;
        this.reason = reason;
        this.idempotencyKey = idempotencyKey;
    }
}
/**
 * A list that is read page by page. Await it for one page; iterate it for all items, page after page as they are
 * needed.
 */
export class Pages {
    #load;
    constructor(load) { this.#load = load; }
    then(done, failed) {
        return this.#load().then(done, failed);
    }
    catch(failed) { return this.#load().catch(failed); }
    /** Iterates over whole pages. */
    async *pages() {
        for (let cursor;;) {
            const page = await this.#load(cursor);
            yield page;
            if (!page.has_more || page.next_cursor === null)
                return;
            cursor = page.next_cursor;
        }
    }
    async *[Symbol.asyncIterator]() {
        for await (const page of this.pages())
            yield* page.data;
    }
}
const wait = (ms, signal) => new Promise((done, failed) => {
    if (signal?.aborted)
        return failed(signal.reason);
    const stop = () => { clearTimeout(timer); failed(signal.reason); };
    const timer = setTimeout(() => { signal?.removeEventListener('abort', stop); done(); }, ms);
    signal?.addEventListener('abort', stop, { once: true });
});
/** Grows with each attempt to 20 s; the half that is random keeps clients from coming back all at once. */
const backoff = (attempt) => Math.min(20_000, 250 * 2 ** Math.min(attempt, 10)) * (0.5 + Math.random() / 2);
/** How long the server asks to wait, in milliseconds. */
function retryAfter(headers) {
    const text = headers.get('Retry-After');
    if (text === null)
        return undefined;
    const seconds = /^\d+$/.test(text) ? Number(text) : (Date.parse(text) - Date.now()) / 1000;
    return Number.isFinite(seconds) ? Math.max(0, seconds) * 1000 : undefined;
}
/** The longest that a call waits because the server asks to. Beyond it the caller has to know. */
const longestWait = 30_000;
const exact = (value) => {
    if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)) {
        throw new RangeError(`${value} is beyond 2^53 and would not stay what it is`);
    }
    return value;
};
/** Reads JSON. A whole number that JavaScript would round is an error. */
function parse(text) {
    return /\d{16}/.test(text) ? JSON.parse(text, (_, value) => exact(value)) : JSON.parse(text);
}
const written = (value) => JSON.stringify(value, (_, member) => exact(member));
/** Splits an input into path, query and body. */
function place(route, input, inBody) {
    const rest = { ...input };
    const path = route.path.replace(/\{([^}]+)\}/g, (_, name) => {
        const value = rest[name];
        if (value === undefined || value === null || value === '')
            throw new TypeError(`${route.name}: ${name} is missing`);
        delete rest[name];
        return encodeURIComponent(plain(value));
    });
    if (inBody)
        return { path, body: Object.keys(rest).length > 0 ? written(rest) : undefined };
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(rest)) {
        for (const one of Array.isArray(value) ? value : [value]) {
            if (one !== undefined && one !== null)
                query.append(name, plain(one));
        }
    }
    const text = query.toString();
    return { path: text === '' ? path : `${path}?${text}`, body: undefined };
}
const plain = (value) => (value instanceof Date ? value.toISOString() : String(exact(value)));
/** The faults after which a request is known to have had no effect. */
const untouched = new Set(['rate_limited', 'overloaded', 'operation_busy', 'idempotency_key_in_flight']);
/** Sends requests, repeats them where that is safe, and keeps the session going. */
class Connection {
    tokens;
    #options;
    #refreshRoute;
    #base;
    #refreshing;
    constructor(options, refreshRoute) {
        this.#options = options;
        this.#refreshRoute = refreshRoute;
        this.#base = (options.baseUrl ?? globalThis.location?.origin ?? '').replace(/\/$/, '');
        this.tokens = options.tokens ?? memoryTokens();
    }
    async call(route, input = {}, options = {}) {
        const { path, body } = place(route, input, route.method !== 'GET');
        const key = route.key ? (options.idempotencyKey ?? crypto.randomUUID()) : undefined;
        const headers = {
            Accept: route.file ? '*/*, application/problem+json' : accepted, ...this.#options.headers, ...options.headers,
        };
        if (body !== undefined)
            headers['Content-Type'] = 'application/json';
        if (key !== undefined)
            headers['Idempotency-Key'] = key;
        if (options.ifMatch !== undefined)
            headers['If-Match'] = options.ifMatch;
        const repeatable = key !== undefined || ['GET', 'PUT', 'DELETE'].includes(route.method);
        const limit = options.attempts ?? this.#options.attempts ?? 4;
        let refreshed = false;
        for (let attempt = 1;; attempt++) {
            let problem, pause;
            const bearer = route.open ? undefined : await this.bearer(options.signal);
            try {
                const answer = await this.#attempt(route, path, body, { ...headers, ...authorization(bearer) }, options, key);
                if (!(answer instanceof ApiError)) {
                    options.onAnswer?.({ status: answer.response.status, headers: answer.response.headers, attempts: attempt });
                    if (route.tokens === 'take')
                        this.#take(answer.value);
                    return answer.value;
                }
                problem = answer;
                if (answer.status === 401 && bearer !== undefined && !refreshed && this.renewable()) {
                    refreshed = true;
                    await this.refresh(bearer, options.signal);
                    attempt--;
                    continue;
                }
                const again = untouched.has(answer.code) || repeatable && [502, 503, 504].includes(answer.status);
                if (!again || attempt >= limit)
                    throw answer;
                pause = retryAfter(answer.headers);
                if (pause !== undefined && pause > longestWait)
                    throw answer;
            }
            catch (e) {
                if (!(e instanceof ConnectionError) || e.reason === 'malformed' || !repeatable || attempt >= limit)
                    throw e;
                problem = e;
            }
            const delayMs = (pause ?? 0) + backoff(attempt - 1) * (pause === undefined ? 1 : 0.2);
            this.#options.onRetry?.({ operation: route.name, attempt, delayMs, reason: problem });
            await wait(delayMs, options.signal);
        }
    }
    /** One request and the whole of its answer, within the time for it. */
    async #attempt(route, path, body, headers, options, key) {
        const late = options.timeoutMs ?? this.#options.timeoutMs ?? 30_000;
        const timer = new AbortController();
        const stop = () => timer.abort(options.signal.reason);
        if (options.signal?.aborted)
            throw options.signal.reason;
        options.signal?.addEventListener('abort', stop, { once: true });
        const clock = setTimeout(() => timer.abort(), late);
        try {
            const request = { method: route.method, headers, signal: timer.signal };
            if (body !== undefined)
                request.body = body;
            const response = await this.fetch(path, request);
            if (!response.ok)
                return await refusal(route, response);
            return { value: await this.#value(route, response), response };
        }
        catch (e) {
            if (options.signal?.aborted)
                throw options.signal.reason;
            if (e instanceof ConnectionError)
                throw e;
            if (timer.signal.aborted)
                throw new ConnectionError(route.name, 'timeout', `no answer in ${late} ms`, e, key);
            throw new ConnectionError(route.name, 'network', 'the connection failed', e, key);
        }
        finally {
            clearTimeout(clock);
            options.signal?.removeEventListener('abort', stop);
        }
    }
    async #value(route, response) {
        if (route.file) {
            const name = /filename="?([^";]+)"?/.exec(response.headers.get('Content-Disposition') ?? '')?.[1];
            const type = response.headers.get('Content-Type') ?? 'application/octet-stream';
            return { body: await response.blob(), type, ...(name === undefined ? {} : { name }) };
        }
        const text = await response.text();
        if (text === '')
            return undefined;
        try {
            return parse(text);
        }
        catch (e) {
            throw new ConnectionError(route.name, 'malformed', 'the answer cannot be read', e);
        }
    }
    fetch(path, request) {
        return (this.#options.fetch ?? fetch)(this.#base + path, request);
    }
    socket(path) {
        const Socket = this.#options.WebSocket ?? globalThis.WebSocket;
        if (!Socket)
            throw new ConnectionError('WebSocket', 'unsupported', 'there is no WebSocket here; give one in the options');
        return new Socket(this.#base.replace(/^http/, 'ws') + path);
    }
    /** The token to send, if there is one. One that is known to have run out is renewed first. */
    async bearer(signal) {
        const { apiKey } = this.#options;
        if (apiKey !== undefined)
            return typeof apiKey === 'string' ? apiKey : await apiKey();
        const kept = this.tokens.get();
        if (kept && this.renewable() && kept.expires_at <= Date.now()) {
            await this.refresh(kept.access_token, signal);
            return this.tokens.get()?.access_token;
        }
        return kept?.access_token;
    }
    renewable() {
        return this.#options.apiKey === undefined && this.#refreshRoute !== undefined && this.tokens.get() !== undefined;
    }
    /** Replaces a token that was refused. However many calls ask, one request is made. */
    async refresh(refused, signal) {
        this.#refreshing ??= this.tokens.alone(() => this.#refresh(refused)).finally(() => { this.#refreshing = undefined; });
        const work = this.#refreshing;
        if (!signal)
            return await work;
        signal.throwIfAborted();
        let stop = () => { };
        const aborted = new Promise((_, failed) => {
            stop = () => failed(signal.reason);
            signal.addEventListener('abort', stop, { once: true });
        });
        await Promise.race([work, aborted]).finally(() => signal.removeEventListener('abort', stop));
    }
    async #refresh(refused) {
        const kept = this.tokens.get();
        if (!kept || kept.access_token !== refused)
            return; // another tab was quicker
        // The key lets the server answer a repetition alike, whose first answer was lost.
        const body = written({ refresh_token: kept.refresh_token, retry_key: crypto.randomUUID() });
        const route = this.#refreshRoute;
        const headers = { Accept: accepted, 'Content-Type': 'application/json', ...this.#options.headers };
        for (let attempt = 1;; attempt++) {
            try {
                const answer = await this.#attempt(route, route.path, body, headers, { timeoutMs: 5_000 }, undefined);
                if (!(answer instanceof ApiError))
                    return this.#take(answer.value);
                if (answer.status === 401)
                    this.signOut();
                if (attempt >= 4 || answer.status !== 429 && answer.status !== 503)
                    throw answer;
                await wait(Math.min(retryAfter(answer.headers) ?? 0, longestWait) + backoff(attempt - 1));
            }
            catch (e) {
                if (!(e instanceof ConnectionError) || e.reason === 'malformed' || attempt >= 4)
                    throw e;
                await wait(backoff(attempt - 1));
            }
        }
    }
    #take(answer) {
        const { access_token, refresh_token, expires_in } = answer;
        if (access_token && refresh_token) {
            this.tokens.set({ access_token, refresh_token, expires_at: Date.now() + (expires_in ?? 300) * 1000 - 1000 });
        }
    }
    /** Forgets the session. */
    signOut() {
        this.tokens.set(undefined);
        this.#options.onSignedOut?.();
    }
}
/** An answer, or a problem document where the API has a form of its own for failures as well. */
const accepted = 'application/json, application/problem+json';
const authorization = (bearer) => (bearer === undefined ? {} : { Authorization: `${scheme} ${bearer}` });
/** The problem that an answer is. Whatever stands in between may answer with something else. */
async function refusal(route, response) {
    const text = await response.text();
    let problem = { type: 'about:blank', title: response.statusText, status: response.status, code: `http_${response.status}` };
    try {
        const said = JSON.parse(text);
        if (typeof said.code === 'string' && typeof said.status === 'number')
            problem = said;
    }
    catch {
        // no problem document
    }
    return new ApiError(route.name, problem, response.headers);
}
/** How a connection of a stream ended. */
class Cut {
    reason;
    delayMs;
    constructor(reason, delayMs) {
        this.reason = reason;
        this.delayMs = delayMs;
    }
}
/**
 * A subscription to a stream. Iterate it: it comes back after each cut, behind the last item, until you leave the loop,
 * the signal ends it or the server says that there is nothing more. What cannot be continued is an error.
 */
export class Subscription {
    /** The place behind the last item that was handed out. */
    lastEventId = '';
    #connection;
    #route;
    #input;
    #options;
    constructor(connection, route, input, options) {
        this.#connection = connection;
        this.#route = route;
        this.#input = input;
        this.#options = options;
        if (typeof this.#input.after === 'string')
            this.lastEventId = this.#input.after;
    }
    async *[Symbol.asyncIterator]() {
        const leave = new AbortController();
        const { signal } = this.#options;
        const stop = () => leave.abort(signal.reason);
        signal?.addEventListener('abort', stop, { once: true });
        if (signal?.aborted)
            leave.abort(signal.reason);
        try {
            for (let failures = 0; !leave.signal.aborted;) {
                let cut;
                try {
                    const items = this.#options.transport === 'websocket' ? this.#sockets(leave.signal) : this.#events(leave.signal);
                    for await (const sent of items) {
                        failures = 0;
                        if (sent === undefined) { // connected
                            this.#options.onState?.({ state: 'open', resumed: this.lastEventId !== '' });
                            continue;
                        }
                        if (sent.event === 'end' || sent.event === 'error')
                            throw this.#ending(sent);
                        this.#refusals = 0;
                        if (sent.id !== undefined)
                            this.lastEventId = sent.id;
                        yield sent.data;
                    }
                    cut = new Cut(new ConnectionError(this.#route.name, 'network', 'the connection was cut'));
                }
                catch (e) {
                    if (leave.signal.aborted || e === completed)
                        return;
                    cut = await this.#judge(e, leave.signal);
                }
                const delayMs = cut.delayMs ?? backoff(failures++);
                this.#options.onState?.({ state: 'waiting', delayMs, reason: cut.reason });
                await wait(delayMs, leave.signal).catch(() => undefined);
            }
        }
        finally {
            signal?.removeEventListener('abort', stop);
            leave.abort();
        }
    }
    /** What the last event of a stream says, as something to throw. */
    #ending(sent) {
        const data = sent.data;
        if (data.code === 'completed')
            return completed;
        if (data.code === 'draining')
            return new Cut(data, (data.retry_ms ?? 1000) + 50);
        if (data.code === 'expired')
            return new Cut(data, 0);
        return new ApiError(this.#route.name, data, new Headers());
    }
    /** Decides whether to come back; if not, it throws. */
    async #judge(e, signal) {
        if (e instanceof Cut)
            return e;
        if (e instanceof ConnectionError && (e.reason === 'network' || e.reason === 'timeout'))
            return new Cut(e);
        if (!(e instanceof ApiError))
            throw e;
        if (e.status === 401 && this.#connection.renewable()) {
            const refused = this.#bearer;
            if (refused === undefined || ++this.#refusals > 3)
                throw e;
            this.#bearer = undefined;
            try {
                await this.#connection.refresh(refused, signal);
            }
            catch (failed) {
                if (failed instanceof ConnectionError)
                    return new Cut(failed);
                throw failed;
            }
            return new Cut(e, 0);
        }
        if (e.status === 429 || [502, 503, 504].includes(e.status))
            return new Cut(e, (retryAfter(e.headers) ?? 0) + backoff(2));
        throw e;
    }
    #bearer;
    #refusals = 0; // of tokens, since the last item
    /** The items of one connection over server-sent events; undefined when it is open. */
    async *#events(signal) {
        this.#bearer = this.#route.open ? undefined : await this.#connection.bearer(signal);
        const headers = { Accept: 'text/event-stream, application/problem+json', ...authorization(this.#bearer) };
        if (this.lastEventId !== '')
            headers['Last-Event-ID'] = this.lastEventId;
        const { path } = place(this.#route, this.#input, false);
        const silence = this.#options.silenceMs ?? 45_000;
        const silent = new AbortController();
        let heard = setTimeout(() => silent.abort(), silence);
        const listen = () => { clearTimeout(heard); heard = setTimeout(() => silent.abort(), silence); };
        const stop = () => silent.abort(signal.reason);
        signal.addEventListener('abort', stop, { once: true });
        try {
            const response = await this.#connection.fetch(path, { headers, signal: silent.signal, cache: 'no-store' });
            if (!response.ok)
                throw await refusal(this.#route, response);
            if (!response.body)
                throw new TypeError('the answer has no body');
            listen();
            yield undefined;
            const reader = response.body.getReader();
            const text = new TextDecoder();
            let rest = '', event, id, data = [];
            for (;;) {
                const { done, value } = await reader.read();
                if (done)
                    return;
                listen();
                const lines = (rest + text.decode(value, { stream: true })).split(/\r\n|\n|\r(?!$)/);
                rest = lines.pop();
                for (const line of lines) {
                    if (line === '') {
                        if (data.length > 0)
                            yield { id, event, data: parse(data.join('\n')) };
                        event = undefined;
                        data = [];
                        continue;
                    }
                    const colon = line.indexOf(':');
                    const name = colon < 0 ? line : line.slice(0, colon);
                    const said = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
                    if (name === 'data')
                        data.push(said);
                    else if (name === 'event')
                        event = said;
                    else if (name === 'id')
                        id = said;
                }
            }
        }
        catch (e) {
            if (e instanceof ApiError || signal.aborted)
                throw e;
            if (e instanceof RangeError || e instanceof SyntaxError)
                throw new ConnectionError(this.#route.name, 'malformed', 'an item cannot be read', e);
            throw new ConnectionError(this.#route.name, 'network', silent.signal.aborted ? `nothing came in ${silence} ms` : 'the connection failed', e);
        }
        finally {
            clearTimeout(heard);
            signal.removeEventListener('abort', stop);
            silent.abort(); // a reader that left in the middle
        }
    }
    /** The items of one WebSocket. */
    async *#sockets(signal) {
        const input = { ...this.#input };
        if (this.#route.after && this.lastEventId !== '')
            input.after = this.lastEventId;
        else if (this.lastEventId !== '')
            throw new ConnectionError(this.#route.name, 'unsupported', 'this stream cannot be resumed over a WebSocket');
        this.#bearer = this.#route.open ? undefined : await this.#connection.bearer(signal);
        const socket = this.#connection.socket(place(this.#route, input, false).path);
        const queue = [];
        let wake = () => { }, closed, renewal;
        const authenticate = () => {
            if (this.#bearer === undefined)
                return;
            socket.send(written({ type: 'token', token: this.#bearer }));
            const kept = this.#connection.tokens.get();
            if (!kept || !this.#connection.renewable())
                return;
            // Before the token runs out, another one is sent, and the stream goes on.
            const left = Math.min(2 ** 31 - 1, Math.max(1_000, (kept.expires_at - Date.now()) * 0.8));
            renewal = setTimeout(() => {
                this.#connection.refresh(kept.access_token, signal).then(async () => {
                    this.#bearer = await this.#connection.bearer(signal);
                    if (socket.readyState === 1)
                        authenticate();
                }).catch(() => socket.close());
            }, left);
        };
        let first = true;
        socket.onopen = () => { authenticate(); queue.push(undefined); wake(); };
        socket.onmessage = (message) => {
            try {
                queue.push(parse(String(message.data)));
            }
            catch (e) {
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
                    if (sent === undefined && !first)
                        continue;
                    first = false;
                    yield sent;
                }
                if (signal.aborted)
                    return;
                if (closed)
                    throw new ConnectionError(this.#route.name, 'network', `the WebSocket was closed with ${closed.code}`);
                await new Promise((done) => { wake = done; if (queue.length > 0 || closed || signal.aborted)
                    done(); });
            }
        }
        finally {
            clearTimeout(renewal);
            signal.removeEventListener('abort', stop);
            socket.onclose = socket.onerror = socket.onmessage = null;
            socket.close();
        }
    }
}
/** The end of a stream that has nothing more to send. */
const completed = Symbol('completed');
