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
