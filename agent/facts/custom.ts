/**
 * Fact `custom`: what the host's own people declare in JSON files.
 * Invariant: file stem → JSON; one unreadable file makes the whole fact unknown, so that no role acts on half of it.
 * Data only: nothing there is run.
 */

import type { Json } from '../protocol/json.ts';
import type { Fact, FactExample } from './fact.ts';

const directory = '/etc/towline/facts.d';

export const custom: Fact<'custom'> = {
  files: [`${directory}/*.json`],
  parse({ files }) {
    const stemOf = (path: string): string => path.slice(directory.length + 1, -'.json'.length);
    const entries = Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1));
    // Object.fromEntries defines members, so that a file may be called __proto__.json.
    return Object.fromEntries(entries.map(([path, text]) => [stemOf(path), parseJson(path, text)]));
  },
};

export const customExample: FactExample<'custom'> = {
  observed: { files: { '/etc/towline/facts.d/rack.json': '{ "row": 4 }' } },
  value: { rack: { row: 4 } },
};

function parseJson(path: string, text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    throw new Error(`${path} is not JSON`);
  }
}
