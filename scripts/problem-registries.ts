/**
 * Finds every registry of problem codes by where registries live, and writes the page about them.
 * Invariant: a registry in one of these places needs no further listing anywhere.
 * Never reads source text: registries are imported, so the page shows what the program uses.
 */

import { globSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { ProblemKind } from '../agent/protocol/problem.ts';

export interface ProblemRegistry {
  /** Path inside the repository. */
  readonly file: string;
  readonly codes: ReadonlyMap<string, ProblemKind>;
}

const places = ['inventory/problem-codes.ts', 'reconciler/base/problem-codes/*.ts'];
const root = resolve(import.meta.dirname, '..');

/** All registries, in the order of the house: inventory, reconciler. */
export async function problemRegistries(): Promise<ProblemRegistry[]> {
  const files = places.flatMap((place) => globSync(place, { cwd: root }).sort());
  return Promise.all(files.map(readRegistry));
}

async function readRegistry(file: string): Promise<ProblemRegistry> {
  const module: Record<string, unknown> = await import(pathToFileURL(join(root, file)).href);
  const tables = Object.values(module).filter(isTable);
  return { file, codes: new Map(tables.flatMap((table) => Object.entries(table))) };
}

function isTable(value: unknown): value is Record<string, ProblemKind> {
  if (typeof value !== 'object' || value === null) return false;
  const entries: unknown[] = Object.values(value);
  return entries.length > 0 && entries.every(isKind);
}

function isKind(value: unknown): value is ProblemKind {
  return typeof value === 'object' && value !== null && 'disposition' in value && 'hint' in value;
}

const introduction = `# Problems

Every failure has a code. The message beside it says what happened and where; the hint below says what to do next.
Programs decide on the code and the disposition, never on the message.

| disposition | meaning |
|---|---|
| retry | May pass by itself; Towline tries again. |
| wait | Something else must finish first; Towline goes on when it has. |
| stalled | A person must act; the last good state stays in force. |
| defect | A fault of Towline or of what runs beside it; please report it. |

This page is written by \`npm run docs\` from the registries in the source.
`;

/** The text of docs/problems.md. */
export function problemsPage(registries: readonly ProblemRegistry[]): string {
  const sections = registries.map(({ file, codes }) => {
    const rows = [...codes].map(([code, { disposition, hint }]) => {
      return `| \`${code}\` | ${disposition} | ${hint.replaceAll('|', '\\|')} |`;
    });
    const source = `From \`${file}\`.`;
    const table = ['| code | disposition | what to do |', '|---|---|---|', ...rows];
    return [`## ${titleOf(file)}`, '', source, '', ...table, ''].join('\n');
  });
  return [introduction, ...sections].join('\n');
}

function titleOf(file: string): string {
  const [folder] = file.split('/');
  if (folder !== 'reconciler') return 'Inventory';
  const name = file.replace(/^.*\//, '').replace(/\.ts$/, '').replaceAll('-', ' ');
  return `Reconciler: ${name}`;
}
