/**
 * The form of an inventory file: groups with hosts, vars and children, and hosts.
 * Invariant: what passes has only known keys; what a hosts table holds is read by sources.ts.
 * Never merges anything.
 */

import { z } from 'zod';
import type { JsonObject } from '../agent/protocol/json.ts';
import { type Checked, success } from '../agent/protocol/problem.ts';
import { inventoryProblem } from './problem-codes.ts';
import { schemaProblems } from './schema-problems.ts';
import type { TomlDocument } from './toml.ts';
import type { TomlPath } from './toml-positions.ts';

/** Whether a value is a table. */
export function isTable(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const vars = z.custom<JsonObject>(isTable, { error: 'must be a table of variables' });
const group = z.strictObject(
  {
    hosts: z.unknown().optional(),
    vars: vars.optional(),
    children: z
      .array(z.string('must be the name of a group'), { error: 'must be a list of group names' })
      .optional(),
  },
  { error: 'must be a table with hosts, vars and children' },
);
const inventoryFile = z.strictObject({
  groups: z.record(z.string(), group, { error: 'must be a table of groups' }).optional(),
  hosts: z.unknown().optional(),
});

/** One file as it is written, its form checked. */
export interface InventoryFile {
  readonly groups: Readonly<Record<string, GroupEntry>>;
  readonly hosts: unknown;
}

export interface GroupEntry {
  readonly hosts?: unknown;
  readonly vars?: JsonObject | undefined;
  readonly children?: readonly string[] | undefined;
}

/** Checks one file's form; all findings at once. */
export function checkForm(document: TomlDocument): Checked<InventoryFile> {
  const parsed = inventoryFile.safeParse(document.value);
  if (parsed.success) return success({ groups: parsed.data.groups ?? {}, hosts: parsed.data.hosts });
  const problems = schemaProblems(parsed.error, document, {
    known: knownKeys,
    unknownKey: (message, where) => inventoryProblem('inventory.unknown-key', message, { where }),
    badValue: (message, where) => inventoryProblem('inventory.bad-type', message, { where }),
  });
  return { ok: false, problems };
}

function knownKeys(path: TomlPath): readonly string[] {
  return path.length === 0 ? Object.keys(inventoryFile.shape) : Object.keys(group.shape);
}
