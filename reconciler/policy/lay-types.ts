/**
 * Lays the types of `'towline'` where the editor of a policy repository finds them.
 * Invariant: writes below `.towline/types/` only, and nothing when what is there is current.
 * The path is the one tsconfig.json of repo-template names.
 */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { declarations } from './declarations.ts';

/** Where the types lie in a policy repository. */
export const typesPath = '.towline/types/towline.d.ts';

/** Lays them in the repository at `directory`; true when that changed something. */
export function layTypes(directory: string): boolean {
  const path = join(directory, typesPath);
  const wanted = currentDeclarations();
  if (existsSync(path) && readFileSync(path, 'utf8') === wanted) return false;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, wanted);
  return true;
}

/** A release carries them as types/towline.d.ts; the source makes them of the authoring API. */
function currentDeclarations(): string {
  if (import.meta.url.endsWith('.ts')) {
    return declarations((file) => readFileSync(new URL(`./authoring/${file}`, import.meta.url), 'utf8'));
  }
  return readFileSync(new URL('../types/towline.d.ts', import.meta.url), 'utf8');
}
