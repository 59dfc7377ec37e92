/**
 * Decides which contexts are closed: the youngest idle ones of a host that has too many, and those that nobody used for long.
 * Invariant: a context with a call under way, or with children that are reached through it, is never closed.
 * Pure: the clock is an argument.
 */

/** A context as far as its use matters. Times are milliseconds of one clock. */
export interface ContextUse {
  readonly key: string;
  readonly host: string;
  readonly openedAt: number;
  /** When it was last given to somebody, or a call on it ended. */
  readonly usedAt: number;
  /** Calls and programs under way. */
  readonly calls: number;
  /** Lines that go through it. */
  readonly children: number;
}

/** Who was just given a context is about to use it. */
const justGiven = 2_000;

function isBusy({ calls, children }: ContextUse): boolean {
  return calls > 0 || children > 0;
}

/**
 * The contexts to close so that one more on the host keeps to the limit. The oldest stay, as they are most often those of the login
 * account and of root; when all are busy, none is closed and the limit is exceeded.
 */
export function contextsToRecycle(
  contexts: readonly ContextUse[],
  { host, limit, now }: { readonly host: string; readonly limit: number; readonly now: number },
): readonly string[] {
  const here = contexts.filter((context) => context.host === host);
  const excess = here.length + 1 - limit;
  if (excess <= 0) return [];
  return here
    .filter((context) => !isBusy(context) && now - context.usedAt >= justGiven)
    .sort((a, b) => b.openedAt - a.openedAt)
    .slice(0, excess)
    .map(({ key }) => key);
}

/** The contexts to close now because nobody used them for so long, and when to look again; undefined when there is none to wait for. */
export function idleContexts(
  contexts: readonly ContextUse[],
  idleMilliseconds: number,
  now: number,
): { readonly close: readonly string[]; readonly lookAgainIn: number | undefined } {
  const idle = contexts.filter((context) => !isBusy(context));
  const left = (context: ContextUse): number => context.usedAt + idleMilliseconds - now;
  const close = idle.filter((context) => left(context) <= 0).map(({ key }) => key);
  const waiting = contexts.filter((context) => !close.includes(context.key));
  if (waiting.length === 0) return { close, lookAgainIn: undefined };
  const soonest = Math.min(...waiting.map((context) => (isBusy(context) ? idleMilliseconds : left(context))));
  return { close, lookAgainIn: soonest };
}
