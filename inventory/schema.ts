/**
 * The form of an inventory file: groups with hosts, vars and children, and hosts.
 * Invariant: what passes has only known keys; what a hosts table holds is read by sources.ts.
 * Never merges anything.
 */

import { z } from 'zod';
import type { JsonObject } from '../agent/protocol/json.ts';
import type { Problem } from '../agent/protocol/problem.ts';
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

/** What is left of a file without the parts whose form is wrong, so that one mistake does not hide the others. */
export interface CheckedForm {
  readonly file: InventoryFile;
  readonly problems: readonly Problem[];
}

/** Checks one file's form; all findings at once. */
export function checkForm(document: TomlDocument): CheckedForm {
  const parsed = inventoryFile.safeParse(document.value);
  if (parsed.success) return { file: fileOf(parsed.data), problems: [] };
  const problems = schemaProblems(parsed.error, document, {
    known: knownKeys,
    unknownKey: (message, where) => inventoryProblem('inventory.unknown-key', message, { where }),
    badValue: (message, where) => inventoryProblem('inventory.bad-type', message, { where }),
  });
  const rest = inventoryFile.safeParse(withoutWrong(document.value, parsed.error));
  return { file: fileOf(rest.success ? rest.data : {}), problems };
}

function fileOf({ groups, hosts }: z.infer<typeof inventoryFile>): InventoryFile {
  return { groups: groups ?? {}, hosts };
}

/** A copy without unknown keys and wrong values; a group of which nothing is right stays as an empty one. */
function withoutWrong(value: unknown, error: z.ZodError): unknown {
  const copy = structuredClone(value);
  for (const issue of error.issues) {
    const keys = issue.code === 'unrecognized_keys' ? issue.keys : [issue.path.at(-1)];
    const above = issue.code === 'unrecognized_keys' ? issue.path : issue.path.slice(0, -1);
    let table = copy as Record<PropertyKey, unknown> | undefined;
    for (const step of above) table = table?.[step] as typeof table;
    for (const key of keys) if (table !== undefined && key !== undefined) delete table[key];
    if (
      issue.code !== 'unrecognized_keys' &&
      above.length === 1 &&
      above[0] === 'groups' &&
      table !== undefined
    )
      table[issue.path[1] as string] = {};
  }
  return copy;
}

function knownKeys(path: TomlPath): readonly string[] {
  return path.length === 0 ? Object.keys(inventoryFile.shape) : Object.keys(group.shape);
}
