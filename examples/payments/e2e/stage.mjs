// The stage that Go sets for a test: the service behind a proxy that can be told
// to fail. The proxy's address stays when the service is started anew.
const { STAGE, CONTROL } = process.env;

export const baseUrl = STAGE;
export const password = 'square-and-true';

const control = async (what) => {
  const answer = await fetch(`${CONTROL}/${what}`, { method: 'POST' });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${what}: ${text}`);
  return text === '' ? undefined : JSON.parse(text);
};

/** Lets the service answer the next request to a path, and cuts the connection before anybody hears. */
export const loseAnswer = (path) => control(`lose?path=${encodeURIComponent(path)}`);
/** Ends every connection that is open. */
export const cutAll = () => control('cut');
/** Lets requests to a path wait until the caller has gone. */
export const stall = (path) => control(`stall?path=${encodeURIComponent(path)}`);
/** Answers the next requests to a path with a status and a Retry-After of 0 or more seconds. */
export const refuse = (path, status, times, after) => control(`refuse?path=${encodeURIComponent(path)}&status=${status}&times=${times}&after=${after}`);
/** Kills the service and starts it anew on the same data. */
export const restart = () => control('restart');
export const kill = () => control('kill');
/** The requests that went through: method, path and idempotency key. */
export const seen = () => control('seen');

/** Waits for a condition. */
export async function until(what, condition, ms = 100_000) {
  for (const end = Date.now() + ms; ;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`not in ${ms} ms: ${what}`);
    await new Promise((done) => { setTimeout(done, 20); });
  }
}
