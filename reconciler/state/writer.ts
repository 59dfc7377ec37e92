/**
 * Group commit: writes asked for in one turn of the event loop share one transaction, so a fleet does not wait for a disk
 * once per host.
 * Invariant: a write's promise settles after it is committed; a write that fails takes no other with it; order is kept.
 * Never holds a transaction open across a turn of the event loop.
 */

import type { Database, Durability } from './database.ts';
import type { Names } from './names.ts';

/** Runs `work` inside a transaction and resolves once that is committed. */
export type Write = <T>(durability: Durability, work: () => T) => Promise<T>;

export interface Writer {
  readonly write: Write;
  /** Commits what waits, at once. */
  flush(): void;
}

interface Waiting {
  readonly durability: Durability;
  readonly work: () => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** The one writer of a database. */
export function createWriter(database: Database, names: Names): Writer {
  let waiting: Waiting[] = [];
  const flush = (): void => {
    const batch = waiting;
    waiting = [];
    if (batch.length > 0) commit(database, names, batch);
  };
  const write = <T>(durability: Durability, work: () => T): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      if (waiting.length === 0) setImmediate(flush);
      waiting.push({ durability, work, resolve: (value) => resolve(value as T), reject });
    });
  return { write, flush };
}

function commit(database: Database, names: Names, batch: readonly Waiting[]): void {
  const durability = batch.some((one) => one.durability === 'durable') ? 'durable' : 'ordered';
  try {
    const values = database.transaction(durability, () => batch.map((one) => one.work()));
    for (const [index, one] of batch.entries()) one.resolve(values[index]);
  } catch (error) {
    names.forget();
    const [only] = batch;
    if (batch.length === 1) only?.reject(error);
    else for (const one of batch) commit(database, names, [one]);
  }
}
