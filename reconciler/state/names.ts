/**
 * Small integers for the texts that many rows repeat: environments, hosts, roles, revisions, runs.
 * Invariant: an id, once given, keeps its meaning for the life of the database.
 * Never holds a name that a rolled-back transaction had given.
 */

import type { Database } from './database.ts';

export interface Names {
  /** The id of a name that has one. */
  find(name: string): number | undefined;
  /** Reads all names at once, ahead of many questions. */
  learnAll(): void;
  /** The id of a name; gives it one when it has none. Inside a transaction. */
  intern(name: string): number;
  /** Forgets what was remembered; after a rolled-back transaction. */
  forget(): void;
}

/** Remembers ids, so a name costs a query once. */
export function createNames(database: Database): Names {
  const known = new Map<string, number>();
  const find = (name: string): number | undefined => {
    const held = known.get(name);
    if (held !== undefined) return held;
    const id = database.get<{ id: number }>('SELECT id FROM names WHERE name = ?', name)?.id;
    if (id !== undefined) known.set(name, id);
    return id;
  };
  const intern = (name: string): number => {
    const id = find(name);
    if (id !== undefined) return id;
    database.run('INSERT INTO names (name) VALUES (?)', name);
    return find(name) as number;
  };
  const learnAll = (): void => {
    for (const { id, name } of database.all<{ id: number; name: string }>('SELECT id, name FROM names'))
      known.set(name, id);
  };
  return { find, learnAll, intern, forget: () => known.clear() };
}
