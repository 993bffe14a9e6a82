// Client of OddThings 1.2, generated from its operations. DO NOT EDIT.
//
//     const api = new OddThings({ baseUrl: 'https://api.example.com' });
//
// It needs nothing but fetch, and runs in browsers, Node.js 20, Deno and Bun.

/** Calls operations. One client is enough for a program; it is safe to call at any time, however often at once. */
export class OddThings {
  readonly #connection: Connection;

  constructor(options: ClientOptions = {}) {
    this.#connection = new Connection(options, undefined);
  }

  /** The tokens of whoever is signed in. */
  get tokens(): TokenStore { return this.#connection.tokens; }

  /** `POST /nothing`. */
  readonly things_ = (options?: CallOptions): Promise<void> =>
    this.#connection.call({ name: 'things', method: 'POST', path: '/nothing' }, {}, options);

  /** `GET /ticks`. */
  readonly ticks = (options?: StreamOptions): Subscription<Part> =>
    new Subscription<Part>(this.#connection, { name: 'ticks', method: 'GET', path: '/ticks', open: true }, {}, options ?? {});

  readonly owners = {
    things: {
      /** `GET /owners/{owner_id}/things/{id}`, needs `odd:read`. Fails with `thing_gone`, beside what any call may fail with. */
      get: (input: OwnersThingsGetInput, options?: CallOptions): Promise<Response2> =>
        this.#connection.call({ name: 'owners.things.get', method: 'GET', path: '/owners/{owner_id}/things/{id}' }, input, options),
    },
  };

  readonly things = {
    /** `GET /things/{id}`. */
    get_: (input: ThingsGetInput, options?: CallOptions): Promise<Response2> =>
      this.#connection.call({ name: 'things.get', method: 'GET', path: '/things/{id}', open: true }, input, options),
    /** `GET /things`, needs `odd:read`. */
    list: (input: ThingsListInput = {}, options?: CallOptions): Pages<Response2> =>
      new Pages<Response2>((cursor) => this.#connection.call({ name: 'things.list', method: 'GET', path: '/things' },
        cursor === undefined ? input : { ...input, cursor }, options)),
    /**
     * `PATCH /things/{id}`, needs `odd:read`.
     * @deprecated since 2026-01-02, gone on 2027-01-02
     */
    editAll: (input: ThingsEditAllInput, options?: CallOptions): Promise<Response2> =>
      this.#connection.call({ name: 'things.edit_all', method: 'PATCH', path: '/things/{id}', key: true }, input, options),
    get: {
      /** `GET /things/{id}/file`. */
      file: (input: ThingsGetFileInput, options?: CallOptions): Promise<FileAnswer> =>
        this.#connection.call({ name: 'things.get.file', method: 'GET', path: '/things/{id}/file', open: true, file: true }, input, options),
    },
  };
}

/** What `owners.things.get` takes. */
export interface OwnersThingsGetInput {
  owner_id: OwnerId;
  id: ThingId;
}

/** What `things.get` takes. */
export interface ThingsGetInput {
  id: ThingId;
}

/** What `things.list` takes. */
export interface ThingsListInput {
  /** 0 to 10000 entries. */
  tags?: string[];
  /** A whole number, 1 to 100. */
  limit?: number;
  /** 1 to 512 characters. */
  cursor?: string;
}

/** What `things.edit_all` takes. */
export interface ThingsEditAllInput {
  id: ThingId;
  name?: string | null;
  part: PartInput;
  since?: Timestamp | Date;
}

/** What `things.get.file` takes. */
export interface ThingsGetFileInput {
  id: ThingId;
}

/**
 * A Response *\/ is odd.
 * It has two lines.
 */
export interface Response2 {
  id: ThingId;
  owner_id: OwnerId;
  weekday: Weekday;
  'two-words': string;
  maybe: number | null;
  rarely?: string;
  parts: Part[];
  parents?: Record<string, Response2>;
  bytes: Base64;
  /** when it was */
  at: Timestamp;
  inline: { x: number };
  anything: Json;
}

export type Weekday = 1 | 2 | 3;

export interface Part {
  name: string;
}

export interface PartInput {
  name: string;
}

/** Every problem that this API knows, by its code. */
export interface Problems {
  body_too_large: ProblemOf<'body_too_large', 413>;
  cursor_invalid: ProblemOf<'cursor_invalid', 400>;
  deadline_exceeded: ProblemOf<'deadline_exceeded', 504>;
  idempotency_key_in_flight: ProblemOf<'idempotency_key_in_flight', 409>;
  idempotency_key_malformed: ProblemOf<'idempotency_key_malformed', 400>;
  idempotency_key_missing: ProblemOf<'idempotency_key_missing', 400>;
  idempotency_key_reused: ProblemOf<'idempotency_key_reused', 422>;
  internal: ProblemOf<'internal', 500>;
  invalid: ProblemOf<'invalid', 422> & { errors: Violation[] };
  malformed: ProblemOf<'malformed', 400>;
  media_type_unsupported: ProblemOf<'media_type_unsupported', 415>;
  method_not_allowed: ProblemOf<'method_not_allowed', 405>;
  not_acceptable: ProblemOf<'not_acceptable', 406>;
  not_found: ProblemOf<'not_found', 404>;
  overloaded: ProblemOf<'overloaded', 503>;
  permission_denied: ProblemOf<'permission_denied', 403>;
  rate_limited: ProblemOf<'rate_limited', 429>;
  request_timeout: ProblemOf<'request_timeout', 408>;
  streams_full: ProblemOf<'streams_full', 503>;
  thing_gone: ProblemOf<'thing_gone', 410>;
  token_invalid: ProblemOf<'token_invalid', 401>;
  too_many_streams: ProblemOf<'too_many_streams', 429>;
  unauthenticated: ProblemOf<'unauthenticated', 401>;
  unavailable: ProblemOf<'unavailable', 503>;
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
  'owners.things.get': { input: OwnersThingsGetInput; answer: Response2; fails: 'thing_gone' };
  'things.get': { input: ThingsGetInput; answer: Response2; fails: never };
  'things.list': { input: ThingsListInput; answer: Page<Response2>; fails: never };
  'things.edit_all': { input: ThingsEditAllInput; answer: Response2; fails: never };
  things: { input: Record<string, never>; answer: void; fails: never };
  'things.get.file': { input: ThingsGetFileInput; answer: FileAnswer; fails: never };
  ticks: { input: Record<string, never>; answer: Part; fails: never };
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

export type OwnerId = Brand<'OwnerId'>;
export const OwnerId = (text: string): OwnerId => text as OwnerId;
export type ThingId = Brand<'ThingId'>;
export const ThingId = (text: string): ThingId => text as ThingId;

/** The word before a token. */
const scheme = 'Bearer';

